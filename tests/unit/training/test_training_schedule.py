"""The plan of a run is a function of its arguments, and sees every example as often as asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftsweep.training.schedule import BatchPlan, rate_factor, rung_reached


def plan_of(num_rows: int = 100, batch_size: int = 8, epochs: float = 2, seed: int = 0) -> BatchPlan:
    lengths = np.random.default_rng(7).integers(5, 60, size=num_rows)
    return BatchPlan(lengths, batch_size, epochs, seed)


@given(
    num_rows=st.integers(1, 70),
    batch_size=st.integers(1, 20),
    epochs=st.floats(0.05, 4).map(lambda value: round(value, 2)),
    seed=st.integers(0, 5),
)
def test_every_example_is_seen_equally_often_and_exactly_as_many_as_planned(
    num_rows: int, batch_size: int, epochs: float, seed: int
) -> None:
    plan = plan_of(num_rows, batch_size, epochs, seed)
    batches = [plan.indices(step) for step in range(plan.num_steps)]
    seen = np.concatenate(batches)
    assert len(seen) == plan.num_examples == max(1, round(epochs * num_rows))
    counts = np.bincount(seen, minlength=num_rows)
    assert counts.max() - counts.min() <= 1
    assert all(0 < len(batch) <= batch_size for batch in batches)
    assert [plan.examples_before(step) for step in range(plan.num_steps)] == [
        sum(map(len, batches[:step])) for step in range(plan.num_steps)
    ]


def test_order_depends_on_seed_and_epoch_but_not_on_the_way_it_is_asked() -> None:
    forward = [plan_of().indices(step).tolist() for step in range(plan_of().num_steps)]
    plan = plan_of()
    backward = [plan.indices(step).tolist() for step in reversed(range(plan.num_steps))][::-1]
    assert forward == backward
    assert forward[:12] != forward[13:25]  # the second epoch has an order of its own
    assert forward != [plan_of(seed=1).indices(step).tolist() for step in range(plan.num_steps)]


def test_grouping_by_length_saves_most_of_the_padding() -> None:
    plan = plan_of(num_rows=1000, batch_size=8, epochs=1)

    def padded(batches: list[np.ndarray]) -> int:
        return sum(int(plan.lengths[batch].max()) * len(batch) for batch in batches)

    shuffled = np.random.default_rng(0).permutation(1000).reshape(-1, 8)
    waste = padded(list(shuffled)) - plan.lengths.sum()
    grouped_waste = padded([plan.indices(step) for step in range(plan.num_steps)]) - plan.lengths.sum()
    assert grouped_waste < 0.2 * waste


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
def test_rate_rises_to_its_peak_and_never_starts_at_zero(schedule: str) -> None:
    factors = [rate_factor(step, 40, warmup=0.25, schedule=schedule) for step in range(40)]
    assert factors[0] > 0
    assert factors[:11] == sorted(factors[:11])
    assert max(factors) == factors[10] == 1.0
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[-1] == 1.0 if schedule == "constant" else factors[-1] < 0.1


def test_rung_is_the_fraction_of_the_trials_own_examples() -> None:
    assert [rung_reached(seen, 100, 10) for seen in (0, 9, 10, 55, 99, 100)] == [0, 0, 1, 5, 9, 10]
    assert rung_reached(7, 7, 10) == 10
