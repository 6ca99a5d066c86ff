"""The verdicts on a study's search, from what its folder tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ftsweep.domain.trial import TrialRecord
from ftsweep.domain.verdict import Verdict
from ftsweep.report.settings import Settings, read_settings
from ftsweep.store.folders import StudyFolder
from ftsweep.verdicts.study import StudyFit, judge_study, study_tags


def judged_study(
    records: Sequence[TrialRecord],
    settings: Settings,
    best: int | None,
    evidence: Mapping[str, Any] | None,
) -> list[Verdict]:
    """What a study of this composed sweep shows about its search; see `judge_study`.

    best: the chosen trial, or the best so far. evidence: how it was confirmed, as the study's result has it. Nothing
    where `guards.fit` is off.
    """
    if not settings.judges_fit:
        return []
    return judge_study(
        StudyFit(
            records=records,
            objective=settings.objective,
            num_rungs=settings.num_rungs or 0,
            best=best,
            dimensions=settings.dimensions_of((each.proposal.branch, each.proposal.params) for each in records),
            pruner=settings.pruner,
            evidence=evidence or {},
        )
    )


def study_fit_tags(
    folder: StudyFolder,
    records: Sequence[TrialRecord],
    trials: Mapping[int, Sequence[Verdict]],
    best: int | None,
    evidence: Mapping[str, Any],
) -> dict[str, str]:
    """The verdicts on a study and its trials, by number, as tags of the run of the whole study."""
    settings = read_settings(folder)
    if not settings.judges_fit:
        return {}
    return study_tags(judged_study(records, settings, best, evidence), trials, best)
