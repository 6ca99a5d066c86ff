from __future__ import annotations

from ftsweep.analysis.rung_cost import RungCost, rung_cost


def estimate(num_steps: int, step_seconds: float, measure_seconds: float) -> dict[str, float]:
    return {"num_steps": num_steps, "step_seconds": step_seconds, "measure_seconds": measure_seconds}


def test_where_measuring_takes_more_than_three_tenths_the_most_rungs_that_do_not_are_named() -> None:
    cost = rung_cost(estimate(200, 0.1, 1.0), 10)
    assert cost == RungCost(share=1 / 3, fewer=8, share_of_fewer=8 / 28)


def test_never_fewer_than_four_are_named_even_where_they_cost_more() -> None:
    assert rung_cost(estimate(100, 0.06, 1.5), 10) == RungCost(15 / 21, 4, 0.5)


def test_nothing_is_named_where_measuring_costs_little_or_rungs_are_few_already() -> None:
    assert rung_cost(estimate(1000, 0.1, 1.0), 10) == RungCost(10 / 110)
    assert rung_cost(estimate(10, 0.1, 1.0), 4) == RungCost(0.8)
    assert rung_cost(estimate(3, 0.1, 1.0), 10) == RungCost(3 / 3.3)  # no more rungs than steps


def test_a_trial_without_steps_has_no_such_share() -> None:
    assert rung_cost(estimate(0, 0.0, 1.0), 10) is None
