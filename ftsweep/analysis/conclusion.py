"""What a study came to, in the same words on every screen. Pure functions of the result and the trials."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ftsweep.analysis.advice import shown_metric
from ftsweep.analysis.fates import describe_fates
from ftsweep.analysis.gain import far_from_validation, gained_nothing, over_base
from ftsweep.domain.answers import model_name
from ftsweep.domain.commands import study_command
from ftsweep.domain.objective import Objective
from ftsweep.domain.ranking import rank
from ftsweep.domain.result import BASELINE, StudyResult
from ftsweep.domain.spelling import number, plural
from ftsweep.domain.trial import TrialRecord

_NAMED = 3  # trials that are told by number


def said_in_full(result: StudyResult, records: Sequence[TrialRecord], objective: Objective) -> tuple[str, ...]:
    """What was chosen and why, what it is worth, what was not run again, and whether the search was worth it.

    A paragraph each, the most important first; a study without a model has its sentence and its note.
    """
    model, setting = result.model, result.setting
    said = [result.sentence, result.advice]
    if model is not None:
        said += [model.reason, setting.reason if setting else ""]
        said += [_beside_search(result, objective), _on_test(result, records, objective)]
        said += [far_from_validation(result, records, objective)]
        said += [over_base(result, records, objective), _all_right(result, objective)]
        said += [_not_again(result, records, objective), _worth(result, records, objective)]
    said += list(result.forgetting.sentences) if result.forgetting else []
    said += [result.note, paused_text(records)]
    return tuple(dict.fromkeys(text for text in said if text))


def paused_text(records: Sequence[TrialRecord]) -> str:
    """Which trials are paused, and what has them go on; "" where none is."""
    told = [
        f"trial {each.number} at rung {each.pause.rung}{'' if each.pause.has_checkpoint else ' (to begin anew)'}"
        for each in records
        if each.pause is not None
    ]
    if not told:
        return ""
    more = f" and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
    return (
        f"Paused: {', '.join(told[:_NAMED])}{more}. A run with more budget (budget.trials, or study.extend=true with a "
        "larger space) has the pruner look at them again, and `ftsweep pin STUDY TRIAL` has one go on at the next run."
    )


def next_command(
    result: StudyResult, records: Sequence[TrialRecord], objective: Objective, study: str, store: Path | str
) -> str:
    """The one command to go on with: have the model; or see what became of the trials, where there is none or it is
    worse than no training.
    """
    if result.model is None or gained_nothing(result, records, objective):
        return study_command("status", study, store=store)
    return study_command("best", study, "--export", f"{study}-model", store=store)


def _all_right(result: StudyResult, objective: Objective) -> str:
    """That every row of test is right, which easy tasks and rows that give the answer away have in common."""
    shown = shown_metric(result.model_test, objective) if result.model_test else ""
    metric = objective.metrics.get(shown)
    if metric is None or not metric.is_share or result.model_test[shown] != metric.high:
        return ""
    return (
        f"The model has {shown} {number(result.model_test[shown])} on test. The task is easy, or something gives the "
        "answers away: do rows of one person, document or template stand on both sides (data.group keeps them on one), "
        "and is the answer in the input?"
    )


def _beside_search(result: StudyResult, objective: Objective) -> str:
    """The mean over fresh seeds beside the value that the search had, of the model's setting where another one is to be
    trained again: of that one its reason says so.
    """
    raced = None if result.setting is None or result.number is None else result.setting.of(result.number)
    if raced is None or raced.mean is None or result.setting is None or result.setting.number == raced.number:
        return ""
    error = "" if raced.standard_error is None else f" ± {number(raced.standard_error, digits=2)}"
    return (
        f"The setting of trial {raced.number}: {objective.key} {number(raced.value)} in the search, "
        f"{number(raced.mean)}{error} on average over {plural(len(raced.seeds), 'fresh seed')}."
    )


def _on_test(result: StudyResult, records: Sequence[TrialRecord], objective: Objective) -> str:
    """The model's score on test beside those of the default setting and the untouched base, with 95 % intervals."""
    scores = result.model_test
    if not scores or result.model is None:
        return ""
    shown = shown_metric(scores, objective)
    default = _default(result, records)
    names = {"the model": result.model.name}
    if default is not None and model_name(default) != result.model.name:
        names["the default setting"] = model_name(default)
    names["the untouched base"] = BASELINE
    told = []
    for words, name in names.items():
        if shown in result.test.get(name, {}):
            interval = result.intervals.get(name, {}).get(shown)
            sure = "" if interval is None else f" ({number(interval.low)} to {number(interval.high)})"
            told.append(f"{words} {number(result.test[name][shown])}{sure}")
    intervals = " (95 % intervals)" if any(result.intervals.values()) else ""
    return f"On test, {shown}{intervals}: {', '.join(told)}."


def _not_again(result: StudyResult, records: Sequence[TrialRecord], objective: Objective) -> str:
    """Complete trials of which the search's run alone was weighed, the best first."""
    raced = {each.number for each in result.contenders}
    once = [each.number for each in rank(records, objective) if each.number not in raced]
    if not once or len(once) + len(raced) < 2:
        return ""
    named = ", ".join(map(str, once[:_NAMED])) + (f" and {len(once) - _NAMED} more" if len(once) > _NAMED else "")
    which = f"trial {named}" if len(once) == 1 else f"trials {named}"
    if not raced:
        return "No setting has a mean over fresh seeds: how much of a difference between trials is luck, is not known."
    values = "its value" if len(once) == 1 else "their values"
    return f"Not in the race: of {which} the search's run alone was weighed, so that {values} may be luck."


def _worth(result: StudyResult, records: Sequence[TrialRecord], objective: Objective) -> str:
    """Whether the search found something better than the configuration as written."""
    model, default = result.model, _default(result, records)
    if model is None:
        return ""
    if default is None:
        return "The default setting was not among the trials: whether the search beats it is not known."
    if default == model.number:
        return _worth_beside_default(result, records, objective)
    if model.over_default is None:
        fate = describe_fates([each for each in records if each.number == default])
        is_known = any(each.number == default for each in rank(records, objective))
        return "" if is_known else f"The default setting's trial has no value to hold the model against ({fate})."
    own, other = (result.test.get(name, {}).get(objective.metric) for name in (model.name, model_name(default)))
    if own is not None and other is not None and not objective.is_better(own, other):
        return "Whether the search was worth it is open: on test its model is no better than the default setting's."
    if model.over_default.standard_error is None:
        return (
            f"Whether the search was worth it is open: {objective.key} of single rows is not known, and so not how "
            "sure the model's lead over the default setting is."
        )
    if not model.over_default.is_sure:
        return "Whether the search was worth it is open: chance makes such a lead over the default setting as well."
    held = " and on test" if own is not None and other is not None else ""
    if gained_nothing(result, records, objective):
        lead = f"The search's model beats the default setting's on validation for sure{held}"
        return f"{lead}; the untouched base is no worse than it."
    return f"The search was worth it: its model beats the default setting's on validation for sure{held}."


def _worth_beside_default(result: StudyResult, records: Sequence[TrialRecord], objective: Objective) -> str:
    """The same where the chosen model is one of the default setting itself."""
    others, setting = [each for each in records if each.number != result.number], result.setting
    if not others:
        return "Only the default setting was tried: what a search would find is not known."
    if not any(each.number != result.number for each in rank(records, objective)):
        fates = describe_fates(others)
        return f"No other trial came to its end with a value that counts ({fates}): nothing beats the default setting."
    if setting is not None and setting.number != result.number and setting.chosen.standing == "better":
        return (
            f"The search was worth it for the setting of trial {setting.number}, on average better than the default "
            "one for sure; of the models in hand one of the default setting is the best."
        )
    branch = next((each.proposal.branch for each in records if each.number == result.number), "")
    if branch:
        return f"No setting of branch {branch} is better than its default one for sure."
    return "Nothing that was tried is better than the default setting for sure."


def _default(result: StudyResult, records: Sequence[TrialRecord]) -> int | None:
    """The trial of the default setting: the one in the race, or else that of the model's branch."""
    raced = next((each.number for each in result.contenders if each.is_default), None)
    if raced is not None:
        return raced
    branch = next((each.proposal.branch for each in records if each.number == result.number), None)
    return next((each.number for each in records if each.proposal.is_default and each.proposal.branch == branch), None)
