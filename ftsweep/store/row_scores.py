"""The loss of every example at every rung of a trial, on disk: what paired statistics between rungs and trials need."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from ftsweep.store.atomic import written_file

_EMPTY = np.empty(0, np.float32)
_NO_CLUSTERS = np.empty(0, np.int32)


@dataclass(frozen=True)
class RowEvidence:
    """What a model did on each example of a split, in the split's order.

    `losses` [rows] float32, summed over an example's units; `units` [rows] int32; `scores` [rows, n] float32, what the
    task's other metrics are computed from (`Task.row_scores`), n = 0 where there is nothing; `clusters` as
    `EncodedSplit.clusters`.
    """

    losses: np.ndarray
    units: np.ndarray
    scores: np.ndarray
    clusters: np.ndarray = field(default_factory=lambda: _NO_CLUSTERS)

    @property
    def num_clusters(self) -> int:
        """How many sets of rows there are that have nothing to do with each other."""
        return len(np.unique(self.clusters)) if len(self.clusters) else len(self.losses)

    def part(self, mask: np.ndarray) -> RowEvidence:
        """Of the rows that a mask [rows] chooses."""
        clusters = self.clusters[mask] if len(self.clusters) else self.clusters
        return RowEvidence(self.losses[mask], self.units[mask], self.scores[mask], clusters)


@dataclass(frozen=True)
class RungLosses:
    """Losses of validation and of the train probe at one rung, per example in a fixed order, summed over its units.

    Shapes and types of validation's as in `RowEvidence`; `train` [probe] float32.
    """

    validation: np.ndarray = field(default_factory=lambda: _EMPTY)
    train: np.ndarray = field(default_factory=lambda: _EMPTY)
    units: np.ndarray = field(default_factory=lambda: np.empty(0, np.int32))
    scores: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.float32))
    clusters: np.ndarray = field(default_factory=lambda: _NO_CLUSTERS)

    @property
    def evidence(self) -> RowEvidence:
        """Of the validation split."""
        return RowEvidence(self.validation, self.units, self.scores, self.clusters)


def write_losses(folder: Path, rung: int, losses: RungLosses) -> None:
    """Keep a rung's losses in the trial's folder, whole or not at all; a second time changes nothing."""
    path = _path(folder, rung)
    if path.exists():
        return
    _write(path, **vars(losses))


def read_losses(folder: Path, rung: int) -> RungLosses | None:
    """A rung's losses; None when there are none, or none that can be read (they are evidence, not state)."""
    try:
        with np.load(_path(folder, rung), allow_pickle=False) as arrays:
            return RungLosses(**{each.name: arrays[each.name] for each in fields(RungLosses)})
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def read_validation_losses(folder: Path, rung: int) -> RungLosses | None:
    """As `read_losses`, but of validation the losses and clusters alone: the others are not read."""
    try:
        with np.load(_path(folder, rung), allow_pickle=False) as arrays:
            return RungLosses(validation=arrays["validation"], clusters=arrays["clusters"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def write_evidence(path: Path, evidence: RowEvidence) -> None:
    """Keep what a model did on a split, whole or not at all."""
    _write(path, **vars(evidence))


def _write(path: Path, **arrays: np.ndarray) -> None:
    with written_file(path, is_synced=False) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stub takes its second keyword for these


def _path(folder: Path, rung: int) -> Path:
    return folder / "losses" / f"{rung:03d}.npz"
