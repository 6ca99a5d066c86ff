"""A study as its folder tells it, for the commands that look and do not run."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftsweep.config.build import build, import_path
from ftsweep.control.conclude import Conclusion, model_folder
from ftsweep.domain.snapshot import Snapshot
from ftsweep.domain.verdict import Verdict
from ftsweep.errors import UsageError
from ftsweep.report.rows import read_study
from ftsweep.report.settings import read_settings
from ftsweep.report.study_fit import judged_study
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.store.manifest import Extension
from ftsweep.store.usage import study_use

_HEAD_BYTES = 4096
"""Of a page of ours: its generator is named in there."""

if TYPE_CHECKING:
    from ftsweep.serving.model import Predictor


@dataclass(frozen=True)
class StudyOverview:
    """One study: its facts, its trials, and its result if it has one."""

    folder: StudyFolder
    snapshot: Snapshot
    conclusion: Conclusion | None
    disk: Mapping[str, int]
    """Bytes: see `ftsweep.store.usage.study_use`."""
    extension: Extension
    """How the study's space has changed."""
    lost_workers: Sequence[Mapping[str, Any]] = ()
    """`timestamp`, `job`, `worker` and `reason` of each worker that died or fell silent."""

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """What the study shows about its own search; nothing of a folder that holds no study yet."""
        if not self.folder.sweep_file.exists():
            return []
        best = self.snapshot.best
        evidence = self.conclusion.evidence if self.conclusion else {}
        settings = read_settings(self.folder)
        number = best.number if best else None
        return judged_study(self.snapshot.trials, settings, number, evidence)

    def to_dict(self) -> dict[str, Any]:
        """JSON for scripts."""
        return {
            "study": self.folder.name,
            "objective": asdict(self.snapshot.objective),
            "num_planned": self.snapshot.num_planned,
            "size_bytes": self.disk["total"],
            "disk": dict(self.disk),
            "extension": asdict(self.extension) if self.extension.generation > 1 else None,
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
                    "verdicts": [each.to_dict() for each in self.snapshot.verdicts.get(record.number, ())],
                }
                for record in self.snapshot.trials
            ],
            "verdicts": [verdict.to_dict() for verdict in self.verdicts],
            "lost_workers": list(self.lost_workers),
            "conclusion": asdict(self.conclusion) if self.conclusion else None,
        }


def study_overview(folder: StudyFolder, *, with_verdicts: bool = True) -> StudyOverview:
    """Everything; reading verdicts takes a file for each trial."""
    manifest = folder.manifest()
    conclusion = Conclusion.read(folder)
    objective = manifest.terms.objective
    records = tuple(folder.records())
    num_planned = manifest.num_trials
    has_all = sum(record.outcome is not None for record in records) >= num_planned
    if conclusion is not None and not conclusion.num_trials:
        conclusion = None  # of before the space changed
    is_done = conclusion is not None and conclusion.num_trials == len(records) and (has_all or bool(conclusion.note))
    baseline = conclusion.baseline if conclusion else folder.baselines()
    snapshot = Snapshot(
        study=folder.name,
        phase="running" if folder.is_running else "complete" if is_done else "not finished",
        objective=objective,
        num_rungs=manifest.terms.num_rungs,
        num_planned=num_planned,
        trials=records,
        verdicts=folder.verdicts() if with_verdicts else {},
        chosen=conclusion.number if conclusion is not None and is_done else None,
        baseline={label: values[objective.metric] for label, values in baseline.items() if objective.metric in values},
    )
    lost = folder.lost_workers()
    return StudyOverview(folder, snapshot, conclusion, study_use(folder), manifest.extension, lost)


def store_overview(store: Store) -> list[dict[str, Any]]:
    """One row per study."""
    rows = []
    for folder in store.studies():
        overview = study_overview(folder, with_verdicts=False)
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
                "size_bytes": overview.disk["total"],
                "disk": dict(overview.disk),
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
    from ftsweep.serving.model import MANIFEST, load_predictor

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
    manifest = folder.manifest()
    with import_path(manifest.search_folders):
        return load_predictor(model_folder(folder), allowed=manifest.allow)


def write_study_report(folder: StudyFolder, path: Path | None) -> Path:
    """The HTML page of a study, running or done."""
    manifest = folder.manifest()
    with import_path(manifest.search_folders):
        page = build(manifest.report, allowed=manifest.allow)
        if path is not None:
            _check_replaceable(path)
        written: Path = page.write(read_study(folder), path or folder.report_file)
    return written


def _check_replaceable(path: Path) -> None:
    """A page that ftsweep wrote before may be written again; nothing else is overwritten."""
    if path.is_dir() or not path.parent.is_dir():
        what = "this is a folder" if path.is_dir() else "its folder does not exist"
        raise UsageError(what, where=str(path), remedy="Name a file: --out report.html")
    if not path.exists():
        return
    with path.open("rb") as file:
        is_ours = b'content="ftsweep"' in file.read(_HEAD_BYTES)
    if not is_ours:
        raise UsageError(
            "this file is no report of ftsweep, and it is not overwritten", where=str(path), remedy="Name another file."
        )
