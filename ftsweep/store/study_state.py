"""A study's state as its folder has it: the one place where a study's files become a `StudyState`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ftsweep.domain.result import StudyResult
from ftsweep.domain.study_state import COMPLETE, NOT_FINISHED, StudyState
from ftsweep.domain.trial import TrialRecord
from ftsweep.domain.verdict import Verdict
from ftsweep.store.folders import StudyFolder
from ftsweep.store.manifest import StudyManifest
from ftsweep.store.result import read_result

RUNNING = "running"


def read_state(folder: StudyFolder, *, with_verdicts: bool = True) -> StudyState:
    """Everything that the folder tells of the study; reading verdicts takes a file for each trial.

    A result from before the space changed is about other trials, and left out.

    Raises:
        DamagedFileError: a file of the study holds something else.
    """
    return made_state(
        folder,
        folder.manifest(),
        read_result(folder),
        baselines=folder.baselines(),
        trials=folder.records(),
        verdicts=folder.verdicts() if with_verdicts else {},
    )


def made_state(
    folder: StudyFolder,
    manifest: StudyManifest,
    result: StudyResult | None,
    *,
    baselines: Mapping[str, Mapping[str, float]],
    trials: Iterable[TrialRecord],
    verdicts: Mapping[int, tuple[Verdict, ...]],
) -> StudyState:
    """The state that these files of the study make, with who owns it now."""
    if result is not None and not result.num_trials:
        result = None
    state = StudyState(
        study=folder.name,
        phase=RUNNING if folder.is_running else NOT_FINISHED,
        objective=manifest.terms.objective,
        num_rungs=manifest.terms.num_rungs,
        num_planned=manifest.num_trials,
        trials=tuple(trials),
        baseline={**baselines, **(result.baseline if result else {})},
        verdicts=verdicts,
        result=result,
    )
    return replace(state, phase=COMPLETE) if state.phase == NOT_FINISHED and _is_complete(state) else state


def _is_complete(state: StudyState) -> bool:
    """Whether the same command would start no trial, as far as the folder tells."""
    num_done = state.num_ended + len(state.paused)
    has_all = num_done >= state.num_planned or (state.result is not None and bool(state.result.note))
    return state.is_concluded and has_all
