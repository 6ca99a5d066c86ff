"""A study as its folder tells it, for the commands that look and do not run."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftsweep.conclusion import Conclusion, model_folder
from ftsweep.config.build import build, import_path
from ftsweep.domain.objective import Objective
from ftsweep.domain.snapshot import Snapshot
from ftsweep.errors import UsageError
from ftsweep.report.rows import read_study
from ftsweep.workspace import Store, StudyFolder, folder_size, read_json

if TYPE_CHECKING:
    from ftsweep.training.inference import Predictor


@dataclass(frozen=True)
class StudyOverview:
    """One study: its facts, its trials, and its result if it has one."""

    folder: StudyFolder
    facts: dict[str, Any]
    snapshot: Snapshot
    conclusion: Conclusion | None
    size_bytes: int
    lost_workers: Sequence[Mapping[str, Any]] = ()
    """`timestamp`, `job`, `worker` and `reason` of each worker that died or fell silent."""

    def to_dict(self) -> dict[str, Any]:
        """JSON for scripts."""
        return {
            "study": self.folder.name,
            "objective": self.facts["objective"],
            "num_planned": self.snapshot.num_planned,
            "size_bytes": self.size_bytes,
            "trials": [
                {
                    "number": record.number,
                    "branch": record.proposal.branch,
                    "is_default": record.proposal.is_default,
                    "params": dict(record.proposal.params),
                    "outcome": record.outcome.kind.value if record.outcome else None,
                    "reason": record.outcome.reason if record.outcome else "",
                    "value": self.snapshot.value(record),
                    "rung": max((measurement.rung for measurement in record.measurements), default=None),
                }
                for record in self.snapshot.trials
            ],
            "lost_workers": list(self.lost_workers),
            "conclusion": asdict(self.conclusion) if self.conclusion else None,
        }


def study_overview(folder: StudyFolder) -> StudyOverview:
    facts = read_json(folder.facts_file)
    conclusion = Conclusion.read(folder)
    objective = Objective(**facts["objective"])
    records = tuple(folder.records())
    num_planned = facts["budget"]["trials"]
    has_all = sum(record.outcome is not None for record in records) >= num_planned
    is_done = conclusion is not None and (has_all or bool(conclusion.note))
    baseline = conclusion.baseline if conclusion else folder.baselines()
    snapshot = Snapshot(
        study=folder.name,
        phase="running" if folder.is_running else "complete" if is_done else "not finished",
        objective=objective,
        num_rungs=facts["rungs"],
        num_planned=num_planned,
        trials=records,
        chosen=conclusion.number if conclusion is not None and is_done else None,
        baseline={label: values[objective.metric] for label, values in baseline.items() if objective.metric in values},
    )
    return StudyOverview(folder, facts, snapshot, conclusion, folder_size(folder.path), folder.lost_workers())


def store_overview(store: Store) -> list[dict[str, Any]]:
    """One row per study."""
    rows = []
    for folder in store.studies():
        overview = study_overview(folder)
        best = overview.snapshot.best
        rows.append(
            {
                "study": folder.name,
                "state": overview.snapshot.phase,
                "num_ended": overview.snapshot.num_ended,
                "num_planned": overview.snapshot.num_planned,
                "objective": overview.snapshot.objective.key,
                "best_trial": best.number if best else None,
                "best_value": overview.snapshot.value(best) if best else None,
                "size_bytes": overview.size_bytes,
            }
        )
    return rows


def export_best(folder: StudyFolder, destination: Path) -> None:
    """Copy the chosen model; a folder that has something in it is not touched."""
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise UsageError(
            "this exists and is not an empty folder", where=str(destination), remedy="Name another folder."
        )
    shutil.copytree(model_folder(folder), destination, dirs_exist_ok=True)


def predictor_for(model: str, store: Store, allowed: Sequence[str] = ()) -> Predictor:
    """The chosen model of a study in the store, or an exported model folder, ready to predict."""
    from ftsweep.training.inference import MANIFEST, load_predictor

    path = Path(model)
    if (path / MANIFEST).is_file():
        return load_predictor(path, allowed=allowed)
    folder = next((study for study in store.studies() if study.name == model), None)
    if folder is None:
        known = ", ".join(study.name for study in store.studies()) or "none"
        raise UsageError(
            f"{model!r} is neither an exported model's folder nor a study in {store.root}",
            remedy=f"Studies here: {known}.",
        )
    if not model_folder(folder).exists():
        raise UsageError(f"study {model!r} has no chosen model yet", remedy=f"See: ftsweep status {model}")
    facts = read_json(folder.facts_file)
    with import_path([Path(place) for place in facts["search_folders"]]):
        return load_predictor(model_folder(folder), allowed=facts["allow"])


def write_study_report(folder: StudyFolder, path: Path | None) -> Path:
    """The HTML page of a study, running or done."""
    facts = read_json(folder.facts_file)
    with import_path([Path(place) for place in facts["search_folders"]]):
        page = build(facts["report"], allowed=facts["allow"])
        written: Path = page.write(read_study(folder), path or folder.report_file)
    return written
