"""Which contender gets a fresh seed next, who is dropped, and when it is enough: a race in rounds.

As in F-race (Birattari et al. 2002) all that are left run once more in a round, and who is clearly behind drops out.
A round is decided by the runs of the earlier rounds alone: whoever asks again, after any kill and with any number of
workers, is told the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from ftsweep.analysis.seed_spread import ScoredRun, seed_spread
from ftsweep.analysis.two_answers import better_by
from ftsweep.domain.spelling import plural

HOPELESS = 2.0
"""Standard deviations of the runs before it, behind the worst of them: such a run need not end."""

USED_UP = "its share of the training is used up"


@dataclass(frozen=True)
class Limits:
    """What the race may cost."""

    seeds: int
    """The most fresh seeds that a contender gets."""
    budget: float
    """In the unit of the costs: the share of the search's training that may go into the race."""
    costs: Mapping[int, float]
    """Of one run, by contender: what its run in the search cost."""


@dataclass(frozen=True)
class Round:
    """The runs to make next, and who will not be run again."""

    wanted: tuple[tuple[int, int], ...]
    """Contender and the number of its fresh seed, from 1; () ends the race."""
    dropped: tuple[int, ...] = ()
    reason: str = ""
    """Why the race is over, as a clause."""


def next_round(
    contenders: Sequence[int],
    default: int | None,
    runs: Sequence[ScoredRun],
    failed: Collection[tuple[int, int]],
    limits: Limits,
    sign: int,
) -> Round:
    """The next round of a race, found by running through all earlier ones.

    contenders: in order of the search's ranking, the default among them. runs: the fresh runs that scored; failed:
    contender and seed of those that did not, whose contenders are out after that round. sign: 1 minimises. Runs of
    rounds to come, left by the race of a study that was extended since, have been paid for and are not made again.

    Round by round every contender left gets one more seed, in this order while the budget lasts: the leader by mean,
    the default, then the others by mean. After a round who is surely behind the leader is dropped; before a contender
    has two seeds nobody is, for nothing is known of the seeds.
    """
    by_key = {(run.setting, run.seed): run for run in runs}
    ended = {*by_key, *failed}
    spent = sum(limits.costs[number] for number, _ in ended)
    left, dropped, is_short = list(contenders), [], False
    for seed in range(1, limits.seeds + 1):
        seen = [run for run in runs if run.seed < seed]
        lost = [number for number, at in failed if at < seed]
        left, out = _race([number for number in left if number not in lost], seen, sign)
        dropped += out
        if len(left) < 2:
            return Round((), tuple(dropped), _why_alone(is_short=is_short, is_dropped=bool(dropped)))
        wanted = _affordable(_in_turn(left, default, seen, sign), seed, ended, limits, spent)
        if not wanted:
            return Round((), tuple(dropped), USED_UP)
        is_short = len(wanted) < len(left)
        if seed == 1:  # who could not be afforded once is not in the race
            left = [contender for contender, _ in wanted]
        missing = tuple(key for key in wanted if key not in ended)
        if missing:
            return Round(missing, tuple(dropped))
    reason = USED_UP if is_short else f"all that are left have {plural(limits.seeds, 'fresh seed')}"
    return Round((), tuple(dropped), reason)


def _why_alone(*, is_short: bool, is_dropped: bool) -> str:
    """Why at most one contender is left after a round, which was short where somebody could not be afforded."""
    if is_dropped:
        return "the others are clearly behind"
    return USED_UP if is_short else "nobody else is left"


def _affordable(
    turn: Sequence[int], seed: int, ended: Collection[tuple[int, int]], limits: Limits, spent: float
) -> list[tuple[int, int]]:
    """A round's runs: those that have ended, and in turn the others while the budget lasts. `spent`: on all that ended.

    What of a round has ended changes nothing: it was the turn's first part, or was paid for by an earlier race.
    """
    wanted, is_used_up = [], False
    for contender in turn:
        if (contender, seed) not in ended:
            is_used_up = is_used_up or spent + limits.costs[contender] > limits.budget
            if is_used_up:
                continue
            spent += limits.costs[contender]
        wanted.append((contender, seed))
    return wanted


def is_hopeless(value: float, peers: Sequence[float], sign: int) -> bool:
    """Whether a fresh run is so far behind the runs before it at the same rung that it need not end.

    Peers are runs that had ended before its round began, so that the answer does not depend on who was faster.
    """
    if len(peers) < 3:
        return False
    worst = max(sign * peer for peer in peers)
    return sign * value > worst + HOPELESS * stdev(peers)


def _race(left: Sequence[int], seen: Sequence[ScoredRun], sign: int) -> tuple[list[int], list[int]]:
    """Who is left, and who is surely behind the leader by what was seen."""
    groups = {number: [run for run in seen if run.setting == number] for number in left}
    if not groups or not all(groups.values()):
        return list(left), []
    spread = seed_spread(list(groups.values()))
    leader = min(left, key=lambda number: (sign * _mean(groups[number]), left.index(number)))
    behind = [
        number
        for number in left
        if number != leader and better_by(groups[leader], groups[number], spread, sign).is_sure
    ]
    return [number for number in left if number not in behind], behind


def _in_turn(left: Sequence[int], default: int | None, seen: Sequence[ScoredRun], sign: int) -> list[int]:
    """The leader, the default, then the others, by the mean of what was seen; at first by the search's ranking."""
    means = {number: [run for run in seen if run.setting == number] for number in left}
    by_mean = sorted(
        left, key=lambda number: (sign * _mean(means[number]) if means[number] else 0.0, left.index(number))
    )
    first = by_mean[:1]
    return [
        *first,
        *(each for each in by_mean[1:] if each == default),
        *(each for each in by_mean[1:] if each != default),
    ]


def _mean(runs: Sequence[ScoredRun]) -> float:
    return fmean(run.value for run in runs)
