"""How fast a search goes, by the times its trials ended, and how long the rest of the study takes at that pace."""

from __future__ import annotations

from dataclasses import dataclass

from ftsweep.analysis.time_left import ending_seconds, trials_after
from ftsweep.domain.trial import TrialRecord
from ftsweep.report.overview import StudyOverview

LAST_TRIALS = 20
"""Ended trials that the pace is taken from: the newest ones."""


@dataclass(frozen=True)
class Pace:
    """`trials_per_hour` of the newest ended trials; `seconds_left` until the study has ended at that pace."""

    trials_per_hour: float | None = None
    seconds_left: float | None = None


def pace_of(study: StudyOverview) -> Pace:
    """A study's pace, and what is left with fresh seeds, test and export; nothing before two trials have ended."""
    state = study.state
    ends = sorted(
        record.measurements[-1].timestamp
        for record in state.trials
        if record.outcome is not None and record.measurements
    )[-LAST_TRIALS:]
    if len(ends) < 2 or ends[-1] <= ends[0]:
        return Pace()
    per_second = (len(ends) - 1) / (ends[-1] - ends[0])
    search = max(0.0, state.num_planned - state.num_done)
    after = trials_after(study.settings.selection, state.num_planned) - sum(map(_done, study.fresh))
    ending = ending_seconds(study.phases, max(1, len(study.settings.branches)))
    return Pace(3600 * per_second, (search + max(0.0, after)) / per_second + ending)


def _done(run: TrialRecord) -> float:
    """How much of a run is done, between 0 and 1."""
    return 1.0 if run.outcome is not None else max((each.progress for each in run.measurements), default=0.0)
