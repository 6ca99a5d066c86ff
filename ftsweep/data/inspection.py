"""What guards look at, and what they answer: the seam between preparing data and the checks of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ftsweep.data.base import DataSource, Row, TaskEncoding
from ftsweep.data.cut_lengths import CutAt
from ftsweep.data.encoding import EncodingReport
from ftsweep.data.likeness.alike import Likeness, Overlap
from ftsweep.data.likeness.texts import Texts
from ftsweep.domain.finding import Finding


@dataclass(frozen=True)
class DataView:
    """All there is to know of a data set right before its first use. Rows are named by their place in a split."""

    task: TaskEncoding
    source: DataSource
    rows: Mapping[str, Sequence[Row]]
    """The usable rows by split; `train` and `validation` always, `test` where there is one."""
    ids: Mapping[str, np.ndarray]
    """The numbers that the rows of each split have in `texts`."""
    texts: Texts
    origin: Mapping[str, str]
    """Who made each split: `named` by the user, or `ftsweep`."""
    left_out: Mapping[str, Sequence[tuple[Row, str]]]
    """Rows that nothing can be learned or measured from, with the reason. They are in no split."""
    encoding: EncodingReport
    seed: int = 0
    lengths: Sequence[CutAt] = ()
    """What is still cut at greater lengths that the model takes, in their order."""
    memo: dict[str, Any] = field(default_factory=dict)
    """What one guard has computed and another needs too."""

    @property
    def held_out(self) -> tuple[str, ...]:
        """The splits that measure."""
        return tuple(name for name in self.rows if name != "train")

    @property
    def has_classes(self) -> bool:
        """Whether every row has exactly one label of a few."""
        return self.task.label_shape == "example" and self.task.label_type == "int"

    def labels(self, split: str) -> list[str]:
        """The class of every row of a split; for tasks with classes."""
        return [self.task.stratum(row.values) or "" for row in self.rows[split]]

    def inputs(self, split: str) -> list[str]:
        """The input of every row of a split."""
        return [self.texts.inputs[number] for number in self.ids[split]]


@dataclass
class Inspection:
    """What the guards say of a view."""

    findings: list[Finding] = field(default_factory=list)
    flagged: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    """Held-out rows that train gives away, or whose labels look wrong, by split and guard."""
    leave_out: set[int] = field(default_factory=set)
    """Rows of train that guards with `mode: fix` want left out."""
    fixed: list[Finding] = field(default_factory=list)
    """What those guards say of it once that has been done."""

    def flagged_by(self, guard: str, split: str) -> list[int]:
        """Rows of a held-out split that this guard flagged."""
        return self.flagged.get(split, {}).get(guard, [])


class Gate(Protocol):
    """All guards of a data set (`ftsweep.guards.gate.DataGate`)."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The guards' nodes, by name: with other settings they may see and leave out something else."""

    @property
    def likeness(self) -> Likeness | None:
        """When rows are near-duplicates, which a split made by ftsweep keeps together; None when nobody asks."""

    @property
    def overlap(self) -> Overlap | None:
        """The same of rows that consist of others' passages."""

    def inspect(self, view: DataView) -> Inspection: ...
