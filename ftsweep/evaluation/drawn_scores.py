"""Scores of several draws of few examples: kept on disk as they come, and put together at the end."""

from __future__ import annotations

import base64
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ftsweep.evaluation.evaluate import SplitScores
from ftsweep.store.atomic import append_line, read_lines

_ARRAYS = ("losses", "units", "scores", "clusters")

SPREAD = "_spread"
"""Behind a metric's name: its standard deviation over draws and orders."""


@dataclass(frozen=True)
class DrawnScores:
    """What one draw (in one order) came to on validation, and what it cost."""

    draw: int
    order: int
    examples: list[int]
    """Indices of the train examples, in the order in which they stand or were drawn."""
    values: dict[str, float]
    losses: np.ndarray
    units: np.ndarray
    scores: np.ndarray
    clusters: np.ndarray
    seconds: float
    num_examples: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What else must be known to use this draw again, as JSON."""

    @property
    def key(self) -> tuple[int, int]:
        return self.draw, self.order


def draw_seeds(config: Mapping[str, Any]) -> tuple[int, int]:
    """What draws follow: `seed.data`, and `seed.model`, so that a trial run again with a fresh one draws anew."""
    return config["seed"]["data"], config["seed"]["model"]


def write_drawn(folder: Path, scores: DrawnScores) -> None:
    """Append one draw's scores; on disk before this returns, so that a killed trial does not compute them again."""
    append_line(_file(folder), {**vars(scores), **{name: _packed(getattr(scores, name)) for name in _ARRAYS}})


def read_drawn(folder: Path) -> dict[tuple[int, int], DrawnScores]:
    """The draws that a trial's folder has, by (draw, order); {} for a trial of another kind."""
    found = {}
    for line in read_lines(_file(folder)):
        scores = DrawnScores(**{**line, **{name: _unpacked(line[name]) for name in _ARRAYS}})
        found[scores.key] = scores
    return found


def mean_scores(drawn: Sequence[SplitScores]) -> SplitScores:
    """The mean of every metric and of every example's loss over draws.

    Details are those of the first draw, whose model is the one that is exported, and `draws`: all draws' metrics.
    """
    return SplitScores(
        values={name: math.fsum(each.values[name] for each in drawn) / len(drawn) for name in _shared(drawn)},
        losses=np.stack([each.losses for each in drawn]).mean(axis=0, dtype=np.float64).astype(np.float32),
        units=drawn[0].units,
        details={**drawn[0].details, "draws": [dict(each.values) for each in drawn]},
        clusters=drawn[0].clusters,
        draws=tuple(drawn),
    )


def spreads(drawn: Sequence[SplitScores]) -> dict[str, float]:
    """Each metric's sample standard deviation over draws, as `<metric>_spread`; {} of a single draw."""
    if len(drawn) < 2:
        return {}
    numbers = {name: [each.values[name] for each in drawn] for name in _shared(drawn)}
    return {
        name + SPREAD: statistics.stdev(values) if all(map(math.isfinite, values)) else math.nan
        for name, values in numbers.items()
    }


def _shared(drawn: Sequence[SplitScores]) -> list[str]:
    """The metrics that all have: a score of answers may be missing."""
    return [name for name in drawn[0].values if all(name in each.values for each in drawn)]


def as_split_scores(scores: DrawnScores) -> SplitScores:
    return SplitScores(scores.values, scores.losses, scores.units, {}, scores.scores, scores.clusters)


def _file(folder: Path) -> Path:
    return folder / "draws.jsonl"


def _packed(array: np.ndarray) -> dict[str, Any]:
    """An array as JSON: its shape and type, and its bytes in base64."""
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"shape": list(array.shape), "type": array.dtype.name, "data": data}


def _unpacked(packed: Mapping[str, Any]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed["data"]), dtype=packed["type"]).reshape(packed["shape"])
