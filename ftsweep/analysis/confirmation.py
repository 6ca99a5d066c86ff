"""The choice among confirmed trials: the best mean over fresh seeds, and what cannot be told apart from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from ftsweep.domain.confirmed import Candidate, Choice
from ftsweep.domain.forgetting import FORGETTING
from ftsweep.domain.objective import Objective
from ftsweep.domain.ranking import rank
from ftsweep.domain.trial import TrialRecord

TIED = 2.0  # standard errors of the paired difference

Difference = Callable[[int, int], tuple[float, float] | None]
"""Of two trials' confirmation runs: the paired difference of the objective and its standard error; None: unknown."""


def contenders(records: Sequence[TrialRecord], objective: Objective, top: int) -> list[TrialRecord]:
    """The best trials, which are worth running again, and the default setting of the best one's branch.

    The default setting is what anyone would use without a search: whether the search was worth it is asked of fresh
    seeds too.
    """
    by_number = {record.number: record for record in records}
    ranked = [by_number[each.number] for each in rank(records, objective)]
    best = ranked[:top]
    branches = {record.proposal.branch for record in best[:1]}
    defaults = [each for each in ranked[top:] if each.proposal.is_default and each.proposal.branch in branches]
    return [*best, *defaults]


def candidate_of(record: TrialRecord, runs: Sequence[TrialRecord], objective: Objective) -> Candidate:
    """A trial and its confirmation runs as a candidate."""
    best = objective.best(record.measurements)
    assert best is not None
    seeds = []
    for run in runs:
        found = objective.best(run.measurements) if run.is_complete else None
        is_sound = found is not None and found.is_feasible and math.isfinite(objective.value(found))
        seeds.append(objective.value(found) if found is not None and is_sound else None)
    return Candidate(
        record.number,
        objective.value(best),
        tuple(seeds),
        forgetting=_forgetting(record),
        train_seconds=record.measurements[-1].train_seconds,
        num_tokens=record.measurements[-1].num_tokens,
        branch=record.proposal.branch,
        is_default=record.proposal.is_default,
    )


def _forgetting(record: TrialRecord) -> float | None:
    """How much worse the trial's model has become on general text; None where that was not measured."""
    metrics = record.outcome.extra.get("metrics", {}) if record.outcome is not None else {}
    return metrics.get(FORGETTING)


def choose_confirmed(candidates: Sequence[Candidate], objective: Objective, difference: Difference) -> Choice | None:
    """The best mean over fresh seeds; of those equal to it the least forgetting, then the cheapest.

    Tied is what lies within 2 standard errors of the leader, and is said; equal what lies within 1. A tie that is
    visibly behind is more likely worse than not, so it does not win by its cost.

    None when no candidate has a mean: then the search's own choice stands.
    """
    sign = 1 if objective.direction == "minimize" else -1
    sound = sorted((each for each in candidates if not math.isnan(each.mean)), key=lambda each: sign * each.mean)
    if not sound:
        return None
    leader, *others = sound
    compared = [_compared(leader, other, difference) for other in others]
    tied = [leader, *(each for each in compared if each.is_tied)]
    equal = [leader, *(each for each in compared if each.is_equal)]
    chosen = min(equal, key=lambda each: _preference(each, equal, leader, sign))
    unsound = [each for each in candidates if math.isnan(each.mean)]
    return Choice(chosen.number, (leader, *compared, *unsound), _reason(chosen, leader, tied, objective))


def _compared(leader: Candidate, other: Candidate, difference: Difference) -> Candidate:
    found = difference(leader.number, other.number)
    if found is None:
        return replace(other, difference=leader.mean - other.mean)
    value, error = found
    return replace(other, difference=value, standard_error=error, is_tied=abs(value) <= TIED * error)


def _preference(
    candidate: Candidate, equal: Sequence[Candidate], leader: Candidate, sign: int
) -> tuple[float, float, float, int]:
    has_all = all(each.forgetting is not None for each in equal)
    forgetting = round(candidate.forgetting or 0.0, 2) if has_all else 0.0
    return forgetting, round(_relative_cost(candidate, leader), 1), sign * candidate.mean, candidate.number


def _relative_cost(candidate: Candidate, leader: Candidate) -> float:
    """What training cost, the leader's being 1: in tokens within its branch, else in time. 1 where that is unknown."""
    own, others = candidate.train_seconds, leader.train_seconds
    if candidate.branch == leader.branch and candidate.num_tokens and leader.num_tokens:
        own, others = candidate.num_tokens, leader.num_tokens
    return own / others if others > 0 else 1.0


def _reason(chosen: Candidate, leader: Candidate, tied: Sequence[Candidate], objective: Objective) -> str:
    num_seeds = len(chosen.seeds)
    noun = "fresh seed" if num_seeds == 1 else "fresh seeds"
    text = f"Trial {chosen.number}: {objective.key} {chosen.mean:.4g} on average over {num_seeds} {noun}"
    if chosen.spread is not None:
        text += f" (spread {chosen.spread:.2g})"
    if len(tied) == 1:
        return f"{text}, the best of those run again."
    names = ", ".join(str(each.number) for each in tied if each is not chosen)
    text += f"; not distinguishable from trial {names} on the validation rows"
    if chosen is leader:
        return f"{text}."
    forgets_less = None not in (chosen.forgetting, leader.forgetting) and chosen.forgetting != leader.forgetting
    return f"{text}, and chosen because it {'forgets less' if forgets_less else 'costs less'}."
