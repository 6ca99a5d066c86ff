"""The layers of a packed pass: what is frozen is computed for all tokens at once, each lane's own on its.

The operations on a lane's rows, forward and backward, are those of `ftsweep.strategies.low_rank` alone, so that the
same bits come out: rows of a product do not depend on the rows beside them (from `MIN_TOKENS` on).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import nn
from torch.nn.functional import linear

from ftsweep.strategies.low_rank import LowRankSum, Own, dropout_noise
from ftsweep.tasks.read_rows import compute_only, rows_read
from ftsweep.training.lanes.body import SeatedDropout, SeatedLinear
from ftsweep.training.lanes.conductor import Adapter


@dataclass
class Part:
    """One lane's batch in a shared pass."""

    adapters: Mapping[str, Adapter]
    """By the name of their layer in the body."""
    num_rows: int
    length: int
    own_generators: Callable[[], None]
    """Has torch's generators stand where this lane left them."""
    mask: torch.Tensor | None = None
    """What its attention takes, as the body alone would make it."""
    start: int = 0
    """Its first token among those of all lanes."""
    read: torch.Tensor | None = None
    """Of its tokens, flat, those whose last hidden states count (see `ftsweep.tasks.read_rows`); None: all."""

    @property
    def num_tokens(self) -> int:
        """Padded ones."""
        return self.num_rows * self.length

    @property
    def stop(self) -> int:
        return self.start + self.num_tokens


@dataclass
class Seats:
    """The lanes of the pass under way, which every layer of the conductor's body looks at."""

    parts: Sequence[Part] = field(default=())


class LaneLinear(SeatedLinear):
    """In the place of an `nn.Linear` that lanes adapt."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(0, -2)
        owns: list[Own] = []
        factors: list[torch.Tensor] = []
        for part in self._seats.parts:
            adapter = part.adapters.get(self._name)
            if adapter is not None:
                noise = None
                if adapter.dropout > 0:
                    part.own_generators()
                    noise = dropout_noise(flat[part.start : part.stop], adapter.dropout)
                owns.append(Own(part.start, part.num_tokens, adapter.scale, noise))
                factors += [adapter.down, adapter.up]
        if not owns:
            return linear(x, self.weight, self.bias)
        result: torch.Tensor = LowRankSum.apply(flat, self.weight, self.bias, owns, *factors)
        return result.view(*x.shape[:-1], -1)


class LaneFeedForward(nn.Module):
    """In the place of the last layer's feed-forward part: of each lane it computes what it would compute alone."""

    def __init__(self, part: nn.Module, seats: Seats) -> None:
        super().__init__()
        self.part = part
        self._seats = seats

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = self._seats.parts
        chosen = [rows_read(part.read, part.num_tokens) for part in parts]
        if all(rows is None for rows in chosen):
            return self.part(x)  # type: ignore[no-any-return]
        rows = [
            torch.arange(part.start, part.stop) if own is None else own + part.start
            for part, own in zip(parts, chosen, strict=True)
        ]
        start, narrowed = 0, []
        for part, own in zip(parts, rows, strict=True):
            narrowed.append(replace(part, num_rows=1, length=len(own), start=start))
            start += len(own)
        self._seats.parts = narrowed
        try:
            return compute_only(self.part, x, torch.cat(rows))
        finally:
            self._seats.parts = parts


class LaneDropout(SeatedDropout):
    """In the place of the body's own `nn.Dropout`: each lane draws for its rows as it would alone."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0:
            return x
        noise = torch.empty_like(x)
        for part in self._seats.parts:
            rows = noise[:, part.start : part.stop]
            part.own_generators()
            drawn = dropout_noise(rows, self.p)
            assert drawn is not None
            rows.copy_(drawn)
        return x * noise
