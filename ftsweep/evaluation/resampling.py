"""How sure a metric of a split is: bootstrap over its rows, and paired between models that answered the same rows.

Efron's percentile bootstrap (1979); pairs are kept by drawing the same rows for both sides. Rows of one cluster
(`EncodedSplit.clusters`) are drawn together, all or none: the cluster bootstrap (Davison and Hinkley 1997, 3.8). Of few
clusters rows are then drawn within each that was drawn, too (their strategy 2), which errs on the wide side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ftsweep.domain.scores import FEW_CLUSTERS
from ftsweep.store.row_scores import RowEvidence
from ftsweep.tasks.base import Task

NUM_RESAMPLES = 2_000
COVERAGE = 0.95
_SEED = 20_240_501
_CELLS_AT_ONCE = 8_000_000  # of weights: 32 MB


@dataclass(frozen=True)
class Interval:
    """The mean, standard error and percentile interval of a metric over its resamples."""

    middle: float
    standard_error: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        return {"standard_error": self.standard_error, "low": self.low, "high": self.high}


def intervals(task: Task, *runs: RowEvidence) -> dict[str, Interval]:
    """An interval for every metric that can be computed from rows, the mean over runs; {} for fewer than two rows."""
    num_clusters = len(np.unique(cluster_codes(len(runs[0].losses), runs[0].clusters)))
    return {
        name: _exact(found, num_clusters) if _is_share(task, name) else found
        for name, values in resampled(task, runs).items()
        for found in [_interval(values)]
    }


def scores_of(task: Task, *runs: RowEvidence) -> dict[str, float]:
    """Every metric that can be computed from rows, as it is, the mean over runs."""
    every = np.ones((1, len(runs[0].losses)), np.float32)
    scores = [task.resampled_scores(run.losses, run.units, run.scores, every) for run in runs]
    names = set.intersection(*(set(each) for each in scores))
    return {name: float(np.mean([each[name][0] for each in scores])) for name in sorted(names)}


def paired_difference(
    task: Task, left: Sequence[RowEvidence], right: Sequence[RowEvidence], metric: str
) -> Interval | None:
    """The difference left - right of a metric, each side the mean over its runs; None where rows do not tell it.

    Both sides must have answered the same rows in the same order.
    """
    if {len(each.losses) for each in left} != {len(each.losses) for each in right}:
        return None
    ours, theirs = resampled(task, left), resampled(task, right)
    return _interval(ours[metric] - theirs[metric]) if metric in ours and metric in theirs else None


def resampled(task: Task, runs: Sequence[RowEvidence]) -> dict[str, np.ndarray]:
    """Each metric in every resample, [resamples], the mean over the runs; {} for fewer than two rows.

    The draws depend on the number of rows alone, and on which of them belong together.
    """
    num_rows = len(runs[0].losses)
    if num_rows < 2:
        return {}
    parts: list[Mapping[str, np.ndarray]] = []
    for weights in row_weights(cluster_codes(num_rows, runs[0].clusters)):
        scores = [task.resampled_scores(run.losses, run.units, run.scores, weights) for run in runs]
        names = set.intersection(*(set(each) for each in scores))
        parts.append({name: np.mean([each[name] for each in scores], axis=0) for name in names})
    names = set.intersection(*(set(part) for part in parts))
    return {name: np.concatenate([part[name] for part in parts]) for name in sorted(names)}


def cluster_codes(num_rows: int, clusters: np.ndarray) -> np.ndarray:
    """Of every row the number of its cluster, counted from 0 without gaps. Shape [rows].

    A row is a cluster of its own where there are none, and where all rows are of one: then nothing tells how other
    clusters would do, but how sure a score of this one is.
    """
    codes: np.ndarray = np.unique(clusters, return_inverse=True)[1] if len(clusters) else np.arange(num_rows)
    return codes if codes.any() else np.arange(num_rows)


def row_weights(codes: np.ndarray, num_resamples: int = NUM_RESAMPLES) -> Iterator[np.ndarray]:
    """How often each row is drawn, in blocks of resamples, by the rows' clusters. Each [resamples, rows], float32."""
    num_clusters = int(codes.max()) + 1
    generator = np.random.default_rng([_SEED, num_clusters])
    block = max(1, _CELLS_AT_ONCE // len(codes))
    for start in range(0, num_resamples, block):
        size = min(block, num_resamples - start)
        drawn = generator.integers(0, num_clusters, size=(size, num_clusters))
        drawn += np.arange(size)[:, None] * num_clusters  # every resample counts in cells of its own
        counts = np.bincount(drawn.ravel(), minlength=size * num_clusters)
        by_cluster = counts.reshape(size, num_clusters)
        if num_clusters < min(FEW_CLUSTERS, len(codes)):
            yield _drawn_within(by_cluster, codes, generator)
        else:
            by_row = by_cluster.astype(np.float32)
            yield by_row if num_clusters == len(codes) else by_row[:, codes]


def _drawn_within(by_cluster: np.ndarray, codes: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """How often each row is drawn, where each cluster that is drawn gives as many rows as it has. [resamples, rows]."""
    found = np.empty((len(by_cluster), len(codes)), np.float32)
    for cluster, counts in enumerate(by_cluster.T):
        rows = np.flatnonzero(codes == cluster)
        found[:, rows] = generator.multinomial(counts * len(rows), np.full(len(rows), 1 / len(rows)))
    return found


def _is_share(task: Task, name: str) -> bool:
    metric = task.metrics.get(name)
    return metric is not None and (metric.direction, metric.low, metric.high) == ("maximize", 0, 1)


def _exact(found: Interval, num_clusters: int) -> Interval:
    """Of a share of which every resample has all rows right, or all wrong, so that resampling says nothing of how sure
    that is, the exact interval (Clopper and Pearson 1934); of F1 roughly so. Of clusters it is the widest: as if all
    rows of one were one row.
    """
    reach = ((1 - COVERAGE) / 2) ** (1 / num_clusters)
    if found.low == 1:
        return replace(found, low=reach)
    return replace(found, high=1 - reach) if found.high == 0 else found


def _interval(values: np.ndarray) -> Interval:
    tail = (1 - COVERAGE) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(float(values.mean()), float(values.std(ddof=1)), float(low), float(high))
