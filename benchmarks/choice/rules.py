"""Ways to choose a model and a setting after a search, each played through on a simulated study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from studies import SIGN, Study

from ftsweep.analysis.racing import Limits, next_round
from ftsweep.analysis.seed_spread import ScoredRun, seed_spread
from ftsweep.analysis.two_answers import ModelAnswer, SettingAnswer, choose_model, choose_setting

BUDGET = 0.5


@dataclass(frozen=True)
class Played:
    """What a study with the new rule came to."""

    runs: list[ScoredRun]
    model: ModelAnswer
    setting: SettingAnswer | None
    cost: float
    """Of the fresh runs, by the search's."""


def raced(study: Study, *, top: int, seeds: int, budget: float = BUDGET) -> tuple[list[ScoredRun], float]:
    """All models that contenders leave, and what the race cost by what the search did."""
    search = study.search
    contenders = [run.setting for run in search[:top]]
    if 0 not in contenders:
        contenders.append(0)
    costs = {setting: float(study.pool.costs[setting]) for setting in contenders}
    limits = Limits(min(seeds, study.num_fresh), budget * study.search_cost, costs)
    fresh: list[ScoredRun] = []
    while wanted := next_round(contenders, 0, fresh, (), limits, SIGN).wanted:
        fresh += [study.run(setting, seed) for setting, seed in wanted]
    spent = sum(costs[run.setting] for run in fresh)
    return [run for run in search if run.setting in contenders] + fresh, spent / study.search_cost


def played(study: Study, *, top: int, seeds: int, budget: float = BUDGET) -> Played:
    """A race, and both answers."""
    runs, cost = raced(study, top=top, seeds=seeds, budget=budget)
    model = choose_model(runs, study.facts, SIGN)
    assert model is not None
    return Played(runs, model, choose_setting(runs, study.facts, SIGN), cost)


def shrunk(runs: Sequence[ScoredRun]) -> ScoredRun:
    """The best model when each value is drawn to its setting's mean, by the share of rows in what runs differ by."""
    settings = {run.setting for run in runs}
    groups = {setting: [run for run in runs if run.setting == setting] for setting in settings}
    seeds = seed_spread(list(groups.values())).variance
    draws = np.array([run.draws for run in runs])
    rows = float((draws - draws.mean(axis=0)).var(axis=1, ddof=1).sum() / (len(runs) - 1))
    share = seeds / (seeds + rows)
    means = {setting: fmean(run.value for run in groups[setting]) for setting in settings}
    return min(runs, key=lambda run: means[run.setting] + share * (run.value - means[run.setting]))


def todays(study: Study, *, top: int, seeds: int) -> tuple[int, float]:
    """Decision 0012: the setting with the best mean over fresh seeds, the cheapest within a standard error of the rows;
    the search's weights of it are handed over. Its number, and what it cost by what the search did.
    """
    contenders = [run.setting for run in study.search[:top]]
    if 0 not in contenders:
        contenders.append(0)
    groups = {number: [study.run(number, seed) for seed in range(1, seeds + 1)] for number in contenders}
    means = {number: fmean(run.value for run in groups[number]) for number in contenders}
    leader = min(contenders, key=lambda number: means[number])

    def is_equal(number: int) -> bool:
        error = float((_draws(groups[number]) - _draws(groups[leader])).std(ddof=1))
        return means[number] - means[leader] <= error

    costs = study.pool.costs
    equal = [number for number in contenders if is_equal(number)]
    chosen = min(equal, key=lambda number: (round(costs[number] / costs[leader], 1), means[number]))
    return chosen, seeds * sum(float(costs[number]) for number in contenders) / study.search_cost


def _draws(runs: Sequence[ScoredRun]) -> np.ndarray:
    return np.mean([run.draws for run in runs], axis=0)
