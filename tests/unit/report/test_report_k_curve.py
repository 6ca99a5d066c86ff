"""The k-curve: one line per approach through its best trial at each k, with the spread over draws."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from report_studies import StudyBuilder

from ftsweep.domain.measurement import Measurement
from ftsweep.report import figures
from ftsweep.report.figures import k_curve
from ftsweep.report.overview import read_overview
from ftsweep.store.atomic import append_line

SWEEP = """\
study: {name: demo}
budget: {trials: 6}
objective: {metric: macro_f1, split: validation, direction: maximize}
rungs: {count: 1}
branches:
  asked: {space: {strategy: {k: [0, 2, 8]}}}
  tuned: {space: {strategy: {k: [2, 8]}}}
"""


@pytest.fixture
def builder(tmp_path: Path) -> StudyBuilder:
    builder = StudyBuilder(tmp_path, sweep=SWEEP)
    for number, (branch, k, value, spread) in enumerate(
        [
            ("asked", 0, 0.30, None),
            ("asked", 8, 0.40, 0.05),
            ("asked", 2, 0.50, 0.02),
            ("asked", 8, 0.45, 0.01),
            ("tuned", 2, 0.20, None),
            ("tuned", 8, 0.60, 0.10),
        ]
    ):
        builder.trial(number, [], params={f"{branch}.strategy.k": k}, branch=branch)
        values = {"validation/macro_f1": value, "validation/loss": 1.0}
        if spread is not None:
            values["validation/macro_f1_spread"] = spread
        point = Measurement(1, 1.0, 100, 0, 1.0, 1_000.0, values)
        append_line(builder.folder.trial(number).measurements_file, point.to_dict())
    return builder


def test_line_goes_through_the_best_trial_at_each_k_in_order_of_k(builder):
    assert k_curve.table(read_overview(builder.folder)) == [
        {"approach": "asked", "k": 0, "trial": 0, "value": 0.30, "spread": None},
        {"approach": "asked", "k": 2, "trial": 2, "value": 0.50, "spread": 0.02},
        {"approach": "asked", "k": 8, "trial": 3, "value": 0.45, "spread": 0.01},
        {"approach": "tuned", "k": 2, "trial": 4, "value": 0.20, "spread": None},
        {"approach": "tuned", "k": 8, "trial": 5, "value": 0.60, "spread": 0.10},
    ]


def test_band_is_the_spread_around_the_line(builder):
    drawn = figures.draw("k_curve", read_overview(builder.folder))
    bands = [trace for trace in drawn.data if trace.fill == "toself"]
    assert [round(value, 6) for value in bands[1].y] == [0.2, 0.7, 0.5, 0.2]
    lines = {trace.name: list(trace.y) for trace in drawn.data if trace.name}
    assert lines == {"asked": [0.30, 0.50, 0.45], "tuned": [0.20, 0.60]}
    assert list(drawn.layout.xaxis.ticktext) == ["0", "2", "8"]


def test_trial_that_did_not_fit_has_no_point(builder):
    builder.trial(6, [], "infeasible", params={"asked.strategy.k": 64}, branch="asked", reason="does not fit")
    assert 64 not in [line["k"] for line in k_curve.table(read_overview(builder.folder))]
    assert figures.is_about("k_curve", read_overview(builder.folder))


def test_study_in_which_k_does_not_vary_has_no_curve(tmp_path):
    builder = StudyBuilder(tmp_path)
    builder.trial(0, [1.0, 0.5], params={"strategy.rank": 4})
    assert not figures.is_about("k_curve", read_overview(builder.folder))
    builder.trial(1, [1.0, math.nan], params={"strategy.k": 4})
    assert not figures.is_about("k_curve", read_overview(builder.folder))
