"""A study's folder as a `StudyState` that is brought up to date: a look reads what is new, and no more."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ftsweep.dashboard.trial_reader import Stamp, TrialReader, stamp_of
from ftsweep.domain.study_state import StudyState
from ftsweep.domain.trial import TrialRecord
from ftsweep.report.overview import StudyOverview
from ftsweep.report.settings import Settings, read_settings
from ftsweep.report.study_fit import judged_study
from ftsweep.store.atomic import read_json
from ftsweep.store.folders import StudyFolder, TrialFolder
from ftsweep.store.manifest import StudyManifest
from ftsweep.store.result import read_result, result_file
from ftsweep.store.study_state import made_state


@dataclass
class StudyReader:
    """Reads one study again and again. Not for several threads at once."""

    folder: StudyFolder
    version: int = 0
    """Counts up whenever a look found something new."""
    state: StudyState | None = None
    _overview: tuple[int, StudyOverview] | None = None
    _trials: dict[str, tuple[int, TrialReader]] = field(default_factory=dict)
    """By folder name: the folder's identity and its reader."""
    _files: dict[str, tuple[Stamp | None, Any]] = field(default_factory=dict)
    _is_running: bool = False

    def look(self) -> StudyState:
        """The study as it is now.

        Raises:
            FileNotFoundError: there is no such study, or its folder is gone.
            DamagedFileError: a file of the study holds something else.
        """
        has_news = self._look_at_trials()
        manifest, is_new = self._file("manifest", self.folder.manifest_file, self._read_manifest)
        has_news |= is_new
        result, is_new = self._file("result", result_file(self.folder), lambda: read_result(self.folder))
        has_news |= is_new
        is_running = self.folder.is_running
        if is_running != self._is_running:  # whoever goes on with it may judge ended trials again
            has_news = True
            for _, reader in self._trials.values():
                reader.is_settled = False
        if has_news or self.state is None:
            self._is_running = is_running
            self.state = made_state(
                self.folder,
                manifest[0],
                result,
                baselines=self._baselines(),
                trials=self._records(),
                verdicts={
                    reader.record.number: reader.verdicts
                    for _, reader in self._trials.values()
                    if reader.record is not None and reader.verdicts
                },
            )
            self.version += 1
        return self.state

    def overview(self) -> StudyOverview:
        """What a report shows of the study, as of the last look."""
        assert self.state is not None, "look first"
        if self._overview is None or self._overview[0] != self.version:
            settings: Settings = self._files["manifest"][1][1]
            found = StudyOverview(self.state, settings)
            found = replace(found, verdicts=tuple(judged_study(self.state, settings)))
            self._overview = (self.version, found)
        return self._overview[1]

    def _read_manifest(self) -> tuple[StudyManifest, Settings]:
        return self.folder.manifest(), read_settings(self.folder)

    def _file(self, name: str, path: Any, read: Any) -> tuple[Any, bool]:
        """What `read` makes of a file, and whether that is new; read again when the file is another one."""
        stamp = stamp_of(path)
        if name in self._files and self._files[name][0] == stamp:
            return self._files[name][1], False
        content = read()
        self._files[name] = (stamp, content)
        return content, True

    def _look_at_trials(self) -> bool:
        if not self.folder.sweep_file.exists():
            raise FileNotFoundError(self.folder.path)
        found: dict[str, int] = {}
        try:
            with os.scandir(self.folder.path / "trials") as entries:
                found = {entry.name: entry.inode() for entry in entries if not entry.name.startswith(".")}
        except FileNotFoundError:
            pass  # nothing was begun yet
        gone = [name for name, (inode, _) in self._trials.items() if found.get(name) != inode]
        for name in gone:
            del self._trials[name]
        has_news = bool(gone)
        for name, inode in found.items():
            if name.isdecimal():
                if name not in self._trials:
                    self._trials[name] = (inode, TrialReader(TrialFolder(self.folder.path / "trials" / name)))
                has_news |= self._trials[name][1].look()
            elif name.startswith("baseline-"):
                file = self.folder.path / "trials" / name / "baseline.json"
                has_news |= self._file(name, file, lambda file=file: _values(file))[1]
        bases = [name for name in self._files if name.startswith("baseline-") and name not in found]
        for name in bases:
            del self._files[name]
        return has_news or bool(bases)

    def _records(self) -> list[TrialRecord]:
        records = [reader.record for _, reader in self._trials.values() if reader.record is not None]
        return sorted(records, key=lambda record: record.number)

    def _baselines(self) -> Mapping[str, Mapping[str, float]]:
        files = {name: content for name, (_, content) in self._files.items() if name.startswith("baseline-")}
        return {name.removeprefix("baseline-"): values for name, values in sorted(files.items()) if values}


def _values(file: Any) -> dict[str, float]:
    try:
        return {str(key): float(value) for key, value in read_json(file).items()}
    except FileNotFoundError:
        return {}
