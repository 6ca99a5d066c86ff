"""What a guard of the data promises: it looks at a data set before the first trial, and says what it saw in numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from ftsweep.data.base import Row
from ftsweep.domain.finding import Finding, Severity
from ftsweep.domain.guard import Guard
from ftsweep.errors import ConfigError

if TYPE_CHECKING:
    from ftsweep.data.inspection import DataView

Mode = Literal["refuse", "fix", "allow", "off"]
"""`refuse`: by the guard's thresholds. `fix`: leave the rows of train that cause it out, then as `refuse`. `allow`:
only say it. `off`: do not look."""

NUM_EXAMPLES = 5
"""Places that one finding names."""


@dataclass(frozen=True)
class Sighting:
    """One thing that a guard saw, before anybody judges it. Rows are named by their place in their split."""

    what: str
    """In words, with the numbers: `21 of 400 rows of validation stand in train too`."""
    count: int
    num_rows: int
    """Of so many; the rate that thresholds are about is `count` by this."""
    examples: tuple[str, ...] = ()
    remedy: str = ""
    override: str = ""
    """An override outside of the guard that acts on it: `task.max_length=256`."""
    severity: Severity | None = None
    """For a guard that judges by something else than a rate."""
    flagged: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Held-out rows that train gives away, or whose labels look wrong, by split: their scores are told apart."""
    train_rows: Sequence[int] = ()
    """Rows of train that `fix` leaves out."""

    @property
    def rate(self) -> float:
        return self.count / self.num_rows if self.num_rows else 0.0


class DataGuard(Guard, ABC):
    """One check of a data set. The constructor's keyword-only arguments are the schema of its node under `guards`.

    A subclass takes `mode` and hands its thresholds on; a threshold of None is never crossed. Importing its module must
    not import torch.
    """

    modes = get_args(Mode)

    can_fix: ClassVar[bool] = False
    """Whether leaving rows of train out mends what it finds."""

    least_to_refuse: ClassVar[int] = 1
    """Of fewer rows than these it warns, whatever their share: one row of a small split may be chance."""

    finds_leaks: ClassVar[bool] = False
    """Whether what it finds are held-out rows that train gives away."""

    def __init__(
        self, *, mode: Mode = "refuse", warn_above: float | None = None, refuse_above: float | None = None
    ) -> None:
        super().__init__(mode)
        if mode == "fix" and not self.can_fix:
            what = "no row of train can be left out to mend this"
            raise ConfigError(what, where="mode", remedy="Use refuse, allow or off.")
        for name, value in (("warn_above", warn_above), ("refuse_above", refuse_above)):
            is_share = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
            if value is not None and not is_share:
                raise ConfigError(f"{value!r} is not a share", where=name, remedy="Use 0 to 1, or null for never.")
        self.warn_above = warn_above
        self.refuse_above = refuse_above

    @abstractmethod
    def look(self, data: DataView) -> Iterable[Sighting]:
        """What it sees; nothing for clean data, or data that it has nothing to say about.

        Looking twice at the same data must give the same.
        """

    def judge(self, name: str, sighting: Sighting) -> Finding:
        """The sighting as a finding of the guard of this name, by its mode and thresholds."""
        severity = sighting.severity or self._severity(sighting)
        is_allowed = self.mode == "allow" and severity is Severity.REFUSE
        if is_allowed:
            severity = Severity.WARN
        override = sighting.override
        if self.can_fix and sighting.train_rows and self.mode != "fix":
            override = f"guards.{name}=fix"
        if severity is Severity.REFUSE and not override:
            override = f"guards.{name}=allow"
        return Finding(
            check=name,
            severity=severity,
            message=sighting.what + (f", allowed by guards.{name}=allow" if is_allowed else ""),
            count=sighting.count,
            rate=sighting.rate,
            examples=sighting.examples,
            remedy=sighting.remedy,
            override="" if severity is Severity.NOTE else override,
        )

    def judge_fixed(self, name: str, sightings: Sequence[Sighting], num_left_out: int, num_train: int) -> Finding:
        """What it says once the rows of train that it saw have been left out; a warning where these are most of it."""
        rows, is_most = "1 row" if num_left_out == 1 else f"{num_left_out} rows", 2 * num_left_out > num_train
        return Finding(
            check=name,
            severity=Severity.WARN if is_most else Severity.NOTE,
            message=f"{rows} of train left out (guards.{name}=fix), because "
            + "; ".join(sighting.what for sighting in sightings)
            + (f". What is left are {num_train - num_left_out} rows" if is_most else ""),
            count=num_left_out,
            examples=sightings[0].examples,
            remedy="Use other splits, or rows without what is left out" if is_most else "",
        )

    def _severity(self, sighting: Sighting) -> Severity:
        is_much = self.refuse_above is not None and sighting.rate > self.refuse_above
        if is_much and sighting.count >= self.least_to_refuse:
            return Severity.REFUSE
        is_some = is_much or (self.warn_above is not None and sighting.rate > self.warn_above)
        return Severity.WARN if is_some else Severity.NOTE


def places(rows: Sequence[Row], numbers: Iterable[int]) -> tuple[str, ...]:
    """Where the first few of these rows are found."""
    return tuple(rows[number].place for number in list(numbers)[:NUM_EXAMPLES])


def of_rows(count: int, num_rows: int, split: str) -> str:
    """`21 of 400 rows of validation (5.2 %)`."""
    return f"{count} of {num_rows} rows of {split} ({percent(count / num_rows if num_rows else 0.0)})"


def percent(rate: float) -> str:
    """`5.2 %`; of small rates enough digits to tell them from nothing."""
    return f"{100 * rate:.2g} %" if 0 < rate < 0.01 else f"{100 * rate:.1f} %"
