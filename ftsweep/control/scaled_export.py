"""`ftsweep best STUDY --scale`: a trial's model with its trained change made smaller, as a folder of its own."""

from __future__ import annotations

from pathlib import Path

from ftsweep.config.build import import_path
from ftsweep.control.job_messages import JobMessages
from ftsweep.errors import UsageError
from ftsweep.search.asking import known_record
from ftsweep.serving.study_model import make_destination
from ftsweep.store.folders import StudyFolder, TrialFolder


def export_scaled(folder: StudyFolder, run: TrialFolder, scale: float, destination: Path) -> None:
    """Write the model of a trial, or of a run with a fresh seed, to an absent or empty folder.

    `ftsweep predict` answers from it.

    Scale 0 is what the trial started from (a new head stays), 1 what it came to. Done in this process, on its device.

    Raises:
        UsageError: there is no such trial or scale, no weights were kept of it, or the folder has something in it.
        ConfigError: what the trial's strategy trained cannot be scaled.
    """
    if not 0 <= scale <= 1:
        raise UsageError(f"{scale:g} is no scale", where="--scale", remedy="Use 0 (the base) to 1 (the trial).")
    number = int(run.path.name.partition("-")[0])
    known_record(folder, number)
    if not run.best.is_dir():
        kept = [each.path.name.lstrip("0") or "0" for each in folder.trials() if each.best.is_dir()]
        raise UsageError(
            f"no weights were kept of trial {number}",
            where="--trial",
            remedy=f"Weights are there of: {', '.join(kept) or 'no trial'}.",
        )
    make_destination(destination)
    manifest = folder.manifest()
    with import_path(manifest.search_folders):
        from ftsweep.worker.components import Components
        from ftsweep.worker.jobs import SingleJobs

        messages = JobMessages(folder, folder.store.cache)
        SingleJobs(Components(manifest.allow)).do(messages.export(run, destination, scale))
