"""Normalised texts as numbers, so that hundreds of thousands of rows can be compared with numpy."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

LONGEST_WORD = 20
"""Characters; a longer run without a space (a script that writes none, code) is read as its pieces of three."""

_PIECE = 3


class WordTable:
    """The words of every text, in order, as ids: equal words have equal ids."""

    def __init__(self, forms: Iterable[str]) -> None:
        """`forms` are texts as `ftsweep.data.likeness.duplicates.normalise` leaves them."""
        vocabulary: dict[str, int] = {}
        ids, offsets = array("i"), array("q", [0])
        for form in forms:
            ids.extend([vocabulary.setdefault(word, len(vocabulary)) for word in _words(form)])
            offsets.append(len(ids))
        self.ids = np.frombuffer(ids, dtype=np.int32) if len(ids) else np.empty(0, np.int32)
        """Shape [all words], int32."""
        self.offsets = np.frombuffer(offsets, dtype=np.int64)
        """Where each text's words begin, and where the last one's end. Shape [texts + 1], int64."""
        self.num_different = len(vocabulary)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def counts(self) -> np.ndarray:
        """Words of each text. Shape [texts], int64."""
        counts: np.ndarray = np.diff(self.offsets)
        return counts

    @property
    def owners(self) -> np.ndarray:
        """The text that each word stands in. Shape [all words], int64."""
        return np.repeat(np.arange(len(self)), self.counts)

    def common(self, share: float, *, more_than: int, among: np.ndarray) -> np.ndarray:
        """Which words stand in more than this share of the texts `among`, and in more than so many. bool, by id."""
        chosen = np.zeros(len(self), dtype=bool)
        chosen[among] = True
        owners = self.owners
        inside = chosen[owners]
        pairs = distinct(owners[inside] * self.num_different + self.ids[inside])
        num_texts = np.bincount(pairs % max(1, self.num_different), minlength=self.num_different)
        limit = max(more_than, share * len(among))
        return np.asarray(num_texts > limit)


def distinct(values: np.ndarray) -> np.ndarray:
    """Each value once, in order. `np.unique` gives the same: it took 80 times the time for 3 million whole numbers."""
    in_order = np.sort(values)
    return np.asarray(in_order[is_first(in_order)])


def is_first(in_order: np.ndarray) -> np.ndarray:
    """Which values differ from the one before. bool."""
    return np.asarray(np.r_[np.ones(min(1, len(in_order)), dtype=bool), in_order[1:] != in_order[:-1]])


def hashed(ids: np.ndarray) -> np.ndarray:
    """Numbers spread over 64 bits (splitmix64), the same in every process. uint64."""
    mixed = ids.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def runs(ids: np.ndarray, owners: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of all runs of so many words inside one text, and where each begins. uint64 and int64."""
    if len(ids) < length:
        return np.empty(0, np.uint64), np.empty(0, np.int64)
    words = hashed(ids)
    num_runs = len(ids) - length + 1
    sums = np.zeros(num_runs, dtype=np.uint64)
    for place in range(length):
        factor = hashed(np.array([place + 1])) | np.uint64(1)
        sums += words[place : place + num_runs] * factor
    starts = np.flatnonzero(owners[:num_runs] == owners[length - 1 :])
    return sums[starts], starts


def _words(form: str) -> Sequence[str]:
    words = form.split()
    return words if len(form) <= LONGEST_WORD or max(map(len, words), default=0) <= LONGEST_WORD else [*_pieces(words)]


def _pieces(words: Sequence[str]) -> Iterator[str]:
    for word in words:
        if len(word) <= LONGEST_WORD:
            yield word
        else:
            yield from (word[at : at + _PIECE] for at in range(len(word) - _PIECE + 1))
