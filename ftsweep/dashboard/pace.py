"""How fast a search goes, by the times its trials ended."""

from __future__ import annotations

from dataclasses import dataclass

from ftsweep.domain.study_state import StudyState

LAST_TRIALS = 20
"""Ended trials that the pace is taken from: the newest ones."""


@dataclass(frozen=True)
class Pace:
    """`trials_per_hour` of the newest ended trials; `seconds_left` until the planned trials have ended at that pace."""

    trials_per_hour: float | None = None
    seconds_left: float | None = None


def pace_of(state: StudyState) -> Pace:
    """The pace of a study's search; nothing before two trials have ended. What comes after the search is not in it."""
    ends = sorted(
        record.measurements[-1].timestamp
        for record in state.trials
        if record.outcome is not None and record.measurements
    )[-LAST_TRIALS:]
    if len(ends) < 2 or ends[-1] <= ends[0]:
        return Pace()
    per_second = (len(ends) - 1) / (ends[-1] - ends[0])
    left = max(0.0, state.num_planned - state.num_done) / per_second
    return Pace(3600 * per_second, left)
