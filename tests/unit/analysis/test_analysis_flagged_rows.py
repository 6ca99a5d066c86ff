from __future__ import annotations

from dataclasses import replace

from ftsweep.analysis.flagged_rows import flagged_lines, said_of_flagged, told_metric
from ftsweep.analysis.result_record import result_metrics, result_tags
from ftsweep.domain.metric import Metric
from ftsweep.domain.objective import Objective
from ftsweep.domain.result import StudyResult
from ftsweep.domain.scores import Interval, PartScores
from ftsweep.tasks.classification import Classification

LOSS = Objective(metrics={**Classification.metrics, "cost": Metric("minimize", low=0)})


def part(num_rows, loss, error=None):
    intervals = {} if error is None else {"loss": Interval(error, loss - error, loss + error)}
    return PartScores(num_rows, {"loss": loss}, intervals)


LEAKY = {
    "validation": {"clean": part(90, 0.8, 0.03), "flagged": part(10, 0.2, 0.04), "exact_copies": part(10, 0.2, 0.04)}
}


def test_a_difference_beyond_its_noise_is_called_one():
    assert said_of_flagged(LEAKY, LOSS) == (
        "10 of 100 rows of validation are flagged (exact_copies 10): loss 0.2 there, 0.8 on clean rows, "
        "a difference of -0.6 ± 0.05."
    )


def test_a_difference_within_its_noise_is_not():
    close = {"test": {**LEAKY["validation"], "flagged": part(10, 0.75, 0.04)}}
    assert "within the noise: a difference of -0.05 ± 0.05." in said_of_flagged(close, LOSS)


def test_accuracy_is_told_rather_than_a_mean_over_classes_that_few_rows_lack():
    assert told_metric({"loss": 1.0, "macro_f1": 0.5, "accuracy": 0.5}, replace(LOSS, metric="macro_f1")) == "accuracy"
    assert told_metric({"loss": 1.0, "cost": 0.5, "accuracy": 0.5}, replace(LOSS, metric="cost")) == "cost"
    assert told_metric({"loss": 1.0, "calibration_error": 0.5}, LOSS) == "loss"


def test_a_few_flagged_rows_have_no_noise_to_tell():
    one = {"test": {"clean": part(99, 0.8, 0.03), "flagged": part(1, 0.2), "exact_copies": part(1, 0.2)}}
    assert said_of_flagged(one, LOSS).endswith("0.8 on clean rows; too few rows to compare.")


def test_a_split_without_a_clean_row_says_so():
    all_flagged = {"test": {"flagged": part(9, 0.2, 0.1), "shared_groups": part(9, 0.2, 0.1)}}
    assert said_of_flagged(all_flagged, LOSS).endswith("(shared_groups 9): no row is clean.")
    assert [line.part for line in flagged_lines(all_flagged, LOSS)[1]] == ["flagged", "shared_groups"]
    assert result_metrics(StudyResult("", flagged=all_flagged), LOSS.metrics)["clean/test/num_rows"] == 0


def test_nothing_flagged_and_nothing_asked_leaves_no_record():
    assert said_of_flagged({}, LOSS) == ""
    assert result_metrics(StudyResult(""), {}) == {}
    assert result_tags(StudyResult("Nothing."), LOSS) == {"sentence": "Nothing."}
