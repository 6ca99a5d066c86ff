"""BIO tags of words: what they say, where they break their own rule, and entity-level scores as seqeval has them.

A label's id says what it is: 0 is O, and the type at place k of the types has B at 1 + 2k and I at 2 + 2k.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ftsweep.tasks.base import RowError

OUTSIDE = "O"


@dataclass(frozen=True)
class Entities:
    """Entities in the order of their words: type (place among the types), first word, and the word after the last."""

    types: np.ndarray
    starts: np.ndarray
    stops: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    def write(self, num_words: int) -> np.ndarray:
        """Label ids of the words, in valid BIO. Shape [words], int64."""
        ids = np.zeros(num_words, dtype=np.int64)
        for kind, start, stop in zip(self.types, self.starts, self.stops, strict=True):
            ids[start] = 1 + 2 * kind
            ids[start + 1 : stop] = 2 + 2 * kind
        return ids


def type_of(tag: str) -> str | None:
    """The entity type of a tag, None of O. Raises RowError for what is no BIO tag."""
    if tag == OUTSIDE:
        return None
    mark, _, kind = tag.partition("-")
    if mark not in ("B", "I") or not kind:
        raise RowError(f"{tag!r} is no BIO tag: a tag is O, B-<type> (an entity's first word) or I-<type>")
    return kind


def labels_of(types: Iterable[str]) -> list[str]:
    """All labels of these types: O first, then B and I of every type, types by name."""
    return [OUTSIDE, *(f"{mark}-{kind}" for kind in sorted(types) for mark in "BI")]


def types_of(labels: Sequence[str]) -> list[str]:
    """The types whose labels `labels_of` made."""
    return [label[2:] for label in labels[1::2]]


def break_in(tags: Sequence[str]) -> str | None:
    """The first I-<type> that continues no entity of its type, in words; None for a valid sequence."""
    previous = OUTSIDE
    for place, tag in enumerate(tags, start=1):
        if tag.startswith("I-") and previous[2:] != tag[2:]:
            return (
                f"tag {place}, {tag}, comes after {previous} and continues nothing: an entity begins with B-{tag[2:]}"
            )
        previous = tag
    return None


def find_entities(ids: np.ndarray) -> Entities:
    """The entities of a sequence of label ids; an I that continues nothing begins one, as in seqeval."""
    types = (ids - 1) // 2  # -1 for O
    is_inside = ids > 0
    is_first = is_inside & ((ids % 2 == 1) | (types != np.concatenate([[-1], types[:-1]])))
    goes_on = np.concatenate([is_inside[1:] & ~is_first[1:], [False]])
    starts, lasts = np.flatnonzero(is_first), np.flatnonzero(is_inside & ~goes_on)
    return Entities(types[starts], starts, lasts + 1)


@dataclass(frozen=True)
class EntityCounts:
    """Entities per type: right ones, predicted ones and true ones, each of shape [types]; and true ones out of reach.

    An entity is right when type, first and last word are. `num_missed` counts true entities, of any type, in words that
    could not be predicted at all.
    """

    right: np.ndarray
    predicted: np.ndarray
    true: np.ndarray
    num_missed: int = 0

    @classmethod
    def of(
        cls, true_ids: np.ndarray, predicted_ids: np.ndarray, num_types: int, *, num_missed: int = 0
    ) -> EntityCounts:
        """Counts over words in order; rows are to be parted by an O."""
        true, predicted = find_entities(true_ids), find_entities(predicted_ids)
        is_right = np.isin(_keys(true, len(true_ids), num_types), _keys(predicted, len(true_ids), num_types))
        return cls(
            right=np.bincount(true.types[is_right], minlength=num_types),
            predicted=np.bincount(predicted.types, minlength=num_types),
            true=np.bincount(true.types, minlength=num_types),
            num_missed=num_missed,
        )

    def micro(self) -> dict[str, float]:
        """`precision`, `recall` and `f1-score` over all entities, 0 where one would be 0 / 0; and their `support`."""
        true = int(self.true.sum()) + self.num_missed
        return _scores(int(self.right.sum()), int(self.predicted.sum()), true)

    def report(self, types: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """seqeval's classification_report as a dictionary: by type, those that neither side has left out, and averages.

        Entities out of reach count in `micro avg` only, and have an entry `missed` of their own when there are any.
        """
        rows = {
            kind: _scores(*map(int, counts))
            for kind, *counts in zip(types, self.right, self.predicted, self.true, strict=True)
            if counts[1] or counts[2]
        }
        support = [row["support"] for row in rows.values()]
        averages = {"micro avg": self.micro()}
        for name, weights in (("macro avg", [1] * len(rows)), ("weighted avg", support)):
            averages[name] = {
                key: _mean([row[key] for row in rows.values()], weights) for key in ("precision", "recall", "f1-score")
            } | {"support": sum(support)}
        missed = {"missed": {"support": self.num_missed}} if self.num_missed else {}
        return {**rows, **missed, **averages}


def counts_by_row(labels: np.ndarray, guesses: np.ndarray, num_types: int) -> np.ndarray:
    """Right, predicted and true entities of each row of label ids, both [rows, length]. Shape [rows, 3], int64.

    Only places whose label is 0 or more are words; the others are passed over.
    """
    ends = np.zeros((len(labels), 1), dtype=np.int64)  # an O behind every row keeps its entities to itself
    kept = np.hstack([labels >= 0, ends == 0])
    row_of = np.repeat(np.arange(len(labels)), kept.sum(axis=1))
    true_ids, predicted_ids = np.hstack([labels, ends])[kept], np.hstack([guesses, ends])[kept]
    true, predicted = find_entities(true_ids), find_entities(predicted_ids)
    is_right = np.isin(_keys(true, len(true_ids), num_types), _keys(predicted, len(true_ids), num_types))
    starts = (true.starts[is_right], predicted.starts, true.starts)
    return np.stack([np.bincount(row_of[each], minlength=len(labels)) for each in starts], axis=1)


def _keys(entities: Entities, num_words: int, num_types: int) -> np.ndarray:
    """One number per entity, equal only for equal entities. Shape [entities], int64."""
    keys: np.ndarray = (entities.starts * (num_words + 1) + entities.stops) * num_types + entities.types
    return keys


def _scores(right: int, predicted: int, true: int) -> dict[str, float]:
    return {
        "precision": right / predicted if predicted else 0.0,
        "recall": right / true if true else 0.0,
        "f1-score": 2 * right / (predicted + true) if predicted + true else 0.0,
        "support": true,
    }


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    total = sum(weights)
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / total if total else 0.0
