"""The verdicts on a study's search, from its state and the sweep as composed."""

from __future__ import annotations

from ftsweep.domain.study_state import StudyState
from ftsweep.domain.verdict import Verdict
from ftsweep.report.settings import Settings, read_settings
from ftsweep.store.folders import StudyFolder
from ftsweep.verdicts.study import StudyFit, judge_study, study_tags


def judged_study(state: StudyState, settings: Settings) -> list[Verdict]:
    """What a study of this composed sweep shows about its search; see `judge_study`.

    Nothing where `guards.fit` is off.
    """
    if not settings.judges_fit:
        return []
    return judge_study(
        StudyFit(
            records=state.trials,
            objective=state.objective,
            num_rungs=state.num_rungs,
            best=state.best.number if state.best else None,
            dimensions=settings.dimensions_of((each.proposal.branch, each.proposal.params) for each in state.trials),
            pruner=settings.pruner,
            contenders=state.result.contenders if state.result else (),
        )
    )


def study_fit_tags(folder: StudyFolder, state: StudyState) -> dict[str, str]:
    """The verdicts on a study and its trials as tags of the run of the whole study."""
    settings = read_settings(folder)
    if not settings.judges_fit:
        return {}
    best = state.best.number if state.best else None
    return study_tags(judged_study(state, settings), state.verdicts, best)
