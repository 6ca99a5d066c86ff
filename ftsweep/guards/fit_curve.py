"""A trial's losses by rung, and the statistics that verdicts are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ftsweep.data.rung_losses import RungLosses
from ftsweep.domain.measurement import Measurement

VALIDATION, PROBE = "validation/loss", "train/loss"
LAST_PART = 0.2  # of a run, over which its last slope is taken


def standard_error(share: float, num_rows: int) -> float:
    """Of a share of right answers among so many rows."""
    return math.sqrt(max(share * (1 - share), 0.0) / max(num_rows, 1))


def paired_z(left: np.ndarray, right: np.ndarray) -> float | None:
    """Mean difference of paired losses in standard errors; None without pairs. Infinite where all differ equally."""
    if len(left) != len(right) or len(left) < 2:
        return None
    difference = left.astype(np.float64) - right.astype(np.float64)
    mean, error = float(difference.mean()), float(difference.std(ddof=1)) / math.sqrt(len(difference))
    if error == 0.0:
        return 0.0 if mean == 0.0 else math.copysign(math.inf, mean)
    return mean / error


@dataclass(frozen=True)
class FitCurve:
    """Losses by rung, with what the rules ask of them. Rungs ascend; the first is 0 when the start was measured."""

    measurements: tuple[Measurement, ...]
    validation: tuple[float, ...]
    probe: tuple[float, ...]
    losses: Mapping[int, RungLosses]

    @classmethod
    def of(cls, measurements: Sequence[Measurement], losses: Mapping[int, RungLosses]) -> FitCurve | None:
        """None when nothing was measured after the start, or losses of validation or train are absent."""
        measured = tuple(each for each in measurements if VALIDATION in each.values and PROBE in each.values)
        if not any(each.rung > 0 for each in measured):
            return None
        validation = tuple(each.values[VALIDATION] for each in measured)
        return cls(measured, validation, tuple(each.values[PROBE] for each in measured), losses)

    @property
    def rungs(self) -> tuple[int, ...]:
        return tuple(each.rung for each in self.measurements)

    @property
    def has_start(self) -> bool:
        return self.rungs[0] == 0

    @property
    def start(self) -> int:
        return self.rungs[0]

    @property
    def end(self) -> int:
        return self.rungs[-1]

    @property
    def best(self) -> int:
        """t*: the rung after the start with the lowest validation loss."""
        later = [(loss, rung) for loss, rung in zip(self.validation, self.rungs, strict=True) if rung > 0]
        return min(later)[1]

    @property
    def num_rows(self) -> int:
        """Validation examples, as far as losses were kept; else 1, so that no standard error is too small."""
        return max((len(losses.validation) for losses in self.losses.values()), default=1)

    def measurement(self, rung: int) -> Measurement:
        return self.measurements[self.rungs.index(rung)]

    def validation_at(self, rung: int) -> float:
        return self.validation[self.rungs.index(rung)]

    def probe_at(self, rung: int) -> float:
        return self.probe[self.rungs.index(rung)]

    def progress_at(self, rung: int) -> float:
        return self.measurement(rung).progress

    @property
    def progress(self) -> float:
        """rho: the relative fall of the validation loss from before training to t*."""
        return (self.validation[0] - self.validation_at(self.best)) / self.validation[0] if self.validation[0] else 0.0

    def gap(self, rung: int) -> float | None:
        """g: how far train loss lies below validation loss, relative to the latter."""
        loss = self.validation_at(rung)
        return (loss - self.probe_at(rung)) / loss if loss > 0 else None

    @property
    def generalisation_loss(self) -> float:
        """GL of the last rung, in % (Prechelt 1998)."""
        lowest = self.validation_at(self.best)
        return 100 * (self.validation[-1] / lowest - 1) if lowest > 0 else 0.0

    @property
    def last_slope(self) -> float | None:
        """The relative fall of the validation loss over the last fifth of the run; None with too few rungs."""
        before = [each for each in self.measurements if each.rung > 0 and each.progress <= 1 - LAST_PART + 1e-9]
        if not before:
            return None
        loss = before[-1].values[VALIDATION]
        return (loss - self.validation[-1]) / loss if loss > 0 else None

    def z(self, rung: int, other: int) -> float | None:
        left, right = self.losses.get(rung), self.losses.get(other)
        return None if left is None or right is None else paired_z(left.validation, right.validation)

    def numbers(self) -> dict[str, float]:
        """What the rules looked at, by the names the docs use."""
        found: dict[str, float | None] = {
            "progress": self.progress if self.has_start else None,
            "gap": self.gap(self.best),
            "generalisation_loss": self.generalisation_loss,
            "z_end": self.z(self.end, self.best) if self.end != self.best else None,
            "z_start": self.z(self.start, self.best) if self.has_start else None,
            "last_slope": self.last_slope,
            "best_rung": float(self.best),
        }
        return {name: value for name, value in found.items() if value is not None}
