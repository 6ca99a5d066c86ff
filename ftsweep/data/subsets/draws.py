"""Few examples drawn from train: which ones a draw holds, and in which orders they may stand. Numpy only.

Every approach that learns from few examples draws with these functions and the same seeds, so that all of them see the
same rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ftsweep.data.encoded import EncodedSplit, SplitView
from ftsweep.errors import ConfigError, FtsweepError

Per = Literal["class", "total"]

_DRAW, _ORDER = 0xD4A3, 0x04DE4  # keep the generators apart from each other and from those of batches and splits


class TooFewExamplesError(FtsweepError):
    """Train has fewer examples than a draw asks for."""

    def __init__(self, k: int, found: int, label: int | None = None) -> None:
        """`label` is the number of the one that there are too few of; None where all examples are."""
        self.k, self.found, self.label = k, found, label
        super().__init__(self.told([]))

    def told(self, names: Sequence[str]) -> str:
        """What is asked for, what there is, and what to do; with the label's name where `names` has it."""
        if self.label is None:
            return f"{self.k} examples are to be drawn, and train has {self.found}: search no larger strategy.k"
        name = repr(names[self.label]) if self.label < len(names) else f"label number {self.label}"
        what = f"{self.k} examples of every label are to be drawn, and train has {self.found} of {name}"
        return f"{what}: search no larger strategy.k, draw k in all (strategy.per=total), or leave out its rows"


@dataclass(frozen=True)
class Draws:
    """Several draws of k examples each; raises ConfigError for numbers that make none."""

    k: int
    per: Per
    num: int
    """How many draws."""
    first: int
    """The number of the first one; others follow it."""

    def __post_init__(self) -> None:
        for name, value, least in (("k", self.k, 0), ("draws", self.num, 1), ("draw", self.first, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                what = f"must be a whole number of at least {least}, not {value!r}"
                raise ConfigError(what, where=f"strategy.{name}")
        if self.per not in ("class", "total"):
            raise ConfigError(
                f"{self.per!r} is neither 'class' nor 'total'",
                where="strategy.per",
                remedy="class draws k examples of every label, total draws k in all.",
            )

    @property
    def numbers(self) -> range:
        """The draws' numbers. All draws of nothing are alike, so of k = 0 there is one."""
        return range(self.first, self.first + (self.num if self.k else 1))

    def examples(self, labels: Sequence[int], *, draw: int, seeds: Sequence[int]) -> list[int]:
        """Indices of one draw's examples; see `drawn`."""
        return drawn(labels, k=self.k, per=self.per, draw=draw, seeds=seeds)


class DrawnSplit(SplitView):
    """The examples of one draw, as a split of their own; what they are is read from the whole split."""

    def __init__(self, split: EncodedSplit, indices: Sequence[int]) -> None:
        super().__init__(split)
        self._indices = np.asarray(indices, np.int64)

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def lengths(self) -> np.ndarray:
        lengths: np.ndarray = self._split.lengths[self._indices]
        return lengths

    def input_ids(self, index: int) -> np.ndarray:
        return self._split.input_ids(int(self._indices[index]))

    def labels(self, index: int) -> np.ndarray:
        return self._split.labels(int(self._indices[index]))

    def row_index(self, index: int) -> int:
        return self._split.row_index(int(self._indices[index]))

    def num_bytes(self, index: int) -> int:
        return self._split.num_bytes(int(self._indices[index]))

    def clusters(self, indices: np.ndarray | None = None) -> np.ndarray:
        return self._split.clusters(self._indices if indices is None else self._indices[indices])


def drawn(labels: Sequence[int], *, k: int, per: Per, draw: int, seeds: Sequence[int]) -> list[int]:
    """Indices of the examples of one draw, in random order; `labels` has the label of every train example.

    With `per` "class" these are k of each label that occurs, else k in all whatever their labels. A larger k adds to
    the examples of a smaller one, so that a curve over k is not a comparison of unlike draws.

    Raises:
        TooFewExamplesError: with the label, how many there are and how many were asked for.
    """
    shuffled = np.random.default_rng([*seeds, _DRAW, draw]).permutation(len(labels))
    if per == "total":
        if k > len(labels):
            raise TooFewExamplesError(k, len(labels))
        return [int(index) for index in shuffled[:k]]
    of_label = np.asarray(labels)
    chosen: list[int] = []
    for label in np.unique(of_label):
        places = np.flatnonzero(of_label[shuffled] == label)
        if k > len(places):
            raise TooFewExamplesError(k, len(places), int(label))
        chosen += places[:k].tolist()
    return [int(shuffled[place]) for place in sorted(chosen)]


def orderings(indices: Sequence[int], *, orders: int, draw: int, seeds: Sequence[int]) -> list[list[int]]:
    """Up to `orders` different orders of a draw's examples, the drawn one first; fewer where no more exist."""
    known = [list(indices)]
    wanted = min(orders, math.factorial(min(len(indices), 12)))
    generator = np.random.default_rng([*seeds, _ORDER, draw])
    while len(known) < wanted:
        order = [indices[place] for place in generator.permutation(len(indices))]
        if order not in known:
            known.append(order)
    return known
