"""Two answers to a search: which model to deploy, and which setting to train again. Pure functions of runs' scores.

A model is a draw of its setting: the best one in hand may come of a setting that is no better than the default on
average (Dodge et al. 2020, 2002.06305: seeds alone make winners). So each question has its own rule and error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ftsweep.analysis.optimism import optimism
from ftsweep.analysis.seed_spread import Difference, ScoredRun, Spread, difference, mean_error, seed_spread

EQUAL = 0.25
"""Paired standard errors within which models are equal, and their settings' means, forgetting and cost decide. Measured
(decision 0017): with 1 the better draws are given away, for one model seldom leads another by more."""

NEAR = 1.0
"""Standard errors: a setting within so many of the leader may win by forgetting and cost (the rule of CART, 1984)."""

Standing = Literal["better", "no better", "undecided", "alone"]
"""`better`: surely. `no better`: its mean is not. `undecided`: ahead, but not surely; more seeds would tell. `alone`:
it is the default itself, or there is none."""

SURE_ERRORS = 2.0
"""Paired standard errors by which a model must lead to be called better."""


@dataclass(frozen=True)
class SettingFacts:
    """What decides between equals, and who is the default."""

    is_default: bool = False
    forgetting: float | None = None
    """Nats per token of general text; None: not measured."""
    cost: float = 0.0
    """Of one run, in one unit for all settings of a study."""


@dataclass(frozen=True)
class ModelAnswer:
    """The weights to deploy. Values are the objective on validation."""

    setting: int
    seed: int
    value: float
    optimism: float
    """How much better `value` looks than it is, for being the best of `num_models`."""
    num_models: int
    equals: tuple[tuple[int, int], ...]
    """Setting and seed of the models that the rows do not tell from the best one, best first."""
    is_best: bool
    """Whether no model scored better; else it was taken from the equals for its setting."""
    over_default: Difference | None
    """How much better than the default setting's own model of the search, the optimism taken off, on the same rows."""

    def corrected(self, sign: int) -> float:
        """The value without what the choice made of it."""
        return self.value + sign * self.optimism


@dataclass(frozen=True)
class SettingMean:
    """A setting by its fresh runs."""

    number: int
    mean: float
    num_seeds: int
    standard_error: float | None
    """Seeds and rows; None where no setting has two fresh runs."""
    behind: Difference | None
    """The leader's mean minus this one's, in the better direction; None for the leader."""
    over_default: Difference | None
    """How much better than the default's mean; None for the default, and without it."""

    @property
    def is_tied(self) -> bool:
        """Whether it is not sure to be worse than the leader."""
        return self.behind is None or not self.behind.is_sure

    @property
    def standing(self) -> Standing:
        """Against the default, on average over seeds."""
        if self.over_default is None:
            return "alone"
        if self.over_default.value <= 0:
            return "no better"
        return "better" if self.over_default.is_sure else "undecided"


@dataclass(frozen=True)
class SettingAnswer:
    """The setting to train again, all settings that were run again with the leader by mean first, and the spread."""

    number: int
    settings: tuple[SettingMean, ...]
    spread: Spread

    @property
    def chosen(self) -> SettingMean:
        return next(each for each in self.settings if each.number == self.number)

    def of(self, number: int) -> SettingMean | None:
        """The mean of a setting; None when it has no fresh run."""
        return next((each for each in self.settings if each.number == number), None)


def choose_model(runs: Sequence[ScoredRun], facts: Mapping[int, SettingFacts], sign: int) -> ModelAnswer | None:
    """The best on validation of all weights that are in hand; among equals the better setting, then less forgetting,
    then the cheaper. sign: 1 minimises the objective, -1 maximises it. None without runs.
    """
    if not runs:
        return None
    ranked = sorted(runs, key=lambda run: (sign * run.value, run.setting, run.seed))
    best = ranked[0]
    equals = [run for run in ranked if _is_equal(run, best)]
    means = {setting: _setting_mean(runs, setting) for setting in {run.setting for run in equals}}

    def preference(run: ScoredRun) -> tuple[float, float, float, float]:
        has_all = all(facts[each.setting].forgetting is not None for each in equals)
        forgetting = round(facts[run.setting].forgetting or 0.0, 2) if has_all else 0.0
        return sign * means[run.setting], forgetting, facts[run.setting].cost, sign * run.value

    chosen = min(equals, key=preference)
    others = tuple((run.setting, run.seed) for run in equals if run is not chosen)
    too_good = optimism(runs, sign)
    return ModelAnswer(
        chosen.setting,
        chosen.seed,
        chosen.value,
        too_good,
        len(runs),
        others,
        chosen is best,
        _over_default(chosen, runs, facts, sign, too_good),
    )


def choose_setting(runs: Sequence[ScoredRun], facts: Mapping[int, SettingFacts], sign: int) -> SettingAnswer | None:
    """The best mean over fresh seeds; of those that are not told from it and within a standard error of it less
    forgetting, then lower cost. None without fresh runs.
    """
    groups: dict[int, list[ScoredRun]] = {}
    for run in runs:
        if run.is_fresh:
            groups.setdefault(run.setting, []).append(run)
    if not groups:
        return None
    spread = seed_spread(list(groups.values()))
    ranked = sorted(groups, key=lambda number: (sign * _mean(groups[number]), number))
    leader = ranked[0]
    default = next((number for number in ranked if facts[number].is_default), None)
    settings = tuple(
        SettingMean(
            number,
            _mean(groups[number]),
            len(groups[number]),
            mean_error(groups[number], spread),
            None if number == leader else better_by(groups[leader], groups[number], spread, sign),
            None if default in (None, number) else better_by(groups[number], groups[default], spread, sign),
        )
        for number in ranked
    )
    equal = [each for each in settings if each.behind is None or _is_within(each.behind)]
    has_all = all(facts[each.number].forgetting is not None for each in equal)

    def preference(each: SettingMean) -> tuple[float, float, float]:
        forgetting = round(facts[each.number].forgetting or 0.0, 2) if has_all else 0.0
        return forgetting, facts[each.number].cost, sign * each.mean

    return SettingAnswer(min(equal, key=preference).number, settings, spread)


def better_by(left: Sequence[ScoredRun], right: Sequence[ScoredRun], spread: Spread, sign: int) -> Difference:
    """How much better the left runs' mean is than the right ones', above 0 where it is."""
    return difference(left, right, spread) if sign < 0 else difference(right, left, spread)


def _over_default(
    chosen: ScoredRun, runs: Sequence[ScoredRun], facts: Mapping[int, SettingFacts], sign: int, too_good: float
) -> Difference | None:
    own = next((run for run in runs if facts[run.setting].is_default and not run.is_fresh), None)
    if own is None or facts[chosen.setting].is_default:
        return None
    error = float((own.draws - chosen.draws).std(ddof=1))
    return Difference(sign * (own.value - chosen.value) - too_good, error, SURE_ERRORS * error)


def _is_equal(run: ScoredRun, best: ScoredRun) -> bool:
    if run is best:
        return True
    error = float((run.draws - best.draws).std(ddof=1))
    return abs(run.value - best.value) <= EQUAL * error


def _is_within(behind: Difference) -> bool:
    return behind.standard_error is not None and behind.value <= NEAR * behind.standard_error


def _setting_mean(runs: Sequence[ScoredRun], setting: int) -> float:
    """Over the fresh runs, whose values brought nobody here; of a setting without any its own."""
    own = [run for run in runs if run.setting == setting]
    return _mean([run for run in own if run.is_fresh] or own)


def _mean(runs: Sequence[ScoredRun]) -> float:
    return float(np.mean([run.value for run in runs]))
