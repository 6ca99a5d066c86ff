"""What was said of a whole study, on disk, so that a later process can say it again. Trials have their own folders."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ftsweep.domain.objective import Objective
from ftsweep.recording.base import ChosenModel, StudyFacts
from ftsweep.store.atomic import read_json, write_json
from ftsweep.store.folders import StudyFolder


@dataclass(frozen=True)
class Journal:
    """The study-wide calls of a recorder, merged: the last facts, all tags and metrics, files, the chosen model."""

    facts: StudyFacts
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    files: Sequence[Path] = ()
    model: ChosenModel | None = None

    @classmethod
    def read(cls, folder: StudyFolder) -> Journal | None:
        """The journal in a study's folder; None when nothing was ever recorded."""
        file = _file(folder)
        if not file.exists():
            return None
        data = read_json(file)
        facts = {**data["facts"], "folder": folder, "objective": Objective(**data["facts"]["objective"])}
        model = data["model"] and ChosenModel(**{**data["model"], "folder": folder.path / data["model"]["folder"]})
        files = tuple(folder.path / name for name in data["files"])
        return cls(StudyFacts(**facts), data["tags"], data["metrics"], files, model)

    def with_tags(self, tags: Mapping[str, str], metrics: Mapping[str, float]) -> Journal:
        return replace(self, tags={**self.tags, **tags}, metrics={**self.metrics, **metrics})

    def with_files(self, files: Sequence[Path]) -> Journal:
        return replace(self, files=tuple(dict.fromkeys([*self.files, *files])))

    def write(self) -> Journal:
        facts = {**vars(self.facts), "folder": None, "objective": self.facts.objective.to_dict()}
        root = self.facts.folder.path
        model = self.model and {**vars(self.model), "folder": _place(self.model.folder, root)}
        data: dict[str, Any] = {
            "facts": facts,
            "tags": self.tags,
            "metrics": self.metrics,
            "files": [_place(file, root) for file in self.files],
            "model": model,
        }
        write_json(_file(self.facts.folder), json.loads(json.dumps(data, default=_plain)))
        return self


def _place(path: Path, root: Path) -> str:
    """A path within the study's folder from there, so that it holds in a store that is moved."""
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _file(folder: StudyFolder) -> Path:
    return folder.path / "journal.json"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, Sequence) else str(value)
