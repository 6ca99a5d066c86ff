"""The command that runs a trial's setting once more, as the default setting of a study of its own."""

from __future__ import annotations

from ftsweep.domain.commands import override, quoted_command, run_command
from ftsweep.report.overview import StudyOverview
from ftsweep.report.trial_summary import TrialSummary


def repeat_command(study: StudyOverview, trial: TrialSummary) -> str:
    """Of branches it leaves the trial's own alone. Of overrides that the study was begun with it knows the store, and
    the objective where without it no answers might be generated.
    """
    values = {study.param_path(name): value for name, value in study.params_of(trial).items()}
    others = [f"~branches.{name}" for name in study.settings.branches if name != trial.branch]
    metric = study.objective.metric
    is_generated = metric in study.objective.metrics and study.objective.metrics[metric].is_generated
    return run_command(
        study.settings.sweep or study.name,
        f"{study.name}-trial-{trial.number}",
        "budget.trials=1",
        "selection.seeds=0",
        *([override("objective.metric", metric)] if is_generated else []),
        *(quoted_command(other) for other in others),
        *(override(path, value) for path, value in values.items()),
        store=study.store,
    )
