"""What a metric is: which way is better, between what it lies, and what may be said by it. A task declares its own."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import asdict, dataclass, replace
from numbers import Real
from typing import Any, Literal

Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True)
class Metric:
    """One number that a task scores a split by."""

    direction: Direction
    """The direction in which it gets better."""
    low: float | None = None
    high: float | None = None
    """Between these it lies; None where nothing bounds it."""
    is_share: bool = False
    """A share of right answers p, so that sqrt(p (1 - p) / n) of n rows is its standard error; of F1 roughly so."""
    is_readable: bool = False
    """A person reads it more easily than a loss: it is told in the place of one."""
    compares_parts: bool = True
    """Whether parts of a split can be compared by it; not when few rows have it otherwise than many: classes
    are missing among them, or numbers spread less."""
    is_generated: bool = False
    """Whether it is made of generated answers, which not every rung has."""
    is_per_token: bool = False
    """Whether it is about the tokens of a text: models that split it into others are not compared by it."""
    depends_on: tuple[str, ...] = ()
    """Settings of the task that change what it says: trials that differ in one of them are not compared by it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "depends_on", tuple(self.depends_on))  # of JSON it is a list

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lies_outside(self, value: float) -> str:
        """Which bound a value breaks by more than rounding, in words; "" for none, and for NaN."""
        slack = 1e-6 * max(1.0, abs(value))
        if self.low is not None and value < self.low - slack:
            return f"below the {self.low:g} that its Metric has as `low`"
        if self.high is not None and value > self.high + slack:
            return f"above the {self.high:g} that its Metric has as `high`"
        return ""

    def cannot_reach(self, target: float) -> str:
        """Why no model comes to this value; "" when one may."""
        if self.direction == "maximize" and self.high is not None and target > self.high:
            return f"is at most {self.high:g}"
        if self.direction == "minimize" and self.low is not None and target <= self.low:
            return f"stays above {self.low:g}"
        return ""


def right_answers(*, is_readable: bool = False, compares_parts: bool = True) -> Metric:
    """A share of right answers, between 0 and 1."""
    return Metric("maximize", 0, 1, is_share=True, is_readable=is_readable, compares_parts=compares_parts)


LOSS = Metric("minimize", low=0)
BITS_PER_BYTE = Metric("minimize", low=0)
"""What a text costs, over its length: comparable between models that split it into other tokens."""

Metrics = Mapping[str, Metric]
"""By name, the best known first: where several would do, words are about the first."""


def dependent(metrics: Metrics, *names: str) -> Metrics:
    """The metrics where each depends on these settings of the task, too."""
    return {key: replace(metric, depends_on=(*metric.depends_on, *names)) for key, metric in metrics.items()}


def readable(metrics: Metrics, among: Container[str]) -> str | None:
    """The metric that is told in the place of a loss, of those that were measured; None without one."""
    return next((name for name, metric in metrics.items() if metric.is_readable and name in among), None)


def of_right_answers(metrics: Metrics, among: Container[str]) -> str | None:
    """The best known share of right answers of those that were measured; None without one."""
    return next((name for name, metric in metrics.items() if metric.is_share and name in among), None)


def comparing_parts(metrics: Metrics, among: Container[str]) -> str | None:
    """The metric by which parts of a split are compared in words; None when only a loss is left."""
    told = {name: metric for name, metric in metrics.items() if metric.is_share or metric.is_readable}
    return next((name for name, metric in told.items() if metric.compares_parts and name in among), None)


def as_float(value: Any) -> float | None:
    """A real number of Python, numpy or torch as a float; None where it is none."""
    plain = value.item() if getattr(value, "ndim", None) == 0 else value
    return float(plain) if isinstance(plain, Real) else None
