"""What makes two runs the same study, as a value that can be stored and compared."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Choice, Dimension, FloatInterval, IntInterval

FREE = "guards.fit"
"""What of a branch's configuration may change: the judge of fits changes nothing in a trial."""

_PLACE = re.compile(r"(?:.*\.)?(?:data|general)\.(?:train|validation|test)")
"""Where a split's files lie. What is in them is held against the fingerprint that the study keeps."""

_TOLD = ("objective", "rungs", "seed")  # a branch's configuration repeats them
_KINDS: dict[str, Any] = {kind.__name__: kind for kind in (Choice, IntInterval, FloatInterval)}


@dataclass(frozen=True)
class BranchTerms:
    """One whole approach: its configuration as written, plain JSON, and the dimensions of its space by path."""

    config: Mapping[str, Any] = field(default_factory=dict)
    space: Mapping[str, Dimension] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyTerms:
    """Everything that must not change between two runs of one study, but for what `changes` leaves out."""

    objective: Objective
    num_rungs: int
    seed: Mapping[str, int]
    branches: Mapping[str, BranchTerms]
    """By label."""
    train_rows: int | None = None
    """How many rows of train are measured at a rung; None: as many as validation has."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        branches = {
            label: {
                "config": branch.config,
                "space": {path: dimension_to_dict(dimension) for path, dimension in branch.space.items()},
            }
            for label, branch in self.branches.items()
        }
        told = {
            "objective": self.objective.to_dict(),
            "metrics": {name: metric.to_dict() for name, metric in self.objective.metrics.items()},
            "rungs": self.num_rungs,
            "rungs.train_rows": self.train_rows,
            "seed": self.seed,
            "branches": branches,
        }
        plain: dict[str, Any] = json.loads(json.dumps(told, default=list))
        return plain

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> StudyTerms:
        branches = {
            str(label): BranchTerms(
                dict(branch["config"]),
                {str(path): dimension_from_dict(each) for path, each in branch["space"].items()},
            )
            for label, branch in data["branches"].items()
        }
        train_rows = data.get("rungs.train_rows")
        return cls(Objective.of_study(data), int(data["rungs"]), dict(data["seed"]), branches, train_rows)


@dataclass(frozen=True)
class Change:
    """One thing that is not what it was: its dotted name, and in words what became of it."""

    path: str
    what: str

    @property
    def text(self) -> str:
        return f"{self.path} {self.what}"


def changes(old: StudyTerms, new: StudyTerms) -> list[Change]:
    """What keeps two runs from being the same study; [] where they are."""
    return list(_differences("", _flat(old), _flat(new)))


def dimension_to_dict(dimension: Dimension) -> dict[str, Any]:
    return {"kind": type(dimension).__name__, **asdict(dimension)}


def dimension_from_dict(data: Mapping[str, Any]) -> Dimension:
    values = {key: tuple(value) if key == "values" else value for key, value in data.items() if key != "kind"}
    dimension: Dimension = _KINDS[data["kind"]](**values)
    return dimension


def _flat(terms: StudyTerms) -> dict[str, Any]:
    """As a tree whose leaves are compared; dimensions are leaves."""
    plain = terms.to_dict()
    del plain["metrics"]  # what the tasks say of themselves
    for label in terms.branches:
        own = plain["branches"][label]
        space = {path: dimension_from_dict(each) for path, each in own["space"].items()}
        config = {key: node for key, node in own["config"].items() if key not in _TOLD}
        plain["branches"][label] = {"config": config, "space": space}
    return plain


def is_moved(path: str, old: Any, new: Any) -> bool:
    """Whether a setting says where data lies, then and now: a project may be moved."""
    return _PLACE.fullmatch(path) is not None and all(isinstance(each, str | list) for each in (old, new))


def _differences(path: str, old: Any, new: Any) -> Iterator[Change]:
    if path.endswith(f".config.{FREE}"):
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys(), key=str):
            yield from _differences(f"{path}.{key}" if path else str(key), old.get(key), new.get(key))
    elif isinstance(old, Mapping | Dimension) and new is None:
        yield Change(path, "is gone")
    elif old is None and isinstance(new, Mapping | Dimension):
        yield Change(path, "is new")
    elif old != new and not is_moved(path, old, new):
        yield Change(path, f"was {_shown(old)}, is now {_shown(new)}")


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, Dimension) else repr(value)
