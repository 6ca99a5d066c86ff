"""A part of train in the place of the whole: nested parts, each label in proportion. Numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ftsweep.data.encoded import EncodedSplit
from ftsweep.data.prepared import PreparedSet
from ftsweep.data.subsets.draws import DrawnSplit

_GENERATOR = 0x5A4E  # keeps it apart from the draws, batches and splits of the same seed


class TrainShare(PreparedSet):
    """A prepared set of whose train split only a share is there; all else is that of the whole."""

    def __init__(self, prepared: PreparedSet, share: float, seed: int) -> None:
        super().__init__(prepared.folder, {**prepared.meta, "hash": f"{prepared.meta['hash']}-{share:g}"})
        self._whole = prepared
        train = prepared.split("train")
        self._splits["train"] = DrawnSplit(train, nested_share(strata(train), share, seed))

    def split(self, name: str) -> EncodedSplit:
        return self._splits["train"] if name == "train" else self._whole.split(name)


def nested_share(labels: Sequence[object], share: float, seed: int) -> list[int]:
    """Indices of a share of the examples, ascending, each label in proportion; a larger share holds all of a smaller.

    At least one example; the number is that of all times the share, rounded.
    """
    names, of_label = np.unique(np.array([str(label) for label in labels]), return_inverse=True)
    generator = np.random.default_rng([seed, _GENERATOR])
    places = np.empty(len(of_label))
    for number in range(len(names)):
        own = generator.permutation(np.flatnonzero(of_label == number))
        # spread evenly over 0 .. 1, so that a label of one example comes in early as often as late
        places[own] = (np.arange(len(own)) + generator.random(len(own))) / len(own)
    size = max(1, round(share * len(places)))
    return sorted(np.argsort(places, kind="stable")[:size].tolist())


def strata(split: EncodedSplit) -> list[object]:
    """What stays in proportion: the class of every example, or its labels; nothing for labels per token."""
    labels = [split.labels(index) for index in range(len(split))]
    if all(len(each) == 1 and each.dtype == np.int32 for each in labels):
        return [int(each[0]) for each in labels]
    return [0] * len(labels)
