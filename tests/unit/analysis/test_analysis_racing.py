from __future__ import annotations

import itertools

import pytest
from scored_runs import scored

from ftsweep.analysis.racing import USED_UP, Limits, is_hopeless, next_round

COSTS = {0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0}
AMPLE = Limits(5, 100.0, COSTS)
CLOSE = {0: [1.0, 1.2, 1.1, 1.0, 1.2], 1: [1.1, 1.0, 1.2, 1.1, 1.0], 2: [3.0, 3.1, 3.0, 3.1, 3.0]}


def raced(values: dict[int, list[float]], limits: Limits, *, failed: tuple[tuple[int, int], ...] = ()):
    """All rounds of a race in which a contender's fresh seeds score these values; the last one says why it ended."""
    means: list[tuple[int, int, float]] = []
    rounds = []
    while True:
        found = next_round(list(values), 0, scored(means), failed, limits, 1)
        rounds.append(found)
        if not found.wanted:
            return rounds
        means += [(*key, values[key[0]][key[1] - 1]) for key in found.wanted if key not in failed]


def test_all_start_once_who_is_clearly_behind_drops_out_and_the_close_ones_go_on():
    rounds = raced(CLOSE, AMPLE)
    assert sorted(rounds[0].wanted) == [(0, 1), (1, 1), (2, 1)]
    assert sorted(rounds[1].wanted) == [(0, 2), (1, 2), (2, 2)], "one seed tells nothing of the seeds"
    assert sorted(rounds[2].wanted) == [(0, 3), (1, 3)]
    assert rounds[-1].dropped == (2,)
    assert "5 fresh seeds" in rounds[-1].reason


def test_a_clear_leader_ends_the_race():
    rounds = raced({0: [3.0, 3.1, 3.0], 1: [1.0, 1.1, 1.0]}, AMPLE)
    assert len(rounds) == 3
    assert rounds[-1].reason == "the others are clearly behind"


@pytest.mark.parametrize("budget", [0.5, 1, 3, 4, 7])
def test_the_budget_is_never_exceeded_and_goes_to_the_leader_and_the_default_first(budget):
    values = {3: [1.3] * 5, 1: [1.2, 1.0, 1.1, 1.2, 1.0], 0: [1.1, 1.2, 1.0, 1.1, 1.2]}
    rounds = raced(values, Limits(5, budget, COSTS))
    made = [key for each in rounds for key in each.wanted]
    assert len(made) <= budget
    if budget == 4:
        assert made[3][0] in (0, 1)
    if budget < 7:
        assert "is used up" in rounds[-1].reason or "nobody else" in rounds[-1].reason


def test_a_last_round_that_not_all_could_afford_is_said_to_have_used_up_its_share():
    rounds = raced({1: [1.0, 1.2], 0: [1.1, 1.1]}, Limits(2, 3, COSTS))
    assert [len(each.wanted) for each in rounds] == [2, 1, 0]
    assert "training is used up" in rounds[-1].reason


def test_who_could_not_be_afforded_once_has_used_up_the_share():
    values = {2: [1.0], 1: [1.1], 0: [1.2]}
    rounds = raced(values, Limits(1, 2.5, COSTS))
    assert rounds[0].wanted == ((2, 1), (0, 1))
    assert "training is used up" in rounds[-1].reason, "trial 1 has no fresh seed"


def test_any_part_of_the_runs_leads_to_the_same_race():
    """A kill loses the runs under way: whoever asks again is told what is missing of that round, and nothing else."""
    whole = raced(CLOSE, AMPLE)
    made = [key for each in whole for key in each.wanted]
    for cut in range(len(made)):
        means = [(number, seed, CLOSE[number][seed - 1]) for number, seed in made[:cut]]
        for order in itertools.islice(itertools.permutations(means), 3):
            runs = {(run.setting, run.seed): run for run in scored([*sorted(made_means(made))])}
            found = next_round(list(CLOSE), 0, [runs[key[:2]] for key in order], (), AMPLE, 1)
            assert set(found.wanted) == set(next_of(whole, made[:cut]))


def made_means(made):
    return [(number, seed, CLOSE[number][seed - 1]) for number, seed in made]


def next_of(rounds, made):
    """What is missing of the first round that is not complete."""
    for each in rounds:
        missing = [key for key in each.wanted if key not in made]
        if missing or not each.wanted:
            return missing
    raise AssertionError


def test_a_contender_whose_fresh_run_failed_is_out():
    rounds = raced(CLOSE, AMPLE, failed=((1, 2),))
    made = [key for each in rounds for key in each.wanted]
    assert [seed for number, seed in made if number == 1] == [1]


def test_a_race_of_nobody_is_over():
    assert next_round([], None, [], (), AMPLE, 1).wanted == (), "no trial of the search was complete"
    lost = next_round([0, 1], 0, [], ((0, 1), (1, 1)), AMPLE, 1)
    assert (lost.wanted, lost.reason) == ((), "nobody else is left"), "every fresh run failed"


def test_a_share_that_paid_for_the_leader_alone_is_what_ended_the_race():
    alone = next_round([0, 1], None, scored([(0, 1, 1.0)]), (), Limits(3, 1.5, COSTS), 1)
    assert (alone.wanted, alone.reason) == ((), USED_UP)


def test_a_failed_run_has_cost_what_it_cost_and_changes_no_earlier_round():
    limits = Limits(5, 4.0, COSTS)
    rounds = raced(CLOSE, limits, failed=((1, 1),))
    assert {*rounds[0].wanted, (1, 1)} == {*raced(CLOSE, limits)[0].wanted}
    assert sum(len(each.wanted) for each in rounds) == 3, "the failed one is the fourth"


def test_a_run_far_behind_all_others_at_its_rung_is_hopeless():
    peers = [1.0, 1.1, 1.2]
    assert is_hopeless(1.5, peers, 1)
    assert not is_hopeless(1.3, peers, 1)
    assert is_hopeless(-1.5, [-peer for peer in peers], -1)
    assert not is_hopeless(9.0, peers[:2], 1)


def test_runs_of_an_earlier_race_are_spent_and_not_made_again():
    """Contender 2 has run twice before; 1 and 0 are new, and there is money for three runs of theirs."""
    runs = scored([(2, 1, 1.0), (2, 2, 1.1)])
    found = next_round([1, 0, 2], 0, runs, (), Limits(3, 5.0, COSTS), 1)
    assert found.wanted == ((1, 1), (0, 1))
    assert next_round([1, 0, 2], 0, runs, (), Limits(3, 2.5, COSTS), 1).wanted == ()
    runs = scored([(2, 1, 1.0), (2, 2, 1.1), (1, 1, 1.0), (0, 1, 1.2)])
    assert next_round([1, 0, 2], 0, runs, (), Limits(3, 5.0, COSTS), 1).wanted == ((1, 2),)


def test_one_that_is_behind_by_an_earlier_race_is_dropped_and_the_new_ones_race():
    runs = scored([(2, 1, 3.0), (2, 2, 3.1), (1, 1, 1.0), (0, 1, 1.2), (1, 2, 1.1), (0, 2, 1.1)])
    found = next_round([1, 0, 2], 0, runs, (), Limits(3, 9.0, COSTS), 1)
    assert found.dropped == (2,)
    assert sorted(found.wanted) == [(0, 3), (1, 3)]
