"""What training gained over the untouched base, and whether test bears validation out. Pure functions of the result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ftsweep.analysis.advice import rows_apart, shown_metric
from ftsweep.domain.objective import Objective
from ftsweep.domain.result import BASELINE, StudyResult
from ftsweep.domain.spelling import number
from ftsweep.domain.trial import TrialRecord

_FAR = 3.0
"""Standard errors of the difference between test and validation."""


def gained_nothing(result: StudyResult, records: Sequence[TrialRecord], objective: Objective) -> bool:
    """Whether the untouched base is as good as the model where that was measured last: on test, else on validation.

    Not where the metric that a person is told in the place of a loss is better for sure: a model may be right more
    often and too sure of it.
    """
    own, base = _beside_base(result, records, objective, objective.metric)
    if own is None or base is None or objective.is_better(own, base):
        return False
    return not _is_told_better(result, records, objective)


def _is_told_better(result: StudyResult, records: Sequence[TrialRecord], objective: Objective) -> bool:
    """Whether the model beats its base for sure by the readable metric that is shown in the place of the loss."""
    shown = _shown(result, objective)
    metric, (own, base) = objective.metrics.get(shown), _beside_base(result, records, objective, shown)
    if result.model is None or shown == objective.metric or metric is None or own is None or base is None:
        return False
    sure = result.intervals.get(result.model.name, {}).get(shown) if result.model_test else None
    if sure is not None:
        return base < sure.low if metric.direction == "maximize" else base > sure.high
    num_rows = _num_rows(result, records).get("validation", 0)
    is_told = metric.is_share and not result.model_test and num_rows > 0 and 0 <= own <= 1
    return is_told and own - base > 2 * math.sqrt(own * (1 - own) / num_rows)


def _shown(result: StudyResult, objective: Objective) -> str:
    """The metric that a person is told, of those of the split on which the model is held against its base."""
    names = result.model_test or {key.rpartition("/")[2]: 0.0 for key in (result.model.values if result.model else {})}
    return shown_metric(names, objective)


def _num_rows(result: StudyResult, records: Sequence[TrialRecord]) -> Mapping[str, int]:
    """Rows by split that the model was trained and measured on, those of a group as one; {} where it is not known."""
    branch = next((each.proposal.branch for each in records if each.number == result.number), "")
    return rows_apart(result.data.get(branch or "main", {}))[0]


def _beside_base(
    result: StudyResult, records: Sequence[TrialRecord], objective: Objective, metric: str
) -> tuple[float | None, float | None]:
    """A metric of the model and of its untouched base; None for what was not measured or is no number.

    With branches the advice says it, of the best approach that trains nothing as well. A model that was not trained is
    not held against its base.
    """
    outcome = next((each.outcome for each in records if each.number == result.number), None)
    is_trained = outcome is None or outcome.extra.get("num_trained_parameters") != 0
    if result.approaches or result.model is None or not is_trained:
        return None, None
    if objective.metric in result.model_test:
        return _known(result.model_test.get(metric)), _known(result.test.get(BASELINE, {}).get(metric))
    bases = [values[metric] for values in result.baseline.values() if metric in values]
    told = result.model.values.get(f"{objective.split}/{metric}")
    own_value = result.model.value if metric == objective.metric else told
    return _known(own_value), _known(bases[0]) if len(bases) == 1 else None


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def over_base(result: StudyResult, records: Sequence[TrialRecord], objective: Objective) -> str:
    """Whether training gained anything at all, where that is in doubt."""
    own, base = _beside_base(result, records, objective, objective.metric)
    if result.model is None or own is None or base is None:
        return ""
    on_test = objective.metric in result.model_test
    split = "test" if on_test else "validation"
    what = f"on {split} the untouched base has {objective.metric} {number(base)}, the model {number(own)}"
    if gained_nothing(result, records, objective):
        metric = objective.metrics.get(objective.metric)
        if metric is not None and base == (metric.high if objective.direction == "maximize" else metric.low):
            return f"Fine-tuning gained nothing: {what}. The base leaves nothing to gain."
        return (
            f"Fine-tuning gained nothing: {what}. Before more trials see whether the inputs tell the answers at all, "
            "and what the trials' fit says."
        )
    if not objective.is_better(own, base):
        shown = _shown(result, objective)
        ours, theirs = _beside_base(result, records, objective, shown)
        return (
            f"By {objective.metric} fine-tuning gained nothing, by {shown} it did: {what}; {shown} {number(theirs)} "
            f"and {number(ours)}. A model may be right more often, and too sure where it is wrong."
        )
    sure = result.intervals.get(result.model.name, {}).get(objective.metric) if on_test else None
    is_open = sure is not None and sure.low <= base <= sure.high
    if is_open and not _is_told_better(result, records, objective):
        return f"Whether fine-tuning gained anything is open: {what}, and its 95 % interval holds both."
    return _by_guessing(result, records, objective) if on_test else ""


def _by_guessing(result: StudyResult, records: Sequence[TrialRecord], objective: Objective) -> str:
    """That the model is better by F1 alone, which guesses have over a base that always names one label."""
    metric = objective.metrics.get(objective.metric)
    accuracy, base_accuracy = _beside_base(result, records, objective, "accuracy")
    loss, base_loss = _beside_base(result, records, objective, "loss")
    if metric is None or not metric.is_share or objective.metric == "accuracy":
        return ""
    if accuracy is None or base_accuracy is None or loss is None or base_loss is None:
        return ""
    if accuracy > base_accuracy or loss < base_loss:
        return ""
    return (
        f"By {objective.metric} fine-tuning gained something, by accuracy and loss it did not: on test the untouched "
        f"base has accuracy {number(base_accuracy)} and loss {number(base_loss)}, the model {number(accuracy)} and "
        f"{number(loss)}. Guesses have a better {objective.metric} than always naming one label: see whether the "
        "inputs tell the answers at all."
    )


def far_from_validation(result: StudyResult, records: Sequence[TrialRecord], objective: Objective) -> str:
    """That test is worse than validation by more than the rows' chance, with what may be behind it."""
    model, own = result.model, _known(result.model_test.get(objective.metric))
    sure = {} if model is None else result.intervals.get(model.name, {})
    if model is None or own is None or objective.metric not in sure:
        return ""
    value = model.value if model.corrected is None else model.corrected
    drop = own - value if objective.direction == "minimize" else value - own
    error = _error_of_drop(result, records, objective, value, sure[objective.metric].standard_error)
    if error is None or drop <= _FAR * error:
        return ""
    return (
        f"On test the model is worse by {number(drop, digits=2)} than on validation, which rows' chance does not make: "
        "the two splits differ (other people, times or sources), or a few groups of rows make up each. Test is what to "
        "believe."
    )


def _error_of_drop(
    result: StudyResult, records: Sequence[TrialRecord], objective: Objective, value: float, on_test: float
) -> float | None:
    """The standard error of test against validation, by the rows of each; None where test's rows do not tell it.

    Where all answers of test are right, or wrong, resamples of it do not vary; what as many rows make of validation's
    share does.
    """
    rows = _num_rows(result, records)
    num_test, num_validation = rows.get("test"), rows.get("validation")
    metric = objective.metrics.get(objective.metric)
    if metric is not None and metric.is_share and num_test and 0 <= value <= 1:
        on_test = max(on_test, math.sqrt(value * (1 - value) / num_test))
    if on_test == 0:
        return None
    return on_test * math.sqrt(1 + (num_test / num_validation if num_test and num_validation else 1))
