"""The winner's evidence: settings that were run again and scores on test with intervals, drawn and as tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from report_studies import StudyBuilder

from ftsweep.analysis.result_record import result_metrics, result_tags
from ftsweep.domain.objective import Objective
from ftsweep.report import figures
from ftsweep.report.figures import winner_evidence
from ftsweep.report.overview import read_overview
from ftsweep.report.tables import scores
from ftsweep.report.tables.evidence import write_evidence
from ftsweep.store.atomic import write_json
from ftsweep.store.result import read_result, result_file

LEAD = {"value": 0.03, "standard_error": 0.02, "is_sure": False}
CONTENDERS = [
    {
        "number": 2,
        "value": 0.40,
        "seeds": [0.5, 0.6],
        "mean": 0.55,
        "standard_error": 0.04,
        "is_default": False,
        "over_default": LEAD,
        "standing": "undecided",
    },
    {"number": 0, "value": 0.45, "seeds": [0.58, None], "is_default": True, "behind": LEAD},
]
FACTS = {
    "winner": 2,
    "sentence": "Trial 2 is best.",
    "test": {"trial-0002": {"loss": 0.6}, "trial-0000": {"loss": 0.7}, "baseline": {"loss": 1.1}},
    "intervals": {
        "trial-0002": {"loss": {"standard_error": 0.05, "low": 0.5, "high": 0.7}},
        "baseline": {"loss": {"standard_error": 0.05, "low": 1.0, "high": 1.2}},
    },
    "setting": {
        "number": 2,
        "contenders": CONTENDERS,
        "reason": "Trial 2: because.",
        "spread": 0.06,
        "ended": "its share of the training is used up",
    },
}


@pytest.fixture
def builder(tmp_path: Path) -> StudyBuilder:
    builder = StudyBuilder(tmp_path)
    builder.trial(0, [1.0, 0.45], is_default=True)
    builder.trial(2, [1.0, 0.40])
    builder.result(**FACTS)
    return builder


def test_seeds_means_and_search_values_are_drawn_for_each_setting_run_again(builder):
    drawn = figures.draw("winner_evidence", read_overview(builder.folder))
    texts = [text for trace in drawn.data for text in trace.hovertext]
    assert "trial 2, seed 1: 0.5" in texts
    assert "trial 2, mean: 0.55; ahead of the default by 0.03 ± 0.02" in texts
    assert "trial 0 (default), in the search: 0.45" in texts
    assert not any("trial 0 (default), mean" in text for text in texts)
    assert (drawn.layout.xaxis.matches, drawn.layout.xaxis2.matches) == (None, "x"), "no axis follows itself"


def test_test_scores_carry_their_intervals_and_those_without_are_left_out(builder):
    found = winner_evidence.info(read_overview(builder.folder))
    assert [(line.label, line.low, line.high, line.is_winner) for line in found.tested] == [
        ("trial 2", 0.5, 0.7, True),
        ("untouched base", 1.0, 1.2, False),
    ]


def test_a_study_that_has_gone_on_since_shows_no_old_evidence(builder):
    builder.trial(3, [1.0], kind=None)
    assert winner_evidence.info(read_overview(builder.folder)).again == ()


def test_tables_have_every_setting_run_again_and_every_score(builder):
    (folder,) = write_evidence(builder.folder, read_result(builder.folder))
    again = list(csv.DictReader((folder / "confirmation.csv").read_text(encoding="utf-8").splitlines()))
    assert [(row["trial"], row["mean"], row["standing"], row["behind"], row["seeds"]) for row in again] == [
        ("2", "0.55", "undecided", "", "0.5; 0.6"),
        ("0", "", "alone", "0.03", "0.58; no value"),
    ]
    tested = list(csv.DictReader((folder / "test.csv").read_text(encoding="utf-8").splitlines()))
    assert [(row["model"], row["value"], row["high"]) for row in tested] == [
        ("trial-0002", "0.6", "0.7"),
        ("trial-0000", "0.7", ""),
        ("baseline", "1.1", "1.2"),
    ]


def test_a_record_gets_why_and_how_sure(builder):
    builder.result(**FACTS, test_looks=2)
    result = read_result(builder.folder)
    assert result_tags(result, Objective()) == {
        "sentence": "Trial 2 is best.",
        "winner": "trial-0002",
        "chosen_because": "It is the best.",
        "setting": "trial-0002",
        "setting_because": "Trial 2: because.",
        "setting_standing": "undecided",
        "race_ended_because": "its share of the training is used up",
        "test_looks": "2",
    }
    assert result_metrics(result, {}) == {
        "model/value": 0.4,
        "model/optimism": 0.0,
        "setting/mean": 0.55,
        "setting/standard_error": 0.04,
        "setting/seed_spread": 0.06,
        "setting/num_fresh_runs": 4.0,
        "test/loss_low": 0.5,
        "test/loss_high": 0.7,
    }


def test_a_model_of_a_fresh_seed_is_told_from_its_trial(builder):
    test = {"trial-0002-1": {"loss": 0.5}, **FACTS["test"]}
    builder.result(**{**FACTS, "test": test})
    told = json.loads(result_file(builder.folder).read_text(encoding="utf-8"))
    told["model"]["seed"] = 1
    write_json(result_file(builder.folder), told)
    study = read_overview(builder.folder)
    assert [(each.number, each.seed) for each in study.tests][:2] == [(2, 1), (2, 0)]
    assert scores.tested(study, study.best).values == {"test/loss": 0.5}
    assert scores.tested_table(study.result, study.objective).rows[0].cells[0].text == "trial 2, fresh seed 1 (winner)"
