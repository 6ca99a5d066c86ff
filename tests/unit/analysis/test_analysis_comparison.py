"""What represents an approach, what it cost, and what of it is kept."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace
from typing import Any

from comparison_records import OBJECTIVE, facts, record

from ftsweep.analysis.comparison import base_label, best_trials, compare, cost, distinct_bases, kept_trials
from ftsweep.analysis.result_record import result_metrics
from ftsweep.domain.answers import Model
from ftsweep.domain.approach import Approach
from ftsweep.domain.result import StudyResult
from ftsweep.domain.scores import Interval
from ftsweep.domain.trial import TrialRecord
from ftsweep.report.tables.approaches import approach_data
from ftsweep.report.tables.csv_text import csv_text

BASE = {"accuracy": 0.25, "loss": 1.4}
RECORDS = [
    record(0, "full", 0.7, seconds=40, parameters=9000, is_default=True),
    record(1, "lora", 0.65, seconds=30, parameters=300, is_default=True),
    record(2, "lora", 0.95, kind="pruned"),
    record(3, "lora", 0.99, constraint=0.5),
    record(4, "full", 0.8, seconds=44, parameters=9000),
    record(5, "head", 0.9, kind="pruned"),
    record(6, "head", 0.9, kind="infeasible"),
    record(7, "head", 0.9, kind="pruned"),
]


def metrics_of(approach: Approach) -> dict[str, float]:
    return result_metrics(StudyResult("", approaches=(approach,)), {})


def line_up(records: list[TrialRecord] = RECORDS, **changes: Any) -> dict[str, Approach]:
    branches = list(dict.fromkeys(one.proposal.branch for one in records))
    given: dict[str, Any] = {
        "baseline": dict.fromkeys(branches, BASE),
        "test": {"trial-0004": {"accuracy": 0.75}, "baseline": {"accuracy": 0.2}},
        "data": facts(*branches),
    }
    return {approach.name: approach for approach in compare(records, OBJECTIVE, branches, **{**given, **changes})}


def test_pruned_or_infeasible_trial_never_represents_its_branch() -> None:
    assert best_trials(RECORDS, OBJECTIVE) == {"full": 4, "lora": 1}
    assert line_up()["lora"].trial == 1
    assert line_up()["lora"].validation == {"accuracy": 0.65, "loss": 1.0}


def test_chosen_trial_stands_for_its_branch_and_leads() -> None:
    assert list(best_trials(RECORDS, OBJECTIVE, chosen=1).items()) == [("lora", 1), ("full", 4)]
    assert list(best_trials(RECORDS, OBJECTIVE, chosen=0).items()) == [("full", 0), ("lora", 1)]
    assert line_up(chosen=Model(0, 0.7, 2, "why"))["full"].trial == 0, "runs with fresh seeds preferred it to trial 4"
    assert line_up()["full"].trial == 4


def test_branch_without_a_complete_trial_appears_with_its_fate() -> None:
    head = line_up()["head"]
    assert (head.trial, head.fate, head.num_trials) == (None, "2 pruned, 1 infeasible", 3)
    assert not head.has_score
    assert head.branch_seconds == 30, "what its trials cost is told all the same"
    assert compare([], OBJECTIVE, ["head"], baseline={}, test={}, data={})[0].fate == "no trial was run"


def test_approach_carries_scores_and_costs_of_its_best_trial() -> None:
    full = line_up()["full"]
    assert (full.trial, full.trained_parameters, full.train_seconds, full.branch_seconds) == (4, 9000, 44, 84)
    assert full.test == {"accuracy": 0.75}
    assert full.forgetting is None
    forgetful = [record(0, "full", 0.7, **{"general/forgetting": 0.2})]
    assert line_up(forgetful)["full"].forgetting == 0.2
    trial = record(0, "full", 0.7)
    assert trial.outcome is not None
    told = replace(trial.outcome, extra={**trial.outcome.extra, "metrics": {"general/forgetting": 0.3}})
    assert line_up([replace(trial, outcome=told)])["full"].forgetting == 0.3


def test_untouched_base_stands_beside_the_branches_and_costs_nothing() -> None:
    approaches = line_up()
    assert list(approaches) == ["untouched base", "lora", "full", "head"], "the cheapest first, the unknown last"
    base = approaches["untouched base"]
    assert (base.trained_parameters, base.train_seconds, base.trial) == (0, 0.0, None)
    assert (base.validation, base.test) == (BASE, {"accuracy": 0.2})


def test_bases_that_differ_each_have_a_line_and_their_own_test_scores() -> None:
    baseline = {"lora": BASE, "few": {"accuracy": 0.5}, "full": BASE}
    assert distinct_bases(baseline, "few") == [("few",), ("lora", "full")]
    assert [base_label(labels, "few") for labels in distinct_bases(baseline, "few")] == ["baseline", "baseline-lora"]
    records = [record(0, "lora", 0.6), record(1, "few", 0.7, parameters=0), record(2, "full", 0.5)]
    test = {"baseline": {"accuracy": 0.4}, "baseline-lora": {"accuracy": 0.1}}
    approaches = line_up(records, baseline=baseline, test=test)
    assert approaches["untouched base (few)"].test == {"accuracy": 0.4}
    assert approaches["untouched base (lora, full)"].test == {"accuracy": 0.1}


def test_order_is_by_training_time_then_by_parameters() -> None:
    slow, quick = record(0, "slow", 0.6, seconds=20, parameters=10), record(1, "quick", 0.6, seconds=2)
    few, idle = record(2, "few", 0.6, seconds=2.01, parameters=10), record(3, "idle", 0.6, seconds=0, parameters=0)
    unknown = record(4, "unknown", 0.6, seconds=2, parameters=None)
    assert list(line_up([slow, unknown, quick, few, idle])) == [
        "untouched base",
        "idle",
        "few",  # its time is the same within what a clock can tell
        "quick",
        "unknown",
        "slow",
    ]
    assert cost(line_up([idle])["idle"]) > cost(line_up([idle])["untouched base"])


def test_branch_on_other_data_is_not_comparable() -> None:
    approaches = line_up(data=facts("full", "lora", "head", lora="other"))
    assert [name for name, approach in approaches.items() if not approach.is_comparable] == ["lora"]


def test_weights_are_kept_of_each_branch_until_the_study_is_concluded() -> None:
    records = [*RECORDS, record(8, "lora", 0.68)]
    assert kept_trials(records, OBJECTIVE) == {0, 1, 3, 4, 8}, "3 is over its limit, and may keep it made smaller"
    assert kept_trials(records, OBJECTIVE, chosen=4) == {0, 1, 3, 4}, "the winner, the defaults, and that one"
    assert kept_trials([record(0, "", 0.6), record(1, "", 0.7)], OBJECTIVE) == {1}


def test_scores_that_are_not_finite_are_left_out() -> None:
    approaches = line_up([record(0, "full", 0.7, **{"validation/f1": math.nan})], test={"trial-0000": {"f1": math.inf}})
    assert "f1" not in approaches["full"].validation
    assert approaches["full"].test == {}


def test_approach_survives_json_and_is_told_to_recorders() -> None:
    approaches = line_up()
    assert [Approach.from_dict(one.to_dict()) for one in approaches.values()] == list(approaches.values())
    assert metrics_of(approaches["full"]) == {
        "branch/full/validation/accuracy": 0.8,
        "branch/full/validation/loss": 1.0,
        "branch/full/test/accuracy": 0.75,
        "branch/full/num_trials": 2,
        "branch/full/trained_parameters": 9000,
        "branch/full/train_seconds": 44,
        "branch/full/branch_seconds": 84,
    }
    assert metrics_of(approaches["untouched base"])["base/head/test/accuracy"] == 0.2


def test_table_has_a_line_per_approach_and_an_empty_cell_for_the_unknown() -> None:
    lines = list(csv.DictReader(io.StringIO(csv_text(approach_data(list(line_up().values()))))))
    assert [line["name"] for line in lines] == ["untouched base", "lora", "full", "head"]
    assert [line["test/accuracy"] for line in lines] == ["0.2", "", "0.75", ""]
    assert lines[0]["branches"] == "full lora head"
    sure = {"trial-0004": {"accuracy": Interval(0.02, 0.71, 0.79)}}
    lines = list(csv.DictReader(io.StringIO(csv_text(approach_data(list(line_up(intervals=sure).values()))))))
    assert [line["test/accuracy_standard_error"] for line in lines] == ["", "", "0.02", ""]
