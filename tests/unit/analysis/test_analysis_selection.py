"""The best trial is chosen from complete, feasible trials only."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from ftsweep.analysis.selection import choose_best, explain_no_winner
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.ranking import rank
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, TrialRecord

LOSS = Objective()


def record(
    number: int,
    values: list[float],
    kind: OutcomeKind | None = OutcomeKind.COMPLETE,
    *,
    reason: str = "",
    objective: Objective = LOSS,
    constraints: dict[str, float] | None = None,
) -> TrialRecord:
    """A trial with values[i] at rung i."""
    kept = constraints or {}
    measurements = [Measurement(rung, 0, 0, 0, 0, 0, {objective.key: value}, kept) for rung, value in enumerate(values)]
    outcome = None if kind is None else Outcome(kind, reason)
    return TrialRecord(Proposal(number, "", {}), tuple(measurements), outcome)


def test_the_best_rung_counts_and_not_the_last() -> None:
    selection = choose_best([record(0, [9, 3, 1, 5]), record(1, [9, 3, 2, 2])], LOSS)
    assert selection is not None
    assert (selection.number, selection.value, selection.rung) == (0, 1, 2)
    assert selection.reason == (
        "Trial 0 has the lowest validation/loss, 1 at rung 2, of 2 complete trials; trial 1 comes next with 2."
    )
    assert [contender.number for contender in selection.runner_ups] == [1]


def test_pruned_trial_is_never_best() -> None:
    selection = choose_best([record(0, [9, 0.1], OutcomeKind.PRUNED), record(1, [9, 5])], LOSS)
    assert selection is not None
    assert selection.number == 1
    assert selection.runner_ups == ()


def test_the_untrained_state_is_never_best() -> None:
    assert choose_best([record(0, [0.1])], LOSS) is None


def test_violated_constraint_is_never_best() -> None:
    records = [record(0, [9, 1], constraints={"forgetting": 0.1}), record(1, [9, 2], constraints={"forgetting": 0.0})]
    records.append(record(2, [9, 0], constraints={"forgetting": math.nan}))
    assert [contender.number for contender in rank(records, LOSS)] == [1]


def test_maximised_metric_takes_the_highest() -> None:
    f1 = Objective("f1", "validation", "maximize")
    selection = choose_best([record(n, [0, value], objective=f1) for n, value in enumerate([0.2, 0.9, 0.5])], f1)
    assert selection is not None
    assert selection.number == 1
    assert "highest validation/f1" in selection.reason


outcome_kinds = st.sampled_from([None, *OutcomeKind])
trials = st.lists(st.tuples(st.lists(st.floats(), min_size=1, max_size=5), outcome_kinds), max_size=12)


@given(trials, st.sampled_from(["minimize", "maximize"]), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_winner_is_the_best_complete_trial_whatever_the_order(trials, direction, random) -> None:  # type: ignore[no-untyped-def]
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
    selection = choose_best(shuffled, objective, num_runner_ups=2)
    if not finite:
        assert selection is None
        assert explain_no_winner(shuffled)
        return
    assert selection is not None
    assert selection.value == best(finite.values())
    assert selection.number == min(n for n, value in finite.items() if value == selection.value)
    assert len(selection.runner_ups) == min(2, len(finite) - 1)
    assert selection == choose_best(records, objective, num_runner_ups=2)


def test_no_winner_is_explained_with_counts_and_the_commonest_reason() -> None:
    assert explain_no_winner([]) == "No trial has been run yet."
    records = [
        record(0, [1], OutcomeKind.INFEASIBLE, reason="Out of memory at micro-batch 1"),
        record(1, [1], OutcomeKind.INFEASIBLE, reason="Out of memory at micro-batch 1"),
        record(2, [1, math.nan]),
        record(3, [1, 2], None),
    ]
    assert explain_no_winner(records) == (
        "No model can be chosen: no trial came to its end with a value that counts (2 infeasible, 1 complete without a "
        "number, 1 still running). Most often: Out of memory at micro-batch 1."
    )
    assert "Most often" not in explain_no_winner([record(0, [math.nan])]), "trained to its end: that explains nothing"
