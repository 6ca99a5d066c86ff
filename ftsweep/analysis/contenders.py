"""Which trials are worth running again after a search, and what that costs by what the search cost. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from ftsweep.analysis.racing import Limits
from ftsweep.analysis.two_answers import SettingFacts
from ftsweep.domain.forgetting import FORGETTING
from ftsweep.domain.objective import Objective
from ftsweep.domain.ranking import rank
from ftsweep.domain.trial import TrialRecord


def contenders(
    records: Sequence[TrialRecord], objective: Objective, top: int, raced: Collection[int] = ()
) -> list[TrialRecord]:
    """The best trials, best first, the default setting of the best one's branch, and those that have raced before.

    The default setting is what anyone would use without a search: whether the search was worth it is asked of fresh
    seeds too. raced: numbers of trials that have fresh runs, of an earlier race where a study was extended: the new
    best are held against them.
    """
    by_number = {record.number: record for record in records}
    ranked = [by_number[each.number] for each in rank(records, objective)]
    best = ranked[:top]
    branches = {record.proposal.branch for record in best[:1]}
    rest = ranked[top:]
    defaults = [each for each in rest if each.proposal.is_default and each.proposal.branch in branches]
    return [*best, *defaults, *(each for each in rest if each.number in raced and each not in defaults)]


def default_of(field: Sequence[TrialRecord]) -> int | None:
    """The number of the default setting that contenders are held against: that of the leader's branch."""
    branches = [record.proposal.branch for record in field[:1]]
    return next((each.number for each in field if each.proposal.is_default and each.proposal.branch in branches), None)


def limits_of(records: Sequence[TrialRecord], field: Sequence[TrialRecord], *, seeds: int, budget: float) -> Limits:
    """What a race between contenders may cost: `budget` is a share of what all trials cost together.

    Cost is counted in trained tokens, which no kill and no busy machine changes; in seconds where several branches
    make tokens of unequal worth, or nothing counts them.
    """
    cost = _cost(records, field)
    total = sum(cost(record) for record in records)
    return Limits(seeds, budget * total, {record.number: cost(record) for record in field})


def share_of_search(runs: Sequence[TrialRecord], records: Sequence[TrialRecord], field: Sequence[TrialRecord]) -> float:
    """What these runs of contenders cost over what all trials cost, in the unit of `limits_of`; 0 where that is 0."""
    cost = _cost(records, field)
    total = sum(cost(record) for record in records)
    return sum(cost(run) for run in runs) / total if total else 0.0


def _cost(records: Sequence[TrialRecord], field: Sequence[TrialRecord]) -> Callable[[TrialRecord], float]:
    is_one_branch = len({record.proposal.branch for record in records}) == 1
    return _tokens if is_one_branch and all(_tokens(record) for record in field) else _seconds


def facts_of(record: TrialRecord, objective: Objective, *, cost: float, default: int | None) -> SettingFacts:
    """What decides between equal settings, of the trial that has it."""
    best = objective.best(record.measurements)
    told = record.outcome.extra.get("metrics", {}) if record.outcome is not None else {}
    forgetting = {**told, **(best.values if best else {})}.get(FORGETTING)
    return SettingFacts(record.number == default, forgetting, cost)


def train_seconds(records: Sequence[TrialRecord]) -> float:
    """Of all of them together, as far as they have measured it."""
    return sum(map(_seconds, records))


def _seconds(record: TrialRecord) -> float:
    return record.measurements[-1].train_seconds if record.measurements else 0.0


def _tokens(record: TrialRecord) -> float:
    return float(record.measurements[-1].num_tokens) if record.measurements else 0.0
