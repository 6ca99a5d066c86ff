"""The split that ftsweep makes: stratified, whole groups and all copies of an input on one side, seeded."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence

from ftsweep.data.linked import components
from ftsweep.errors import DataError


def make_splits(
    *,
    strata: Sequence[str | None],
    links: Iterable[Sequence[Hashable | None]],
    fractions: Mapping[str, float],
    seed: int,
) -> dict[str, list[int]]:
    """Row indices by split, each in ascending order; every row is in exactly one.

    Args:
        strata: what to keep in proportion, per row.
        links: sequences with one key per row (groups, input hashes): rows with an equal key, directly or through other
            rows, go to one split. None links to nothing.
        fractions: the share of rows per split; the first split is the one to train on, and has at least one row of
            every stratum.
        seed: another seed, another split.

    Raises:
        DataError: a split would be empty.
    """
    clusters = link_rows(len(strata), links)
    random.Random(seed).shuffle(clusters)  # noqa: S311 - not for secrets
    clusters.sort(key=len, reverse=True)  # the large ones while there is room; stable, so equal sizes stay shuffled
    pooled = _pool_rare(strata, fractions)
    totals = Counter(pooled)
    deficits = {name: {key: share * count for key, count in totals.items()} for name, share in fractions.items()}
    first = next(iter(fractions))
    seen: set[str | None] = set()
    splits: dict[str, list[int]] = {name: [] for name in fractions}
    for cluster in clusters:
        own_strata = {strata[row] for row in cluster}
        counts = Counter(pooled[row] for row in cluster)
        if own_strata <= seen:
            chosen = max(fractions, key=lambda name: sum(n * deficits[name][key] for key, n in counts.items()))
        else:
            chosen = first
            seen |= own_strata
        for key, count in counts.items():
            deficits[chosen][key] -= count
        splits[chosen].extend(cluster)
    _refuse_empty(splits, num_rows=len(strata), num_clusters=len(clusters), num_strata=len(set(strata)))
    return {name: sorted(rows) for name, rows in splits.items()}


def link_rows(num_rows: int, links: Iterable[Sequence[Hashable | None]]) -> list[list[int]]:
    """Rows in clusters: connected components of 'has an equal key', in order of their first row."""
    left: list[int] = []
    right: list[int] = []
    for keys in links:
        earlier: dict[Hashable, int] = {}
        for row, key in enumerate(keys):
            if key is not None and earlier.setdefault(key, row) != row:
                left.append(earlier[key])
                right.append(row)
    clusters: dict[int, list[int]] = defaultdict(list)
    for row, component in enumerate(components(num_rows, left, right).tolist()):
        clusters[component].append(row)
    return list(clusters.values())


def _pool_rare(strata: Sequence[str | None], fractions: Mapping[str, float]) -> list[str | None]:
    """Strata too small to give the smallest split one row share its proportion instead."""
    smallest = min(fractions.values())
    counts = Counter(strata)
    return [None if counts[stratum] * smallest < 1 else stratum for stratum in strata]


def _refuse_empty(splits: Mapping[str, list[int]], *, num_rows: int, num_clusters: int, num_strata: int) -> None:
    empty = [name for name, rows in splits.items() if not rows]
    if not empty:
        return
    reasons = ["1 row" if num_rows == 1 else f"{num_rows} rows"]
    if num_clusters < num_rows:
        reasons.append(f"which groups and equal inputs tie into {num_clusters} that cannot be divided")
    if num_strata > 1:
        reasons.append(f"with {num_strata} classes that each need a row in train")
    raise DataError(
        f"splitting leaves no row for {' and '.join(empty)}: {', '.join(reasons)}",
        where="data",
        remedy="Bring more rows, name the splits' files yourself, choose larger fractions, or a finer data.group.",
    )
