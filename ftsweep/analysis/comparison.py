"""Whole approaches side by side: each branch by its best trial, and the untouched base. Pure functions of records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ftsweep.analysis.fates import describe_fates
from ftsweep.domain.answers import Model, model_name
from ftsweep.domain.approach import Approach
from ftsweep.domain.forgetting import FORGETTING
from ftsweep.domain.objective import Objective
from ftsweep.domain.ranking import rank, rank_of_all
from ftsweep.domain.result import BASELINE
from ftsweep.domain.scores import Interval
from ftsweep.domain.trial import TrialRecord

BASE = "untouched base"
_SAME_TIME = 1.1  # a ratio: training times closer than this count as equal, the machine is not more exact


def best_trials(records: Sequence[TrialRecord], objective: Objective, chosen: int | None = None) -> dict[str, int]:
    """The number of the best complete and feasible trial of each branch that has one, by the branch's name, best first.

    A `chosen` trial stands for its branch and comes first: runs with fresh seeds may prefer it to the search's best.
    """
    branch_of = {record.number: record.proposal.branch for record in records}
    best: dict[str, int] = {} if chosen is None else {branch_of[chosen]: chosen}
    for contender in rank(records, objective):
        best.setdefault(branch_of[contender.number], contender.number)
    return best


def kept_trials(
    records: Sequence[TrialRecord], objective: Objective, *, top: int = 1, chosen: int | None = None
) -> set[int]:
    """The trials whose weights are needed: the `top` best and default settings, and before one is `chosen` the best of
    each branch, to be measured on test.

    The best are kept after the choice too: an extended study may choose another one of them. So is the one that would
    be the best without constraints: made smaller, it may keep them.
    """
    needed = {record.number for record in records if record.proposal.is_default}
    needed |= {contender.number for contender in rank(records, objective)[:top]}
    needed |= {contender.number for contender in rank_of_all(records, objective)[:1]}
    return needed | ({chosen} if chosen is not None else set(best_trials(records, objective).values()))


def distinct_bases(baseline: Mapping[str, Mapping[str, float]], first: str = "") -> list[tuple[str, ...]]:
    """Branch labels that start from one and the same base, as far as its scores tell; the group of `first` leads."""
    groups: list[tuple[Mapping[str, float], list[str]]] = []
    for label, values in baseline.items():
        known = next((labels for scores, labels in groups if scores == values), None)
        if known is None:
            groups.append((values, [label]))
        else:
            known.append(label)
    return sorted((tuple(labels) for _, labels in groups), key=lambda labels: first not in labels)


def base_label(branches: Sequence[str], winner: str) -> str:
    """The name of a base among what was measured on test: `baseline` is the winner's own."""
    return BASELINE if winner in branches else f"{BASELINE}-{branches[0]}"


def compare(
    records: Sequence[TrialRecord],
    objective: Objective,
    branches: Sequence[str],
    *,
    baseline: Mapping[str, Mapping[str, float]],
    test: Mapping[str, Mapping[str, float]],
    data: Mapping[str, Mapping[str, Any]],
    chosen: Model | None = None,
    intervals: Mapping[str, Mapping[str, Interval]] = MappingProxyType({}),
) -> list[Approach]:
    """Every branch and every distinct untouched base, the cheapest first (see `cost`).

    branches: their labels. baseline: validation metrics by label. test: metrics by `trial-0007`, `baseline` (that of
    the chosen trial's branch) and `baseline-<branch>`; intervals: the same. data: the facts of the prepared set by
    label. chosen: the model to hand over, whose run stands for its trial in `records`; None takes the best trial.
    Without branches there is nothing to compare.
    """
    if not branches:
        return []
    best = best_trials(records, objective, chosen.number if chosen else None)
    names = {chosen.number: chosen.name} if chosen else {}
    by_number = {record.number: record for record in records}
    winner = next(iter(best), branches[0])  # in order of rank
    approaches = []
    for label in branches:
        own = [record for record in records if record.proposal.branch == label]
        trial = by_number[best[label]] if label in best else None
        name = names.get(trial.number, model_name(trial.number)) if trial else ""
        found = _branch(label, own, trial, objective, _same_data(data, label, winner))
        if found.trial is not None:
            found = replace(found, test=_finite(test.get(name, {})), errors=_errors(intervals.get(name, {})))
        approaches.append(found)
    groups = distinct_bases(baseline, winner)
    for labels in groups:
        approaches.append(
            Approach(
                BASE if len(groups) == 1 else f"{BASE} ({', '.join(labels)})",
                labels,
                is_base=True,
                validation=_finite(baseline[labels[0]]),
                test=_finite(test.get(base_label(labels, winner), {})),
                errors=_errors(intervals.get(base_label(labels, winner), {})),
                trained_parameters=0,
                train_seconds=0.0,
                is_comparable=any(_same_data(data, label, winner) for label in labels),
            )
        )
    return sorted(approaches, key=cost)


def cost(approach: Approach) -> tuple[float, float, bool]:
    """What approaches are ordered by: training time of the best trial, then trained parameters.

    Times within about 10 % of each other count as equal. A base comes before a branch that trains nothing either, and
    what is not known comes last.
    """
    seconds, parameters = approach.train_seconds, approach.trained_parameters
    steps = math.floor(math.log(seconds, _SAME_TIME)) if seconds else -math.inf
    known = (math.inf if seconds is None else steps, math.inf if parameters is None else parameters)
    return *known, not approach.is_base


def _branch(
    label: str,
    records: Sequence[TrialRecord],
    trial: TrialRecord | None,
    objective: Objective,
    is_comparable: bool,
) -> Approach:
    approach = Approach(
        label,
        (label,),
        num_trials=len(records),
        fate=describe_fates(records),
        branch_seconds=sum(_train_seconds(record) or 0.0 for record in records),
        is_comparable=is_comparable,
    )
    best = objective.best(trial.measurements) if trial else None
    if trial is None or best is None or trial.outcome is None:
        return approach
    prefix, parameters = "validation/", trial.outcome.extra.get("num_trained_parameters")
    scores = {key.removeprefix(prefix): value for key, value in best.values.items() if key.startswith(prefix)}
    return replace(
        approach,
        fate="",
        trial=trial.number,
        validation=_finite(scores),
        trained_parameters=None if parameters is None else int(parameters),
        train_seconds=_train_seconds(trial),
        forgetting={**trial.outcome.extra.get("metrics", {}), **best.values}.get(FORGETTING),
    )


def _train_seconds(record: TrialRecord) -> float | None:
    """Of the whole trial; of one that was killed or lost as far as its last measurement tells."""
    told = record.outcome.extra.get("train_seconds") if record.outcome else None
    if told is not None:
        return float(told)
    return record.measurements[-1].train_seconds if record.measurements else None


def _same_data(data: Mapping[str, Mapping[str, Any]], label: str, winner: str) -> bool:
    own, reference = (data.get(name, {}) for name in (label, winner))
    return all(own.get(key) == reference.get(key) for key in ("fingerprint", "num_rows"))


def _errors(intervals: Mapping[str, Interval]) -> dict[str, float]:
    return _finite({name: interval.standard_error for name, interval in intervals.items()})


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if math.isfinite(value)}
