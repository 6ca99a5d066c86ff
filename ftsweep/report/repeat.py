"""The command that runs a trial's setting once more, as the default setting of a study of its own."""

from __future__ import annotations

from pathlib import Path

from ftsweep.domain.commands import override, quoted_command, sweep_word
from ftsweep.report.overview import StudyOverview
from ftsweep.report.trial_summary import TrialSummary


def repeat_command(study: StudyOverview, trial: TrialSummary) -> str:
    """Of branches it leaves the trial's own alone. Overrides that the study was begun with are not known to it."""
    values = {study.param_path(name): value for name, value in study.params_of(trial).items()}
    others = [f"~branches.{name}" for name in study.settings.branches if name != trial.branch]
    words = [
        quoted_command("ftsweep", "run", sweep_word(Path(study.settings.sweep or study.name))),
        override("study.name", f"{study.name}-trial-{trial.number}"),
        "budget.trials=1",
        "selection.seeds=0",
        *(quoted_command(other) for other in others),
        *(override(path, value) for path, value in values.items()),
    ]
    return " ".join(words)
