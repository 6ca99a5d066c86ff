from __future__ import annotations

import numpy as np
import pytest
from scored_runs import scored

from ftsweep.analysis.seed_spread import ScoredRun, Spread, difference, mean_error, seed_spread

SIDES = ((1, 2), (2, 3))
"""The settings of two sides, and how many runs each has."""


def test_one_seed_of_each_setting_tells_nothing_of_the_seeds():
    left, right = scored([(1, 1, 1.0), (2, 1, 2.0)])
    spread = seed_spread([[left], [right]])
    assert spread.degrees == 0
    assert mean_error([left], spread) is None
    found = difference([left], [right], spread)
    assert (found.value, found.standard_error, found.is_sure) == (-1.0, None, False)


def test_seeds_widen_the_error_of_a_mean_and_more_of_them_narrow_it():
    calm = scored([(1, seed, 1.0) for seed in (1, 2, 3)])
    rough = scored([(1, seed, 1.0 + shift) for seed, shift in ((1, -0.2), (2, 0.0), (3, 0.2))])
    by_rows = mean_error(calm, seed_spread([calm]))
    both = mean_error(rough, seed_spread([rough]))
    assert by_rows is not None
    assert both is not None
    assert by_rows < 0.01
    assert both == pytest.approx(0.2 / 3**0.5, rel=0.05)
    more = [*rough, *scored([(1, seed, 1.0 + shift) for seed, shift in ((4, -0.2), (5, 0.0), (6, 0.2))], seed=1)]
    assert mean_error(more, seed_spread([rough])) == pytest.approx(both / 2**0.5, rel=0.05)


def test_a_lead_that_rows_alone_would_call_sure_is_not_when_seeds_differ_by_as_much():
    left = scored([(1, 1, 1.0), (1, 2, 1.3)])
    right = scored([(2, 1, 1.2), (2, 2, 1.5)], seed=1)
    found = difference(right, left, seed_spread([left, right]))
    assert found.value == pytest.approx(0.2)
    assert not found.is_sure
    calm = [scored([(1, 1, 1.0), (1, 2, 1.01)]), scored([(2, 1, 1.2), (2, 2, 1.21)], seed=1)]
    assert difference(calm[1], calm[0], seed_spread(calm)).is_sure


def test_the_margin_has_the_seeds_of_both_sides_and_students_quantile_of_what_is_known_of_them():
    left, right = ([ScoredRun(side, seed, 1.0, np.zeros(200)) for seed in range(1, 1 + num)] for side, num in SIDES)
    found = difference(left, right, Spread(variance=0.04, degrees=3))
    assert found.standard_error == pytest.approx((0.04 / 2 + 0.04 / 3) ** 0.5)
    assert found.margin == pytest.approx(2.3534 * found.standard_error, rel=1e-4)


def test_what_the_rows_alone_do_to_a_run_is_not_counted_as_the_seeds():
    """Runs of equal models on few rows differ because each finds other rows hard."""
    generator = np.random.default_rng(0)
    error = 1.0 / 200**0.5
    groups = [
        scored([(setting, seed, generator.normal(0, error)) for seed in range(1, 6)], row_noise=1.0, seed=setting)
        for setting in range(40)
    ]
    assert seed_spread(groups).variance < 0.1 * error**2
