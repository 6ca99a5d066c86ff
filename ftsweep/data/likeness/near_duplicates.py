"""Rows that say nearly the same: MinHash finds candidates, exact Jaccard similarity decides.

What is compared are sets of shingles (runs of `shingle_words` words of the normalised text). Words that stand in a
large share of all texts do not count: two rows are not alike because one prompt template wraps both. How similarity
and shingles were chosen: docs/data-gate.md, measured in benchmarks/guards.

MinHash (Broder 1997) is computed here for all texts at once: datasketch, which makes an object for each, took four
times the time, and its MinHashLSH, a table of Python sets per band, 40 times the memory of sorting the bands' hashes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ftsweep.data.likeness.alike import Likeness
from ftsweep.data.likeness.words import WordTable, distinct, hashed, is_first, runs
from ftsweep.data.linked import components

NUM_BANDS, BAND_ROWS = 25, 5
"""A pair of similarity s becomes a candidate with probability 1 - (1 - s^5)^25: .999 at .75, .02 at .25."""

MIN_SHINGLES = 4
"""A text with fewer has too little in it to be nearly something; it is only compared exactly and normalised."""

COMMON_TEXTS = 20
"""A word that stands in no more texts than these is never too common to count."""

CROWD = 32
"""Rows of one bucket of a band that are all compared with each other; of a larger one each row with this many."""

_PAIRS_AT_ONCE = 200_000


@dataclass(frozen=True)
class Matches:
    """Pairs of nearly equal texts, by their numbers, with how similar they are. Three arrays of one length."""

    left: np.ndarray
    right: np.ndarray
    similarity: np.ndarray

    def __len__(self) -> int:
        return len(self.left)


class NearDuplicates:
    """Near-duplicates among the texts of a table."""

    def __init__(self, words: WordTable, likeness: Likeness, *, among: np.ndarray | None = None) -> None:
        """`among`: the texts by which it is decided what is too common; copies of one text need not count twice."""
        self._likeness = likeness
        texts = np.arange(len(words)) if among is None else among
        is_common = words.common(likeness.common_share, more_than=COMMON_TEXTS, among=texts)
        kept = ~is_common[words.ids]
        ids, owners = words.ids[kept], words.owners[kept]
        if likeness.shingle_words == 1:
            hashes = hashed(ids)
        else:
            hashes, starts = runs(ids, owners, likeness.shingle_words)
            owners = owners[starts]
        order = np.lexsort((hashes, owners))
        hashes, owners = hashes[order], owners[order]
        is_new = is_first(hashes) | is_first(owners)
        self._hashes = hashes[is_new]
        self._offsets = np.searchsorted(owners[is_new], np.arange(len(words) + 1))
        self.num_shingles = np.diff(self._offsets)

    def shingles(self, text: int) -> np.ndarray:
        """The hashes of a text's shingles, sorted, each once. uint64."""
        shingles: np.ndarray = self._hashes[self._offsets[text] : self._offsets[text + 1]]
        return shingles

    def clusters(self) -> list[int | None]:
        """For every text the number of its cluster of near-duplicates, directly or through others; None for none."""
        found = self._verified(self._candidates(np.arange(len(self.num_shingles)), None))
        return connected(len(self.num_shingles), found.left, found.right)

    def matches(self, texts: np.ndarray, others: np.ndarray) -> Matches:
        """Every text with the `others` that are nearly the same; of a crowd of equals not all of them are listed."""
        is_left = np.zeros(len(self.num_shingles), dtype=bool)
        is_left[texts] = True
        return self._verified(self._candidates(np.concatenate([texts, others]), is_left))

    @cached_property
    def _bands(self) -> np.ndarray:
        """A hash of every text's every band. Shape [texts, bands], uint64."""
        bands = np.zeros((len(self.num_shingles), NUM_BANDS), dtype=np.uint64)
        has_any = np.flatnonzero(self.num_shingles)
        values = (self._hashes >> np.uint64(32)).astype(np.uint32)
        for place, (factor, term) in enumerate(_PERMUTATIONS):
            band, row = divmod(place, BAND_ROWS)
            least = np.minimum.reduceat(values * factor + term, self._offsets[has_any]) if len(values) else values
            bands[has_any, band] += least.astype(np.uint64) * _FACTORS[row]
        return bands

    def _candidates(self, texts: np.ndarray, is_left: np.ndarray | None) -> Iterator[np.ndarray]:
        """Pairs that share a band, as arrays [pairs, 2]; with `is_left` only pairs of a left with another one."""
        texts = texts[self.num_shingles[texts] >= MIN_SHINGLES]
        for band in range(NUM_BANDS):
            hashes = self._bands[texts, band]
            order = np.argsort(hashes, kind="stable")
            members, hashes = texts[order], hashes[order]
            starts = np.flatnonzero(np.r_[True, hashes[1:] != hashes[:-1]]) if len(members) else np.empty(0, np.int64)
            sizes = np.diff(np.r_[starts, len(members)])
            for size in np.unique(sizes[sizes > 1]):
                for pairs in _pairs_in(members, starts[sizes == size], int(size), is_left):
                    if is_left is not None:
                        pairs = pairs[is_left[pairs[:, 0]] != is_left[pairs[:, 1]]]
                        pairs = np.where(is_left[pairs[:, :1]], pairs, pairs[:, ::-1])
                    yield pairs

    def _verified(self, candidates: Iterator[np.ndarray]) -> Matches:
        """Candidates whose exact similarity suffices, each pair once."""
        from scipy.sparse import csr_array

        num_texts = len(self.num_shingles)
        codes = [distinct(pairs[:, 0] * num_texts + pairs[:, 1]) for pairs in candidates]
        known = distinct(np.concatenate([np.empty(0, np.int64), *codes]))
        _, columns = np.unique(self._hashes, return_inverse=True)
        ones = np.ones(len(columns), dtype=np.int32)
        sets = csr_array((ones, columns.astype(np.int64), self._offsets), shape=(num_texts, len(columns) + 1))
        left, right = known // max(1, num_texts), known % max(1, num_texts)
        similarity = np.empty(len(known))
        for start in range(0, len(known), _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            shared = sets[left[part]].multiply(sets[right[part]]).sum(axis=1)
            union = self.num_shingles[left[part]] + self.num_shingles[right[part]] - shared
            similarity[part] = shared / np.maximum(1, union)
        enough = similarity >= self._likeness.similarity
        return Matches(left[enough], right[enough], similarity[enough])


_FACTORS = hashed(np.arange(1, BAND_ROWS + 1)) | np.uint64(1)
_PERMUTATIONS = hashed(np.arange(2 * NUM_BANDS * BAND_ROWS) + 1000).astype(np.uint32).reshape(-1, 2)
_PERMUTATIONS[:, 0] |= np.uint32(1)  # an odd factor maps no two values to one


def connected(num_texts: int, left: np.ndarray, right: np.ndarray) -> list[int | None]:
    """For every text the number of the cluster that pairs make of it, directly or not; None when it is alone."""
    component = components(num_texts, left, right)
    is_alone = np.bincount(component)[component] == 1
    return [None if alone else int(number) for alone, number in zip(is_alone, component, strict=True)]


def _pairs_in(members: np.ndarray, starts: np.ndarray, size: int, is_left: np.ndarray | None) -> Iterator[np.ndarray]:
    """Pairs inside all buckets of one size; of large buckets not all."""
    if size <= CROWD:
        first, second = np.triu_indices(size, k=1)
        buckets = members[starts[:, None] + np.arange(size)]
        yield np.stack([buckets[:, first].ravel(), buckets[:, second].ravel()], axis=1)
        return
    for start in starts:
        bucket = members[start : start + size]
        if is_left is None:  # for clusters: each with the first one, and with its neighbour
            yield np.stack([np.full(size - 1, bucket[0]), bucket[1:]], axis=1)
            yield np.stack([bucket[:-1], bucket[1:]], axis=1)
            continue
        left, right = bucket[is_left[bucket]], bucket[~is_left[bucket]]
        shown = right[np.unique(np.linspace(0, len(right) - 1, CROWD).astype(int))] if len(right) else right
        yield np.stack([np.repeat(left, len(shown)), np.tile(shown, len(left))], axis=1)
