"""The loss of every example at every rung of a trial, on disk: what paired statistics between rungs and trials need."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

_EMPTY = np.empty(0, np.float32)


@dataclass(frozen=True)
class RungLosses:
    """Losses of validation and of the train probe at one rung, per example in a fixed order, summed over its units.

    All float32; `units` (int32) are how many supervised units each validation example has.
    """

    validation: np.ndarray = field(default_factory=lambda: _EMPTY)
    train: np.ndarray = field(default_factory=lambda: _EMPTY)
    units: np.ndarray = field(default_factory=lambda: np.empty(0, np.int32))


def write_losses(folder: Path, rung: int, losses: RungLosses) -> None:
    """Keep a rung's losses in the trial's folder, whole or not at all; a second time changes nothing."""
    path = _path(folder, rung)
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with open(temporary, "wb") as file:
        np.savez(file, validation=losses.validation, train=losses.train, units=losses.units)
    os.replace(temporary, path)


def read_losses(folder: Path, rung: int) -> RungLosses | None:
    """A rung's losses; None when there are none, or none that can be read (they are evidence, not state)."""
    try:
        with np.load(_path(folder, rung), allow_pickle=False) as arrays:
            return RungLosses(arrays["validation"], arrays["train"], arrays["units"])
    except (OSError, ValueError, KeyError, EOFError):
        return None


def _path(folder: Path, rung: int) -> Path:
    return folder / "losses" / f"{rung:03d}.npz"
