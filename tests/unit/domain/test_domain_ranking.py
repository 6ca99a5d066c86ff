"""Trials are ranked by one rule: complete and feasible ones only, the best rung of each."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.ranking import Contender, rank
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, TrialRecord

LOSS = Objective()


def record(
    number: int,
    values: list[float],
    kind: OutcomeKind | None = OutcomeKind.COMPLETE,
    *,
    objective: Objective = LOSS,
    constraints: dict[str, float] | None = None,
) -> TrialRecord:
    """A trial with values[i] at rung i."""
    kept = constraints or {}
    measurements = [Measurement(rung, 0, 0, 0, 0, 0, {objective.key: value}, kept) for rung, value in enumerate(values)]
    outcome = None if kind is None else Outcome(kind)
    return TrialRecord(Proposal(number, "", {}), tuple(measurements), outcome)


def ranked(records: list[TrialRecord], objective: Objective = LOSS) -> list[int]:
    return [contender.number for contender in rank(records, objective)]


def test_the_best_rung_counts_and_not_the_last() -> None:
    first, second = rank([record(0, [9, 3, 1, 5]), record(1, [9, 3, 2, 2])], LOSS)
    assert first == Contender(0, 1, 2)
    assert second == Contender(1, 2, 2)


def test_pruned_trial_is_never_best() -> None:
    assert ranked([record(0, [9, 0.1], OutcomeKind.PRUNED), record(1, [9, 5])]) == [1]


def test_the_untrained_state_is_never_best() -> None:
    assert ranked([record(0, [0.1])]) == []


def test_violated_constraint_is_never_best() -> None:
    records = [record(0, [9, 1], constraints={"forgetting": 0.1}), record(1, [9, 2], constraints={"forgetting": 0.0})]
    records.append(record(2, [9, 0], constraints={"forgetting": math.nan}))
    assert ranked(records) == [1]


def test_of_equal_trials_the_earlier_one_is_better_whichever_way_the_metric_goes() -> None:
    f1 = Objective("f1", "validation", "maximize")
    assert ranked([record(number, [9, 1]) for number in (2, 0, 1)]) == [0, 1, 2]
    assert ranked([record(number, [0, 1], objective=f1) for number in (2, 0, 1)], f1) == [0, 1, 2]


def test_maximised_metric_takes_the_highest() -> None:
    f1 = Objective("f1", "validation", "maximize")
    assert ranked([record(n, [0, value], objective=f1) for n, value in enumerate([0.2, 0.9, 0.5])], f1) == [1, 2, 0]


outcome_kinds = st.sampled_from([None, *OutcomeKind])
trials = st.lists(st.tuples(st.lists(st.floats(), min_size=1, max_size=5), outcome_kinds), max_size=12)


@given(trials, st.sampled_from(["minimize", "maximize"]), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_best_complete_trial_leads_whatever_the_order(trials, direction, random) -> None:  # type: ignore[no-untyped-def]
    objective = Objective("m", "validation", direction)
    records = [record(n, values, kind, objective=objective) for n, (values, kind) in enumerate(trials)]
    pool = {
        n: [value for value in values[1:] if not math.isnan(value)]
        for n, (values, kind) in enumerate(trials)
        if kind is OutcomeKind.COMPLETE
    }
    best = min if direction == "minimize" else max
    finite = {n: best(values) for n, values in pool.items() if values and math.isfinite(best(values))}
    shuffled = random.sample(records, len(records))
    sign = 1 if direction == "minimize" else -1
    assert ranked(shuffled, objective) == sorted(finite, key=lambda n: (sign * finite[n], n))
    assert ranked(records, objective) == ranked(shuffled, objective)
