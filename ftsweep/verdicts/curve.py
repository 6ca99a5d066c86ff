"""A trial's losses by rung, and the statistics that verdicts are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.scores import FEW_CLUSTERS

if TYPE_CHECKING:
    import numpy as np

VALIDATION, PROBE = "validation/loss", "train/loss"
LAST_PART = 0.2  # of a run, over which its last slope is taken
LARGEST_Z = 1e6  # where all pairs differ by the same: infinity is no JSON


def standard_error(share: float, num_rows: int) -> float:
    """Of a share of right answers among so many rows."""
    return math.sqrt(max(share * (1 - share), 0.0) / max(num_rows, 1))


def paired_z(left: np.ndarray, right: np.ndarray, clusters: np.ndarray | None = None) -> float | None:
    """Mean difference of paired losses in standard errors; None without pairs. Never beyond 1e6 either way.

    clusters: as `EncodedSplit.clusters`; the error is then the one of their sums (Liang and Zeger 1986), of few
    clusters at least that of the rows.
    """
    if len(left) != len(right) or len(left) < 2:
        return None
    difference = left.astype("float64") - right.astype("float64")
    mean, error = float(difference.mean()), float(difference.std(ddof=1)) / math.sqrt(len(difference))
    sums = _cluster_sums(difference - mean, clusters)
    if sums is not None:
        least = error if len(sums) < FEW_CLUSTERS else 0.0
        error = max(least, math.sqrt(len(sums) / (len(sums) - 1) * float((sums**2).sum())) / len(difference))
    if not math.isfinite(mean) or not math.isfinite(error):
        return None
    if error == 0.0:
        return 0.0 if mean == 0.0 else math.copysign(LARGEST_Z, mean)
    return max(-LARGEST_Z, min(LARGEST_Z, mean / error))


def _cluster_sums(values: np.ndarray, clusters: np.ndarray | None) -> np.ndarray | None:
    """The sum over every cluster; None where rows stand for themselves, or all are of one."""
    import numpy as np

    if clusters is None or not len(clusters):
        return None
    codes = np.unique(clusters, return_inverse=True)[1]
    return np.bincount(codes, values) if codes.any() else None


@dataclass(frozen=True)
class PairedTests:
    """Paired z statistics over the validation rows: how far the loss of one rung lies above that of the best."""

    z_start: float | None = None
    """Of the rung before training; None where it was not measured, or rows were not kept."""
    z_end: float | None = None
    """Of the last rung; None where it is the best one, or rows were not kept."""


NO_TESTS = PairedTests()


@dataclass(frozen=True)
class FitCurve:
    """Losses by rung, with what the rules ask of them. Rungs ascend; the first is 0 when the start was measured."""

    measurements: tuple[Measurement, ...]
    validation: tuple[float, ...]
    probe: tuple[float, ...]
    tests: PairedTests = NO_TESTS

    @classmethod
    def of(cls, measurements: Sequence[Measurement], tests: PairedTests | None = None) -> FitCurve | None:
        """None when nothing was measured after the start, or losses of validation or train are absent."""
        measured = tuple(each for each in measurements if VALIDATION in each.values and PROBE in each.values)
        if not any(each.rung > 0 for each in measured):
            return None
        validation = tuple(each.values[VALIDATION] for each in measured)
        probe = tuple(each.values[PROBE] for each in measured)
        return cls(measured, validation, probe, tests or NO_TESTS)

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
    def gap_of_start(self) -> float:
        """How far train loss lies below validation loss at t*, relative to the validation loss before training."""
        start = self.validation[0]
        return (self.validation_at(self.best) - self.probe_at(self.best)) / start if start > 0 else 0.0

    @property
    def generalisation_loss(self) -> float:
        """GL of the last rung, in % (Prechelt 1998)."""
        lowest = self.validation_at(self.best)
        return 100 * (self.validation[-1] / lowest - 1) if lowest > 0 else 0.0

    @property
    def last_slope(self) -> float | None:
        """The relative fall of the validation loss over the last fifth of the run; None with too few rungs."""
        return self._last_fall(VALIDATION)

    @property
    def last_share(self) -> float:
        """Of all that the train loss fell, the share of the last fifth of the run; 0 where it did not fall."""
        slope, total = self._last_fall(PROBE), self.probe[0] - self.probe[-1]
        if slope is None or slope <= 0 or total <= 0 or not self.has_start:
            return 0.0
        return self.probe[-1] * slope / (1 - slope) / total

    def _last_fall(self, key: str) -> float | None:
        before = [each for each in self.measurements if 0 < each.rung <= (1 - LAST_PART) * self.end + 1e-9]
        if not before:
            return None
        loss, end = before[-1].values[key], self.measurements[-1].values[key]
        return (loss - end) / loss if loss > 0 else None

    @property
    def text(self) -> str:
        """The fall and the gap in words."""
        gap = self.gap(self.best)
        fell = (
            f"validation loss fell by {100 * self.progress:.1f} %" if self.has_start else "validation loss was measured"
        )
        return fell + (f"; train loss lies {100 * gap:.1f} % below it" if gap is not None and gap > 0 else "")

    def numbers(self) -> dict[str, float]:
        """What the rules looked at, by the names the docs use."""
        found: dict[str, float | None] = {
            "best_rung": float(self.best),
            "validation_loss": self.validation_at(self.best),
            "progress": self.progress if self.has_start else None,
            "gap": self.gap(self.best),
            "generalisation_loss": self.generalisation_loss,
            "z_end": self.tests.z_end,
            "z_start": self.tests.z_start,
            "last_slope": self.last_slope,
            "last_share": self.last_share,
        }
        return {name: value for name, value in found.items() if value is not None}
