"""Both answers in one paragraph, the same in the terminal, the report and the record. A pure function of the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ftsweep.analysis.advice import shown_metric
from ftsweep.analysis.answers import model_words
from ftsweep.domain.answers import Lead, Model, RacedSetting, Setting, model_name
from ftsweep.domain.objective import Objective
from ftsweep.domain.result import BASELINE
from ftsweep.domain.spelling import number, plural
from ftsweep.domain.trial import TrialRecord

Scores = Mapping[str, Mapping[str, float]]


def said_of_choice(
    model: Model,
    setting: Setting | None,
    records: Sequence[TrialRecord],
    objective: Objective,
    *,
    num_rungs: int,
    baseline: Scores,
    test: Scores,
    default: int | None,
) -> str:
    """The model's value beside its untouched base and, on test, the default setting's; then what its setting is worth.

    baseline: validation metrics by branch label; test: scores by model; default: the trial of the default setting that
    contenders were held against.
    """
    trial = next(record for record in records if record.number == model.number)
    if default is None:  # it was no contender: beside it on test stands its branch's, where that was measured
        peers = [record for record in records if record.proposal.branch == trial.proposal.branch]
        default = next((record.number for record in peers if record.proposal.is_default), None)
    reference = None if default in (None, model.number) else test.get(model_name(default or 0))
    text = _of_model(model, trial, objective, num_rungs, baseline) + _of_test(model, objective, test, reference)
    return " ".join(filter(None, (text, _of_setting(model, setting, objective, test, reference))))


def _of_model(model: Model, trial: TrialRecord, objective: Objective, num_rungs: int, baseline: Scores) -> str:
    where = f" of branch {trial.proposal.branch}" if trial.proposal.branch else ""
    name = model_words(model.number, model.seed).replace("trial", "Trial", 1)
    text = f"{name}{where} is chosen: {objective.key} {number(model.value)} at rung {model.rung} of {num_rungs}"
    base = baseline.get(trial.proposal.branch or "main", {}).get(objective.metric)
    against = []
    if base is not None:
        against.append(
            f"{'' if objective.is_better(model.value, base) else 'no better than the '}untouched base {number(base)}"
        )
    if model.corrected is not None and number(model.corrected) != number(model.value):
        against.append(f"about {number(model.corrected)} without the luck of being the best of {model.num_models}")
    return text + (f" ({'; '.join(against)})" if against else "")


def _of_test(model: Model, objective: Objective, test: Scores, reference: Mapping[str, float] | None) -> str:
    scores = test.get(model.name, {})
    if not scores:
        return "."
    shown = shown_metric(scores, objective)
    against = [f"default setting {number(reference[shown])}"] if reference is not None else []
    if shown in test.get(BASELINE, {}):
        against.append(f"untouched base {number(test[BASELINE][shown])}")
    return f"; on test {shown} {number(scores[shown])}" + (f" ({', '.join(against)})" if against else "") + "."


def _of_setting(
    model: Model, setting: Setting | None, objective: Objective, test: Scores, reference: Mapping[str, float] | None
) -> str:
    if setting is None:
        return ""
    raced = setting.of(model.number)
    parts = [_of_standing(raced), _of_lead(model, objective, test, reference), _of_next(model, setting, objective)]
    text = "; ".join(filter(None, parts))
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _of_standing(raced: RacedSetting | None) -> str:
    """What the model's setting is worth on average over seeds."""
    if raced is None or raced.mean is None:
        return "this setting did not hold with every fresh seed" if raced else ""
    if raced.is_default:
        return "this model is a good draw of the default setting itself"
    lead, seeds = raced.over_default, plural(len(raced.seeds), "fresh seed")
    if raced.standing == "alone" or lead is None:
        return ""
    if raced.standing == "no better":
        return f"this model is a good draw of a setting that is no better than the default on average ({seeds})"
    if raced.standing == "better":
        return f"its setting is better than the default on average, too, by {_sized(lead)} over {seeds}"
    is_known = lead.margin is not None
    sure = f"only a lead above {number(lead.margin, digits=2)} is sure" if is_known else "no lead is sure"
    return f"a tie: its setting leads the default by {_sized(lead)} on average over {seeds}, where {sure}"


def _of_lead(model: Model, objective: Objective, test: Scores, reference: Mapping[str, float] | None) -> str:
    """Whether the model is better than the default's on test too, by the objective's own metric."""
    if model.over_default is None or model.over_default.value <= 0:
        return ""
    own, other = (scores.get(objective.metric) for scores in (test.get(model.name, {}), reference or {}))
    if own is None or other is None:
        return ""
    held = "held" if objective.is_better(own, other) else "did not hold"
    values = f"{objective.metric} {number(own)} against {number(other)}"
    return f"the model's lead over the default {held} on test ({values})"


def _of_next(model: Model, setting: Setting, objective: Objective) -> str:
    """Which setting to train again."""
    if setting.number == model.number:
        return "it is the setting to train again as well"
    mean = setting.chosen.mean
    return f"to train again take the setting of trial {setting.number}, {objective.key} {number(mean)} on average"


def _sized(lead: Lead) -> str:
    error = "" if lead.standard_error is None else f" ± {number(lead.standard_error, digits=2)}"
    return number(lead.value, digits=2) + error
