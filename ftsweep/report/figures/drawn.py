"""Which trials of a large study get a line or a mark of their own: the best ones, and an even sample of the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import TypeVar

from ftsweep.domain.spelling import plural
from ftsweep.report.overview import StudyOverview
from ftsweep.report.trial_summary import RUNNING, WAITING, TrialSummary

MAX_LINES, MAX_MARKS, MAX_ROWS = 100, 400, 400
"""Lines through many points, single marks, rows of a table: what a reader tells apart, and a browser draws fast."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Drawn:
    """Trials in their own order, and which they are in words; "" for all."""

    trials: tuple[TrialSummary, ...]
    words: str


def drawn_of(study: StudyOverview, trials: Sequence[TrialSummary], limit: int, also: Iterable[int] = ()) -> Drawn:
    """At most so many, always with the best one, default settings, those with a number in `also`, and what runs.

    Those that somebody looks at come first, up to half of them; a third (else a quarter) are the best by value, the
    rest lie evenly among the others by number.
    """
    if len(trials) <= limit:
        return Drawn(tuple(trials), "")
    sign = 1 if study.objective.direction == "minimize" else -1
    looked_at = even([each for each in trials if each.number in study.looked_at] if study.looked_at else [], limit // 2)
    named = [trial for trial in trials if trial.is_best or trial.is_default]
    running = [trial for trial in trials if trial.kind in (RUNNING, WAITING)][-(limit // 6) :]
    valued = ((sign * trial.value, trial.number) for trial in trials if trial.value is not None)
    best = [number for _, number in nsmallest(limit // (4 if looked_at else 3), valued)]
    first = [*(each.number for each in (*named, *looked_at, *running)), *also, *best]
    chosen = set(list(dict.fromkeys(first))[:limit])
    others = [trial.number for trial in trials if trial.number not in chosen]
    chosen |= set(even(others, limit - len(chosen)))
    shown = tuple(trial for trial in trials if trial.number in chosen)
    selected = f"{len(looked_at)} of the selected ones, " if looked_at else ""
    words = f"the {len(best)} best, and an even sample of the others"
    return Drawn(shown, f"{len(shown):,} of {plural(len(trials), 'trial')}: {selected}{words}")


def even(found: Sequence[_T], count: int) -> Sequence[_T]:
    """All, or so many at even distances."""
    if len(found) <= count:
        return found
    return [found[index * len(found) // count] for index in range(count)]
