"""How long what comes after the search takes: runs with fresh seeds, test and export. Guesses, rather too long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any

from ftsweep.analysis.data_scaling import SHARES

BASE_PHASE = "measuring the untouched base of"
"""How the phase begins in which a branch's base is measured."""


def trials_after(selection: Mapping[str, Any], num_trials: int) -> float:
    """Trials' worth of training after a search of so many: the race at most, and the probe of the data's quantity.

    selection: the settings of that name; what is not there is not done.
    """
    seeds = selection.get("seeds", 0)
    race = min(selection.get("budget", 0.0) * num_trials, (selection.get("top", 0) + 1) * seeds)
    parts = [share for share in SHARES if share < 1 or not seeds] if selection.get("quantity") else []
    return float(race + sum(parts) * max(1, seeds))


def ending_seconds(phases: Iterable[tuple[str, float, float]], num_branches: int) -> float:
    """What test and export take. Each loads a model and passes the rows of a split, or writes it, once: it counts as
    long as an untouched base was measured, the median of those that were; 0 before one was.

    Those are the chosen model, of every branch the base, the default setting and the best trial, the flagged rows,
    and the export.
    """
    measured = [end - begin for phase, begin, end in phases if phase.startswith(BASE_PHASE)]
    return median(measured) * (3 * num_branches + 2) if measured else 0.0
