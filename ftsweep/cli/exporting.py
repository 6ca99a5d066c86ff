"""`ftsweep best --export`: the copied model made to open in other tools, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ftsweep.config.build import build, import_path
from ftsweep.domain.answers import model_label
from ftsweep.errors import UsageError
from ftsweep.store.atomic import read_json, write_text
from ftsweep.store.folders import StudyFolder
from ftsweep.store.result import model_folder

if TYPE_CHECKING:
    from ftsweep.report.overview import StudyOverview


def check_export(folder: StudyFolder, *, merge: bool) -> None:
    """Raise UsageError when the chosen model cannot be exported so; before anything is written."""
    if merge and model_folder(folder).exists():
        from ftsweep.worker.portable_export import check_mergeable

        check_mergeable(model_folder(folder))


def check_trial_export(folder: StudyFolder, number: int, *, merge: bool) -> None:
    """The same for a trial's model; a trial that is not there is left to whoever exports it."""
    trial, manifest = folder.trial(number), folder.manifest()
    if not merge or not trial.spec_file.is_file():
        return
    with import_path(manifest.search_folders):
        strategy = build(trial.spec()["config"]["strategy"], allowed=manifest.allow)
    if not strategy.exports_whole and not strategy.moves_weights:
        raise UsageError(
            f"the model of trial {number} cannot be merged: what it learned stands beside the base, not in it",
            where="--merge",
            remedy="Export it without --merge.",
        )


def export_winner(folder: StudyFolder, overview: StudyOverview, destination: Path, *, merge: bool) -> None:
    """Copy the chosen model, made to open in other tools, with its model card before the README."""
    from ftsweep.report.exported_card import with_card
    from ftsweep.serving.study_model import export_best

    check_export(folder, merge=merge)
    export_best(folder, destination)
    complete_export(folder, destination, merge=merge)
    readme, manifest = destination / "README.md", read_json(destination / "ftsweep.json")
    number = overview.result.number
    if number is not None and (trial := folder.trial(number)).spec_file.is_file():  # the export says how rows are read
        manifest |= {"data": trial.spec()["config"].get("data")}
    write_text(readme, with_card(readme.read_text(encoding="utf-8"), overview, destination, manifest))


def complete_export(folder: StudyFolder, destination: Path, *, merge: bool) -> None:
    """Add to an exported folder what transformers and PEFT need, or merge it."""
    manifest = folder.manifest()
    with import_path(manifest.search_folders):
        from ftsweep.worker.portable_export import open_elsewhere

        open_elsewhere(destination, merge=merge, allowed=manifest.allow)


def name_export(folder: StudyFolder, destination: Path, which: tuple[int, int], scale: float) -> None:
    """Have the README of an exported trial say of which study it is, with which fresh seed, and how it was scaled.

    which: the trial's number, and 0 or the number of the fresh seed.
    """
    readme = destination / "README.md"
    scaled = "" if scale == 1 else f", its trained change scaled by {scale:g}"
    title = f"# {model_label(*which).capitalize()} of the study {folder.name}{scaled}"
    _, _, rest = readme.read_text(encoding="utf-8").partition("\n")
    write_text(readme, f"{title}\n{rest}")
