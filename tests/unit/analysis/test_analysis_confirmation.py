"""Which of the confirmed trials is chosen, and what is said of those that cannot be told apart."""

from __future__ import annotations

import math

import pytest

from ftsweep.analysis.confirmation import candidate_of, choose_confirmed, contenders
from ftsweep.domain.confirmed import Candidate
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, TrialRecord

LOSS = Objective()
ACCURACY = Objective("accuracy", direction="maximize")


def candidate(number, *seeds, **facts):
    return Candidate(number, 0.0, tuple(seeds), **facts)


def apart(*_numbers):
    return (-0.5, 0.01)


def alike(*_numbers):
    return (-0.01, 0.1)


def test_the_best_mean_over_fresh_seeds_wins_not_the_best_value():
    lucky = Candidate(1, 0.1, (0.9, 0.9))
    steady = Candidate(2, 0.5, (0.5, 0.6))
    choice = choose_confirmed([lucky, steady], LOSS, apart)
    assert choice.number == 2
    assert choice.is_distinguishable
    assert [each.number for each in choice.candidates] == [2, 1]
    assert "0.55 on average over 2 fresh seeds" in choice.reason


def test_a_metric_that_grows_is_maximised():
    assert choose_confirmed([candidate(1, 0.5), candidate(2, 0.7)], ACCURACY, apart).number == 2


def test_a_tie_goes_to_less_forgetting_then_to_lower_cost():
    costly = candidate(1, 0.50, forgetting=0.01, train_seconds=100.0)
    cheap = candidate(2, 0.51, forgetting=0.01, train_seconds=10.0)
    forgetful = candidate(3, 0.49, forgetting=0.30, train_seconds=1.0)
    choice = choose_confirmed([costly, cheap, forgetful], LOSS, alike)
    assert choice.number == 2
    assert not choice.is_distinguishable
    assert "not distinguishable from trial 3, 1" in choice.reason
    assert "forgets less" in choice.reason
    assert choose_confirmed([costly, cheap], LOSS, alike).reason.endswith("chosen because it costs less.")


def test_a_tie_that_is_visibly_behind_does_not_win_by_its_cost():
    def behind(*_numbers):
        return (-0.066, 0.034)

    choice = choose_confirmed(
        [candidate(1, 0.50, train_seconds=100.0), candidate(2, 0.566, train_seconds=10.0)], LOSS, behind
    )
    assert choice.number == 1
    assert not choice.is_distinguishable
    assert choice.reason.endswith("not distinguishable from trial 2 on the validation rows.")


def test_the_default_setting_is_run_again_beside_the_best_of_its_branch():
    def record(number, branch, value, *, is_default=False, kind=OutcomeKind.COMPLETE):
        measured = Measurement(1, 1.0, 0, 0, 1, 0.0, {"validation/loss": value})
        return TrialRecord(Proposal(number, branch, {}, is_default), (measured,), Outcome(kind))

    records = [
        record(0, "lora", 0.9, is_default=True),
        record(1, "full", 0.8, is_default=True),
        record(2, "lora", 0.5),
        record(3, "full", 0.6),
        record(4, "lora", 0.1, kind=OutcomeKind.PRUNED),
    ]
    assert [each.number for each in contenders(records, LOSS, 2)] == [2, 3, 0]
    assert [each.number for each in contenders(records, LOSS, 4)] == [2, 3, 1, 0]
    assert contenders([], LOSS, 2) == []


def test_costs_within_a_tenth_are_no_reason_to_leave_the_leader():
    choice = choose_confirmed(
        [candidate(1, 0.50, train_seconds=100.0), candidate(2, 0.51, train_seconds=99.0)], LOSS, alike
    )
    assert choice.number == 1


def test_within_a_branch_the_cost_is_what_was_trained_on_and_not_how_long_a_busy_machine_took():
    slow = candidate(1, 0.50, train_seconds=300.0, num_tokens=1000)
    quick = candidate(2, 0.51, train_seconds=10.0, num_tokens=1000)
    short = candidate(3, 0.51, train_seconds=900.0, num_tokens=500)
    assert choose_confirmed([slow, quick], LOSS, alike).number == 1
    assert choose_confirmed([slow, quick, short], LOSS, alike).number == 3
    elsewhere = candidate(4, 0.51, train_seconds=10.0, num_tokens=1000, branch="head")
    assert choose_confirmed([slow, elsewhere], LOSS, alike).number == 4


def test_a_setting_that_fails_with_a_seed_is_not_chosen():
    broken = candidate(1, 0.1, None)
    choice = choose_confirmed([broken, candidate(2, 0.9, 0.9)], LOSS, apart)
    assert choice.number == 2
    assert [each.number for each in choice.candidates] == [2, 1]
    assert broken.to_dict()["mean"] is None
    assert choose_confirmed([broken], LOSS, apart) is None


def test_an_unknown_difference_is_no_tie():
    choice = choose_confirmed([candidate(1, 0.5), candidate(2, 0.6)], LOSS, lambda *_: None)
    assert choice.is_distinguishable
    assert choice.candidates[1].difference == pytest.approx(-0.1)


def test_a_candidate_has_the_best_rung_of_each_run_and_nothing_of_failed_ones():
    def record(kind, *values):
        measured = [Measurement(i, i / 2, 0, 0, i, 0.0, {"validation/loss": v}) for i, v in enumerate(values)]
        outcome = Outcome(kind, extra={"metrics": {"general/forgetting": 0.2}})
        return TrialRecord(Proposal(7, "", {}), tuple(measured), outcome)

    own = record(OutcomeKind.COMPLETE, 2.0, 0.4, 0.5)
    runs = [record(OutcomeKind.COMPLETE, 2.0, 0.7, 0.6), record(OutcomeKind.DIVERGED, 2.0, 0.1)]
    found = candidate_of(own, runs, LOSS)
    assert (found.number, found.value, found.seeds, found.train_seconds) == (7, 0.4, (0.6, None), 2)
    assert math.isnan(found.mean)
    assert found.forgetting == 0.2
