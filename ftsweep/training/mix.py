"""Replay: general text mixed into what a trial trains on, so that less of what the base knew is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from ftsweep.tasks.base import Redraw

_REDRAW = 0x4ED4A  # keeps its generators apart from those of batches
_SEED = 0x3E91A7  # beside seed.data: the draw must not follow the order of examples


class Examples(Protocol):
    """Encoded examples by index."""

    def __len__(self) -> int: ...

    @property
    def lengths(self) -> np.ndarray: ...

    def input_ids(self, index: int) -> np.ndarray: ...

    def labels(self, index: int) -> np.ndarray: ...


class Mix:
    """A split's own examples, and after them drawn ones of general text."""

    def __init__(self, own: Examples, general: Examples, drawn: Sequence[int] | np.ndarray) -> None:
        self._own = own
        self._general = general
        self._drawn = np.asarray(drawn, dtype=np.int64)
        self._lengths = np.concatenate([own.lengths, general.lengths[self._drawn]])

    def __len__(self) -> int:
        return len(self._lengths)

    @property
    def lengths(self) -> np.ndarray:
        """Input tokens of every example. Shape [examples], int32."""
        return self._lengths

    def input_ids(self, index: int) -> np.ndarray:
        return self._own.input_ids(index) if index < len(self._own) else self._general.input_ids(self._drawn_at(index))

    def labels(self, index: int) -> np.ndarray:
        return self._own.labels(index) if index < len(self._own) else self._general.labels(self._drawn_at(index))

    def _drawn_at(self, index: int) -> int:
        return int(self._drawn[index - len(self._own)])


class Redrawn:
    """Examples as their task draws them anew, by the seeds and the example's index alone: whatever batch it comes in,
    and whether or not a trial was killed before it."""

    def __init__(self, examples: Examples, redraw: Redraw, seeds: Sequence[int]) -> None:
        self._examples = examples
        self._redraw = redraw
        self._seeds = seeds

    def __len__(self) -> int:
        return len(self._examples)

    @property
    def lengths(self) -> np.ndarray:
        return self._examples.lengths

    def input_ids(self, index: int) -> np.ndarray:
        return self._drawn(index)[0]

    def labels(self, index: int) -> np.ndarray:
        return self._drawn(index)[1]

    def _drawn(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        generator = np.random.default_rng([*self._seeds, index, _REDRAW])
        return self._redraw(self._examples.input_ids(index), self._examples.labels(index), generator)


def with_replay(own: Examples, general: Examples | None, fraction: float, seed: int) -> Examples:
    """The split with so much general text that it makes up `fraction` of the whole: f / (1 - f) times as many examples.

    Every general example is drawn once before any is drawn again; the draw depends on the seed alone. Without
    general text, or with a fraction of 0, the split itself.
    """
    num_drawn = round(fraction / (1 - fraction) * len(own))
    if general is None or num_drawn == 0:
        return own
    generator = np.random.default_rng([seed, _SEED])
    rounds = [generator.permutation(len(general)) for _ in range(-(-num_drawn // len(general)))]
    return Mix(own, general, np.concatenate(rounds)[:num_drawn])
