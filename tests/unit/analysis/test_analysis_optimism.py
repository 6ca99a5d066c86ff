from __future__ import annotations

import numpy as np
import pytest
from scored_runs import NUM_ROWS, scored

from ftsweep.analysis.optimism import optimism


def test_one_model_and_a_clear_winner_are_not_too_good():
    assert optimism(scored([(1, 0, 1.0)]), 1) == 0.0
    assert optimism(scored([(1, 0, 1.0), (2, 0, 2.0)]), 1) == pytest.approx(0.0, abs=2e-3)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("num_models", [2, 10])
def test_of_models_that_are_equal_the_best_is_too_good_by_what_is_estimated(num_models, sign):
    """True values are all 0, so the best value itself is the error."""
    generator = np.random.default_rng(1)
    error, truth, told = 1 / NUM_ROWS**0.5, [], []
    for study in range(60):
        values = generator.normal(0, error, num_models)
        runs = scored([(place, 0, value) for place, value in enumerate(values)], row_noise=1.0, seed=study, sign=sign)
        truth.append(-values.min())
        told.append(optimism(runs, sign))
    assert np.mean(told) == pytest.approx(np.mean(truth), abs=0.35 * error)
