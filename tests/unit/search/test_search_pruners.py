"""Pruners decide from curves alone."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftsweep.domain.decision import Decision, Pause, Prune
from ftsweep.domain.objective import Objective
from ftsweep.errors import ConfigError, StudyError
from ftsweep.search.pruners import Hyperband, Median, NoPruner, Patient, Percentile, Pruner, SuccessiveHalving
from ftsweep.search.pruners.curves import Curves

LOSS = Objective()
ACCURACY = Objective("accuracy", "validation", "maximize")


def why(pruner: Pruner, curves: Curves, number: int, rung: int) -> str | None:
    """Why the pruner ends the trial there; None where it goes on."""
    decision = pruner.decide(curves, number, rung)
    return decision.reason if isinstance(decision, Prune) else None


def flat_curves(values: list[float], num_rungs: int = 10, objective: Objective = LOSS, upto: int = 10) -> Curves:
    """Trial i stays at values[i] from rung 1 to rung `upto`."""
    table = {number: dict.fromkeys(range(1, upto + 1), value) for number, value in enumerate(values)}
    return Curves.of(table, objective, num_rungs)


@given(
    st.lists(st.floats(-10, 10), min_size=2, max_size=20),
    st.floats(1, 99),
    st.sampled_from([LOSS, ACCURACY]),
)
@settings(deadline=None)
def test_peer_percentile_is_that_of_all_others(values: list[float], percentile: float, objective: Objective) -> None:
    curves = flat_curves(values, objective=objective, upto=1)
    sign = 1 if objective is LOSS else -1
    for number in range(len(values)):
        others = [sign * value for other, value in enumerate(values) if other != number]
        assert curves.num_peers(number, 1) == len(others)
        expected = np.percentile(np.array(others), percentile)
        assert curves.peer_percentile(number, 1, percentile) == pytest.approx(expected, abs=1e-9)


def test_score_is_the_best_so_far_and_bad_numbers_are_no_score() -> None:
    curves = Curves(LOSS, 5)
    for rung, value in [(0, 0.1), (1, 3.0), (2, float("nan")), (3, 1.0), (4, 2.0), (5, float("inf")), (4, 0.0)]:
        curves.add(7, rung, value)
    assert [curves.score(7, rung) for rung in range(6)] == [None, 3.0, None, 1.0, 1.0, None]
    assert curves.num_peers(8, 4) == 1


def test_median_prunes_the_worse_half_with_a_reason() -> None:
    curves = flat_curves([1.0, 1.1, 1.2, 1.3, 1.4, 1.92, 0.5])
    assert why(Median(), curves, 6, 4) is None
    assert why(Median(), curves, 5, 4) == (
        "validation/loss 1.92 at rung 4 is above the median 1.15 of 6 peers, for 2 rungs in a row."
    )
    curves = flat_curves([0.9, 0.8, 0.8, 0.8, 0.8, 0.4, 0.95], objective=ACCURACY)
    assert why(Median(), curves, 6, 4) is None
    assert why(Median(patience=0), curves, 5, 4) == (
        "validation/accuracy 0.4 at rung 4 is below the median 0.8 of 6 peers."
    )


def test_median_spares_startup_trials_warm_up_few_peers_and_the_last_rung() -> None:
    curves = flat_curves([1.0] * 6 + [2.0, 2.0])
    assert why(Median(), curves, 6, 4)
    assert why(Median(startup_trials=7), curves, 6, 4) is None
    assert why(Median(), curves, 6, 3) is None
    assert why(Median(warmup=0.2), curves, 6, 3)
    assert why(Median(min_peers=8), curves, 6, 4) is None
    assert why(Median(), curves, 6, 9)
    assert why(Median(), curves, 6, 10) is None


def test_one_rung_on_the_wrong_side_is_forgiven() -> None:
    table = {number: dict.fromkeys(range(1, 11), 1.0) for number in range(6)}
    table[6] = {1: 0.9, 2: 0.9, 3: 0.9, 4: 0.9}
    for number in range(6):
        table[number] |= dict.fromkeys(range(4, 11), 0.5)
    curves = Curves.of(table, LOSS, 10)
    assert why(Median(), curves, 6, 4) is None
    assert why(Median(patience=0), curves, 6, 4)
    curves.add(6, 5, 0.8)
    assert why(Median(), curves, 6, 5)


def test_warm_up_follows_the_number_of_rungs() -> None:
    values = [1.0] * 6 + [2.0]
    for num_rungs, first in [(4, 2), (10, 4), (20, 7)]:
        curves = flat_curves(values, num_rungs, upto=num_rungs)
        pruned = [rung for rung in range(1, num_rungs + 1) if why(Median(patience=0), curves, 6, rung)]
        assert pruned == list(range(first, num_rungs))


def test_trials_in_lockstep_are_peers_though_none_is_complete() -> None:
    curves = flat_curves([1.0 + number / 10 for number in range(12)], upto=4)
    pruned = [number for number in range(12) if why(Median(), curves, number, 4)]
    assert pruned == [6, 7, 8, 9, 10, 11]


def test_percentile_stops_only_the_worst_part() -> None:
    curves = flat_curves([float(number) for number in range(20)])
    assert [n for n in range(20) if why(Percentile(percentile=75), curves, n, 5)] == [15, 16, 17, 18, 19]
    assert "percentile 75" in (why(Percentile(percentile=75), curves, 19, 5) or "")


def test_equal_trials_are_never_pruned() -> None:
    curves = flat_curves([1.0] * 20)
    for pruner in (Median(), Percentile(), SuccessiveHalving(), Hyperband()):
        assert not [n for n in range(20) for rung in range(1, 11) if why(pruner, curves, n, rung)]


def test_successive_halving_keeps_the_best_third_at_its_rungs() -> None:
    curves = flat_curves([float(number) for number in range(9)])
    pruner = SuccessiveHalving(first=0.2, reduction=3)
    assert [n for n in range(9) if why(pruner, curves, n, 2)] == [3, 4, 5, 6, 7, 8]
    assert [rung for rung in range(1, 11) if why(pruner, curves, 8, rung)] == [2, 6]
    assert why(pruner, curves, 8, 2) == ("validation/loss 8 at rung 2 is number 9 of 9 trials; the best 3 go on.")
    few = flat_curves([0.0, 1.0, 2.0])
    assert why(pruner, few, 2, 2) is None


def test_hyperband_compares_within_brackets_and_its_last_bracket_never_prunes() -> None:
    pruner = Hyperband(first=0.1, reduction=3)
    brackets = [pruner.group(number) for number in range(400)]
    sizes = [brackets.count(bracket) for bracket in sorted(set(brackets))]
    assert len(sizes) == 4
    assert sizes == sorted(sizes, reverse=True)
    table = {number: dict.fromkeys(range(1, 11), float(number)) for number in range(400)}
    curves = Curves.of(table, LOSS, 10, pruner.group)
    earliest = {
        bracket: min(
            (r for r in range(1, 11) for n in range(400) if brackets[n] == bracket and why(pruner, curves, n, r)),
            default=None,
        )
        for bracket in range(4)
    }
    assert earliest == {0: 1, 1: 3, 2: 9, 3: None}
    assert curves.num_peers(0, 1) == brackets.count(brackets[0]) - 1


def test_patient_lets_an_improving_trial_go_on() -> None:
    table = {number: dict.fromkeys(range(1, 11), 1.0) for number in range(6)}
    table[6] = {rung: 3.0 - rung / 10 for rung in range(1, 11)}
    table[7] = dict.fromkeys(range(1, 11), 3.0)
    curves = Curves.of(table, LOSS, 10)
    pruner = Patient(pruner=Median(), patience=2)
    assert why(Median(), curves, 6, 5)
    assert why(pruner, curves, 6, 5) is None
    assert (why(pruner, curves, 7, 5) or "").endswith("It has not improved for 2 rungs.")
    assert why(Patient(pruner=Median(), min_delta=0.2), curves, 6, 5)
    assert Patient(pruner=Hyperband()).group(3) == Hyperband().group(3)


def test_no_pruner_prunes_nothing() -> None:
    curves = flat_curves([1.0] * 10 + [99.0])
    assert not [rung for rung in range(1, 11) if why(NoPruner(), curves, 10, rung)]


@given(st.lists(st.lists(st.floats(0, 5), min_size=10, max_size=10), min_size=8, max_size=16), st.randoms())
@settings(deadline=None, max_examples=50)
def test_the_best_trial_at_a_rung_is_never_pruned(table: list[list[float]], random: object) -> None:
    curves = Curves.of({n: dict(enumerate(row, 1)) for n, row in enumerate(table)}, LOSS, 10)
    pruners: list[Pruner] = [Median(patience=0), Percentile(patience=0), SuccessiveHalving(), Patient(pruner=Median())]
    for rung in range(1, 11):
        best = min(range(len(table)), key=lambda n: min(table[n][:rung]))
        for pruner in pruners:
            assert why(pruner, curves, best, rung) is None
        median = statistics.median(min(row[:rung]) for row in table)
        for number, row in enumerate(table):
            if why(Median(patience=0), curves, number, rung):
                assert min(row[:rung]) >= median


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: Percentile(percentile=100), "pruner.percentile"),
        (lambda: Median(warmup=1.0), "pruner.warmup"),
        (lambda: Median(patience=-1), "pruner.patience"),
        (lambda: SuccessiveHalving(reduction=1), "pruner.reduction"),
        (lambda: Hyperband(first=0), "pruner.first"),
        (lambda: Patient(pruner=None), "pruner.pruner"),
    ],
)
def test_impossible_settings_are_refused_with_their_key(make: object, key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        make()  # type: ignore[operator]


class Answers(Pruner):
    def __init__(self, answer: object) -> None:
        self.answer: Any = answer

    def _decide(self, curves: Curves, number: int, rung: int) -> Decision:
        return self.answer

    def resume(self, curves: Curves, paused: Mapping[int, int]) -> int | None:
        return self.answer


@pytest.mark.parametrize("answer", [True, False, None, "too slow", [], Prune(3), Pause(None), Prune], ids=repr)  # type: ignore[arg-type]
def test_answer_of_a_pruner_that_is_no_decision_is_refused_not_taken_for_going_on(answer: object) -> None:
    with pytest.raises(StudyError, match=r"Answers answers .* which is no decision") as refused:
        Answers(answer).decide(flat_curves([1.0, 2.0]), 1, 4)
    assert "GO_ON, Prune(reason) or Pause(reason)" in str(refused.value)


@pytest.mark.parametrize("answer", [True, 7, "1", float("nan")])
def test_pruner_that_resumes_what_is_no_paused_trial_is_refused(answer: object) -> None:
    with pytest.raises(StudyError, match=r"must name one of \[1, 3\]"):
        Answers(answer).resumed(flat_curves([1.0, 2.0]), {1: 2, 3: 2})
    assert Answers(np.int64(3)).resumed(flat_curves([1.0, 2.0]), {1: 2, 3: 2}) == 3
