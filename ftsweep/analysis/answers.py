"""The two answers in the form that a study's result keeps, each with its reason in a sentence. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ftsweep.analysis.seed_spread import Difference
from ftsweep.analysis.two_answers import ModelAnswer, SettingAnswer, SettingMean
from ftsweep.domain.answers import Lead, Model, RacedSetting, Setting
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.spelling import number, plural

_NAMED = 3  # models that are told by number


def as_model(answer: ModelAnswer, best: Measurement, objective: Objective, *, tells_rows: bool) -> Model:
    """The chosen weights, which were measured so at their best rung.

    tells_rows: whether it is known how sure the values are; else nothing of that is said, and no lead is sure.
    """
    sign = 1 if objective.direction == "minimize" else -1
    corrected = answer.corrected(sign) if tells_rows else None
    return Model(
        answer.setting,
        answer.value,
        best.rung,
        _why_model(answer, objective, corrected),
        seed=answer.seed,
        optimism=answer.optimism,
        corrected=corrected,
        num_models=answer.num_models,
        over_default=_lead(answer.over_default) if tells_rows else _bare_lead(answer.over_default),
        values=dict(best.values),
    )


def as_setting(
    answer: SettingAnswer,
    objective: Objective,
    *,
    searched: Mapping[int, float],
    seeds: Mapping[int, Sequence[float | None]],
    default: int | None,
    ended: str,
    train_seconds: float,
    share: float,
) -> Setting:
    """The chosen setting and the race. `searched` are the contenders' values in the search, `seeds` those of their
    fresh runs in order; train_seconds: of the race; share: what it cost, of what the search did.
    """
    ranked = [_raced(each, searched, seeds, default) for each in answer.settings]
    unsound = [number for number in seeds if answer.of(number) is None and seeds[number]]
    rest = [
        RacedSetting(number, searched[number], tuple(seeds[number]), is_default=number == default) for number in unsound
    ]
    spread = math.sqrt(answer.spread.variance) if answer.spread.degrees else None
    reason = _why_setting(answer, objective, searched[answer.number])
    return Setting(answer.number, reason, (*ranked, *rest), spread, ended, train_seconds, share)


def model_words(number: int, seed: int = 0) -> str:
    """A model for people: `trial 7`, or `trial 7 with fresh seed 2`."""
    return f"trial {number}" + (f" with fresh seed {seed}" if seed else "")


def _raced(
    mean: SettingMean, searched: Mapping[int, float], seeds: Mapping[int, Sequence[float | None]], default: int | None
) -> RacedSetting:
    return RacedSetting(
        mean.number,
        searched[mean.number],
        tuple(seeds[mean.number]),
        mean.mean,
        mean.standard_error,
        mean.number == default,
        _lead(mean.behind),
        _lead(mean.over_default),
        mean.standing,
    )


def _lead(difference: Difference | None) -> Lead | None:
    if difference is None:
        return None
    return Lead(difference.value, difference.standard_error, difference.is_sure, difference.margin)


def _bare_lead(difference: Difference | None) -> Lead | None:
    """A lead of which nobody knows how sure it is."""
    return None if difference is None else Lead(difference.value, None, is_sure=False, margin=None)


def _why_model(answer: ModelAnswer, objective: Objective, corrected: float | None) -> str:
    name = model_words(answer.setting, answer.seed)
    extreme = "lowest" if objective.direction == "minimize" else "highest"
    models = f"{answer.num_models} models"
    if answer.num_models == 1:
        return f"Model: {name} has {objective.key} {number(answer.value)}; it is the only model in hand."
    text = f"Model: {name} has {objective.key} {number(answer.value)}"
    if answer.is_best and answer.equals:
        text += f", as good as the best of {models} in hand: the rows do not tell it from {_named(answer.equals)}"
    elif answer.is_best:
        text += f", the {extreme} of {models} in hand"
    else:
        others = f"which the rows do not tell from {_named(answer.equals)}"
        text += f", {others}, of {models} in hand, and its setting is the better one"
    if corrected is not None and number(corrected) != number(answer.value):
        text += f"; about {number(corrected)} without the luck of having been chosen"
    return f"{text}."


def _named(models: Sequence[tuple[int, int]]) -> str:
    more = f" and {len(models) - _NAMED} more" if len(models) > _NAMED else ""
    return ", ".join(model_words(*each) for each in models[:_NAMED]) + more


def _why_setting(answer: SettingAnswer, objective: Objective, searched: float) -> str:
    chosen, leader = answer.chosen, answer.settings[0]
    error = "" if chosen.standard_error is None else f" ± {number(chosen.standard_error, digits=2)}"
    over = f"on average over {plural(chosen.num_seeds, 'fresh seed')} ({number(searched)} in the search)"
    text = f"Setting: trial {chosen.number} has {objective.key} {number(chosen.mean)}{error} {over}"
    if chosen is not leader:
        return f"{text}, not told from trial {leader.number}'s {number(leader.mean)}, and forgets or costs less."
    if len(answer.settings) == 1:
        return f"{text}."
    tied = [str(each.number) for each in answer.settings if each.is_tied and each is not chosen]
    if not tied:
        return f"{text}, surely the best in the race."
    return f"{text}; seeds and rows do not tell it from {'trial' if len(tied) == 1 else 'trials'} {', '.join(tied)}."
