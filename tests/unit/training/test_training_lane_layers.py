from __future__ import annotations

import torch

from ftsweep.tasks.read_rows import MIN_ROWS, compute_only, feed_forward, rows_read
from ftsweep.testing.random_models import random_llama
from ftsweep.training.lanes.packed_layers import LaneFeedForward, Part, Seats


def make_part(start, num_rows, length, read):
    return Part({}, num_rows, length, lambda: None, start=start, read=None if read is None else torch.tensor(read))


def test_of_each_lane_the_rows_are_computed_that_it_would_compute_alone():
    part = feed_forward(random_llama("causal_lm"))
    given = []
    part.register_forward_pre_hook(lambda _module, args: given.append(args[0].shape[1]))
    x = torch.randn(1, 300, 32, generator=torch.Generator().manual_seed(0))
    parts = [make_part(0, 2, 60, [59, 119]), make_part(120, 1, 40, [39]), make_part(160, 2, 70, None)]
    seats = Seats(parts)
    together = LaneFeedForward(part, seats)(x)
    assert given == [MIN_ROWS + 40 + 140]
    assert seats.parts == parts
    first = x[:, :120].view(2, 60, 32)
    alone = compute_only(part, first, rows_read(parts[0].read, 120))
    assert torch.equal(together[:, :120].view(2, 60, 32), alone)
    assert torch.equal(together[:, 120:], part(x[:, 120:]))


def test_where_every_lane_is_read_whole_it_is_one_call():
    part = feed_forward(random_llama("causal_lm"))
    x = torch.randn(1, 80, 32)
    seats = Seats([make_part(0, 1, 40, None), make_part(40, 1, 40, list(range(40)))])
    assert torch.equal(LaneFeedForward(part, seats)(x), part(x))
