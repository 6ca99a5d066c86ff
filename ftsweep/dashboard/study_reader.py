"""A study's folder as a `StudyState` that is brought up to date: a look reads what is new, and no more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ftsweep.dashboard.runs_reader import RunsReader
from ftsweep.dashboard.trial_reader import Stamp, stamp_of
from ftsweep.domain.study_state import StudyState
from ftsweep.domain.trial import TrialRecord
from ftsweep.domain.verdict import Verdict
from ftsweep.report.overview import StudyOverview
from ftsweep.report.settings import Settings, read_settings
from ftsweep.report.study_fit import judged_study
from ftsweep.store.atomic import read_json, understood
from ftsweep.store.folders import StudyFolder
from ftsweep.store.manifest import StudyManifest
from ftsweep.store.phases import phases_file, read_phases
from ftsweep.store.result import read_result, result_file
from ftsweep.store.study_state import made_state


@dataclass
class StudyReader:
    """Reads one study again and again. Not for several threads at once."""

    folder: StudyFolder
    version: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    """Counts up whenever a look found something new, from the milliseconds since 1970: a page that outlives a dashboard
    takes nothing of the next one for what it has."""
    state: StudyState | None = None
    _overview: tuple[int, StudyOverview] | None = None
    _files: dict[str, tuple[Stamp | None, Any]] = field(default_factory=dict)
    _is_running: bool = False
    _judged: tuple[Any, tuple[Verdict, ...]] = (None, ())
    """Verdicts on the search, and what they were made of: trials, and how those ended."""

    def __post_init__(self) -> None:
        self.trials = RunsReader(str(self.folder.path / "trials"))
        self.fresh = RunsReader(str(self.folder.confirmations))

    def look(self) -> StudyState:
        """The study as it is now.

        Raises:
            FileNotFoundError: there is no such study, or its folder is gone.
            DamagedFileError: a file of the study holds something else.
        """
        if not self.folder.sweep_file.exists():
            raise FileNotFoundError(self.folder.path)
        has_news = self.trials.look() | self.fresh.look() | self._look_at_bases()
        manifest, is_new = self._file("manifest", self.folder.manifest_file, self._read_manifest)
        has_news |= is_new
        result, is_new = self._file("result", result_file(self.folder), lambda: read_result(self.folder))
        has_news |= is_new
        _, is_new = self._file("phases", phases_file(self.folder), lambda: read_phases(self.folder))
        has_news |= is_new
        is_running = self.folder.is_running
        if is_running != self._is_running:  # whoever goes on with it may judge ended trials again
            has_news = True
            self.trials.doubt()
        if has_news or self.state is None:
            self._is_running = is_running
            readers = self.trials.readers
            records = [each.record for each in readers if each.record is not None]
            self.state = made_state(
                self.folder,
                manifest[0],
                result,
                baselines=self._baselines(),
                trials=records,
                verdicts={each.record.number: each.verdicts for each in readers if each.record and each.verdicts},
            )
            self.version += 1
        return self.state

    def overview(self) -> StudyOverview:
        """What a report shows of the study, as of the last look."""
        assert self.state is not None, "look first"
        if self._overview is None or self._overview[0] != self.version:
            settings: Settings = self._files["manifest"][1][1]
            known = {trial.number: trial for trial in self._overview[1].trials} if self._overview else {}
            found = StudyOverview(
                self.state,
                settings,
                self._verdicts(self.state, settings),
                folder=self.folder,
                fresh=tuple(_records(self.fresh)),
                phases=self._files["phases"][1],
                known=known,
            )
            found = found.with_settings_of(self._overview[1]) if self._overview else found
            self._overview = (self.version, found)
        return self._overview[1]

    def _verdicts(self, state: StudyState, settings: Settings) -> tuple[Verdict, ...]:
        """Made anew when a trial began or ended, or another one is the best: that takes long of thousands."""
        made_of = ([trial.outcome for trial in state.trials], state.best, state.result, settings)
        if self._judged[0] != made_of:
            self._judged = (made_of, tuple(judged_study(state, settings)))
        return self._judged[1]

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

    def _look_at_bases(self) -> bool:
        names = [name for name in self.trials.others if name.startswith("baseline-")]
        gone = [name for name in self._files if name.startswith("baseline-") and name not in names]
        for name in gone:
            del self._files[name]
        has_news = bool(gone)
        for name in names:
            file = self.folder.path / "trials" / name / "baseline.json"
            has_news |= self._file(name, file, lambda file=file: _values(file))[1]
        return has_news

    def _baselines(self) -> Mapping[str, Mapping[str, float]]:
        files = {name: content for name, (_, content) in self._files.items() if name.startswith("baseline-")}
        return {name.removeprefix("baseline-"): values for name, values in sorted(files.items()) if values}


def _records(runs: RunsReader) -> list[TrialRecord]:
    return [reader.record for reader in runs.readers if reader.record is not None]


def _values(file: Any) -> dict[str, float]:
    try:
        with understood(file):
            return {str(key): float(value) for key, value in read_json(file).items()}
    except FileNotFoundError:
        return {}
