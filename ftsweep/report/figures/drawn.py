"""Which trials of a large study get a line or a mark of their own: the best ones, and an even sample of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ftsweep.report.overview import StudyOverview
from ftsweep.report.trial_summary import TrialSummary
from ftsweep.report.wording import plural

MAX_LINES, MAX_MARKS, MAX_ROWS = 100, 1500, 400
"""Lines through many points, single marks, rows of a table: what a reader tells apart, and a browser draws fast."""


@dataclass(frozen=True)
class Drawn:
    """Trials in their own order, and which they are in words; "" for all."""

    trials: tuple[TrialSummary, ...]
    words: str


def drawn_of(study: StudyOverview, trials: Sequence[TrialSummary], limit: int) -> Drawn:
    """At most so many, always with the best one, default settings and what runs.

    A third are the best by value, the rest lie evenly among the others by number.
    """
    if len(trials) <= limit:
        return Drawn(tuple(trials), "")
    sign = 1 if study.objective.direction == "minimize" else -1
    named = [trial for trial in trials if trial.is_best or trial.is_default]
    running = [trial for trial in trials if not trial.has_ended][-(limit // 4) :]
    valued = sorted((trial for trial in trials if trial.value is not None), key=lambda each: sign * (each.value or 0.0))
    best = valued[: limit // 3]
    chosen = {trial.number for trial in (*named, *running, *best)}
    others = [trial for trial in trials if trial.number not in chosen]
    num_sampled = max(0, limit - len(chosen))
    chosen |= {others[index * len(others) // num_sampled].number for index in range(num_sampled)}
    shown = tuple(trial for trial in trials if trial.number in chosen)
    words = f"{len(shown):,} of {plural(len(trials), 'trial')}: the {len(best)} best, and an even sample of the others"
    return Drawn(shown, words)
