"""`study.json`: what a study is, as every command but the one that begins it reads it. Written whole, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ftsweep.domain.space import UNNAMED, Branch, Space
from ftsweep.domain.terms import StudyTerms
from ftsweep.errors import UsageError
from ftsweep.store.atomic import read_json, understood, write_json

FORMAT = 4
"""Counts up when a study of an earlier version can no longer be gone on with or read. 1 had no number."""


@dataclass(frozen=True)
class Extension:
    """How a study's space has changed so far."""

    generation: int = 1
    """The study is called `<study>@<generation>` in Optuna's database, from 2 on."""
    set_aside: Mapping[str, str] = field(default_factory=dict)
    """Trials that do not lie in the space, by number, each with the reason."""
    again: tuple[int, ...] = ()
    """Trials that lead now and whose weights were removed: they are run again."""
    num_kept: int = 0
    """How many trials the study had in the new space when it changed last."""
    is_settled: bool = True
    """Whether folders and database are in line with it."""

    @property
    def text(self) -> str:
        """What became of the trials, for a person; "" before any change."""
        if self.generation == 1:
            return ""
        gone = "".join(f" Trial {number} was set aside: {why}." for number, why in self.set_aside.items())
        again = f" Run again, for their weights were removed: {', '.join(map(str, self.again))}." if self.again else ""
        count = "1 earlier trial lies" if self.num_kept == 1 else f"{self.num_kept} earlier trials lie"
        return f"The space has changed; {count} in it.{gone}{again}"


@dataclass(frozen=True)
class StudyManifest:
    """A study's terms, how its space has changed, and what commands that look at it need of its configuration."""

    study: str
    terms: StudyTerms
    num_trials: int
    """Its budget."""
    sweep_file: str = ""
    overrides: tuple[str, ...] = ()
    """What the command line that began the study, or went on with it last, said beside the sweep file."""
    budget: Mapping[str, Any] = field(default_factory=dict)
    selection: Mapping[str, Any] = field(default_factory=dict)
    pruner: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    allow: tuple[str, ...] = ()
    search_folders: tuple[Path, ...] = ()
    extension: Extension = Extension()

    @property
    def branches(self) -> list[Branch]:
        """The study's branches with their spaces; what only their strategies know (roles) is not told here."""
        terms = self.terms.branches
        is_one = list(terms) == [UNNAMED]
        return [Branch("" if is_one else label, own.config, Space(dict(own.space))) for label, own in terms.items()]

    @classmethod
    def read(cls, file: Path) -> StudyManifest:
        """What `write` wrote.

        Raises:
            UsageError: another version of ftsweep began the study.
            DamagedFileError: the file holds something else.
        """
        with understood(file):
            data = dict(read_json(file))
            _check_format(data.get("format", 1), file)
            changed = dict(data["extension"])
            extension = Extension(**{**changed, "again": tuple(changed["again"])})
            return cls(
                study=str(data["study"]),
                terms=StudyTerms.from_dict(data),
                num_trials=int(data["budget"]["trials"]),
                sweep_file=str(data["sweep_file"]),
                overrides=tuple(data["overrides"]),
                budget=dict(data["budget"]),
                selection=dict(data["selection"]),
                pruner=dict(data["pruner"]),
                report=dict(data["report"]),
                allow=tuple(data["allow"]),
                search_folders=tuple(Path(folder) for folder in data["search_folders"]),
                extension=extension,
            )

    def write(self, file: Path) -> None:
        """Whole or not at all."""
        write_json(
            file,
            {
                "format": FORMAT,
                "study": self.study,
                "sweep_file": self.sweep_file,
                "overrides": list(self.overrides),
                **self.terms.to_dict(),
                "budget": dict(self.budget),
                "selection": dict(self.selection),
                "pruner": dict(self.pruner),
                "report": dict(self.report),
                "allow": list(self.allow),
                "search_folders": [str(folder) for folder in self.search_folders],
                "extension": asdict(self.extension),
            },
        )


def _check_format(found: Any, file: Path) -> None:
    if found == FORMAT:
        return
    age = "an older" if isinstance(found, int) and found < FORMAT else "a newer"
    raise UsageError(
        f"study {file.parent.name!r} was begun by {age} version of ftsweep, and this one neither goes on with it nor "
        "reads it; nothing in its folder was touched",
        where=str(file),
        remedy="To finish it or look at it, install that version again and give the same command there; or begin a "
        "study of this version under a name of its own with study.name=...",
    )
