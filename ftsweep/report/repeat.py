"""The command that runs a trial's setting once more, as the default setting of a study of its own."""

from __future__ import annotations

from ftsweep.domain.commands import overridden, override, quoted_command, run_command
from ftsweep.report.overview import StudyOverview
from ftsweep.report.trial_summary import TrialSummary

_OF_THE_STUDY = ("study", "budget", "selection")


def repeat_command(study: StudyOverview, trial: TrialSummary) -> str:
    """Of branches it leaves the trial's own alone; what the command line said of the study as a whole it leaves out."""
    values = {study.param_path(name): value for name, value in study.params_of(trial).items()}
    others = [f"~branches.{name}" for name in study.settings.branches if name != trial.branch]
    begun_with = [line for line in study.settings.overrides if overridden(line).partition(".")[0] not in _OF_THE_STUDY]
    return run_command(
        study.settings.sweep or study.name,
        f"{study.name}-trial-{trial.number}",
        "budget.trials=1",
        "selection.seeds=0",
        *(quoted_command(other) for other in others),
        *(override(path, value) for path, value in values.items()),
        store=study.store,
        begun_with=begun_with,
    )
