from __future__ import annotations

import math

import pytest

from ftsweep.analysis.data_scaling import as_result, gains_of, said_of
from ftsweep.domain.data_scaling import DataPoint, DataScaling
from ftsweep.domain.objective import Objective

LOSS = Objective()
ACCURACY = Objective(metric="accuracy", direction="maximize")


def points(*means, num_seeds=1):
    shares = ((0.25, 250), (0.5, 500), (1.0, 1000))
    return [DataPoint(*share, (mean,) * num_seeds) for share, mean in zip(shares, means, strict=True)]


def said(found, error, objective=LOSS):
    rows = {(0.5, 1.0): (0.0, error), (0.25, 0.5): (0.0, error)}
    return said_of(found, gains_of(found, objective, rows), objective)


@pytest.mark.parametrize(
    ("means", "error", "begin"),
    [
        ((0.9, 0.8, 0.7), 0.01, "More data would still help: from 50% to 100% of train (500 to 1,000 examples)"),
        ((0.9, 0.71, 0.70), 0.02, "Whether more data would help is within the noise"),
        ((0.9, 0.7002, 0.70), 0.001, "More data would hardly help"),
        ((0.5, 0.6, 0.7), 0.01, "More data did not help"),
    ],
)
def test_the_last_doubling_decides_against_its_noise(means, error, begin):
    assert said(points(*means), error).startswith(begin)


def test_a_metric_to_be_raised_gains_by_rising():
    assert said(points(0.5, 0.6, 0.7), 0.01, ACCURACY).startswith("More data would still help")
    (_, last) = gains_of(points(0.5, 0.6, 0.7), ACCURACY, {})
    assert last.value == pytest.approx(0.1)


def test_noise_of_rows_and_of_seeds_add_in_squares():
    found = [DataPoint(0.5, 500, (1.0, 1.2)), DataPoint(1.0, 1000, (0.8, 0.8))]  # differences .2 and .4: sd .141
    (gain,) = gains_of(found, LOSS, {(0.5, 1.0): (0.3, 0.03)})
    assert gain.value == pytest.approx(0.3)
    assert gain.standard_error == pytest.approx(math.hypot(0.03, 0.1))
    (alone,) = gains_of(found, LOSS, {})
    assert alone.standard_error == pytest.approx(0.1)


def test_one_run_whose_rows_tell_nothing_claims_nothing():
    found = points(0.9, 0.8, 0.7)
    assert gains_of(found, LOSS, {})[-1].standard_error is None
    assert "no known noise" in said_of(found, gains_of(found, LOSS, {}), LOSS)


def test_a_part_that_did_not_complete_is_said_and_not_guessed():
    found = [DataPoint(0.25, 250, (0.9, None)), *points(0.9, 0.8, 0.7, num_seeds=2)[1:]]
    result = as_result(found, gains_of(found, LOSS, {}), LOSS)
    assert result.sentence.endswith("the setting did not complete on 25% of train.")
    assert result.to_dict()["points"][0]["mean"] is None
    assert result.gains == ()
    assert DataScaling.from_dict(result.to_dict()) == result
