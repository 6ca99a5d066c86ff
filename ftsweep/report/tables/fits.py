"""What a page says of how well trials fit: a line for each that has something wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

from ftsweep.domain.verdict import Verdict, VerdictSeverity, counts_of
from ftsweep.report.rows import StudyRows, TrialRow

MAX_LINES = 30


@dataclass(frozen=True)
class FitLine:
    """A trial's verdict; a further one of the same trial has no trial."""

    trial: TrialRow | None
    verdict: Verdict


@dataclass(frozen=True)
class FitTable:
    counts: str
    """How many trials have each verdict, in words."""
    lines: tuple[FitLine, ...]
    """Of trials with something wrong, the worst first."""
    num_more: int
    """Trials with something wrong that are not in the table."""


def fit_table(rows: StudyRows) -> FitTable | None:
    """None where no trial was judged."""
    judged = [trial for trial in rows.trials if trial.verdicts]
    if not judged:
        return None
    telling = telling_trials(rows)
    lines = [
        FitLine(trial if place == 0 else None, verdict)
        for trial in telling[:MAX_LINES]
        for place, verdict in enumerate(trial.verdicts)
    ]
    counts = counts_of({trial.number: trial.verdicts for trial in judged})
    return FitTable(counts, tuple(lines), max(0, len(telling) - MAX_LINES))


def telling_trials(rows: StudyRows) -> list[TrialRow]:
    """Trials with something wrong, the worst first, then by number."""
    order = list(VerdictSeverity)
    found = [
        trial for trial in rows.trials if trial.verdicts and trial.verdicts[0].severity is not VerdictSeverity.NONE
    ]
    return sorted(found, key=lambda trial: -order.index(trial.verdicts[0].severity))
