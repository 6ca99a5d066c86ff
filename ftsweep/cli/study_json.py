"""A study as JSON for scripts: `ftsweep status STUDY --json` and `ftsweep best STUDY --json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ftsweep.domain.study_state import StudyState
from ftsweep.domain.trial import TrialRecord
from ftsweep.report.overview import StudyOverview
from ftsweep.store.manifest import Extension


def study_json(
    overview: StudyOverview,
    disk: Mapping[str, int],
    lost_workers: Sequence[Mapping[str, Any]],
    extension: Extension,
) -> dict[str, Any]:
    """Everything that is known of a study. disk: bytes by what they are for."""
    state = overview.state
    return {
        "study": state.study,
        "objective": state.objective.to_dict(),
        "num_planned": state.num_planned,
        "size_bytes": disk["total"],
        "disk": dict(disk),
        "database": overview.database.to_dict() if overview.database else None,
        "extension": asdict(extension) if extension.generation > 1 else None,
        "trials": [_trial(record, state) for record in state.trials],
        "verdicts": [verdict.to_dict() for verdict in overview.verdicts],
        "lost_workers": list(lost_workers),
        "conclusion": state.result.to_dict() if state.result else None,
    }


def _trial(record: TrialRecord, state: StudyState) -> dict[str, Any]:
    return {
        "number": record.number,
        "branch": record.proposal.branch,
        "is_default": record.proposal.is_default,
        "params": dict(record.proposal.params),
        "outcome": record.outcome.kind.value if record.outcome else None,
        "reason": record.outcome.reason if record.outcome else "",
        "pause": asdict(record.pause) if record.pause else None,
        "value": state.value(record),
        "rung": max((measurement.rung for measurement in record.measurements), default=None),
        "verdicts": [each.to_dict() for each in state.verdicts.get(record.number, ())],
    }
