"""MLflow's record of studies that ran on other machines: made here from their folders, so that it can be looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from omegaconf import OmegaConf

from ftsweep.config.build import build, import_path
from ftsweep.recording.background import BackgroundRecorder
from ftsweep.store.address.place import address_of
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.store.result import read_result


def record_here(store: Store, tell: Callable[[str], None]) -> None:
    """Send what is not in the working folder's own MLflow database yet. Of a store in a folder, where each study's own
    process has done that, nothing is to be done, nor of studies that are recorded elsewhere or run here.
    """
    if address_of(store) is None:
        return
    for folder in store.studies():
        if not folder.is_running:
            _record(folder, tell)


def _record(folder: StudyFolder, tell: Callable[[str], None]) -> None:
    node: Any = OmegaConf.to_container(OmegaConf.load(folder.sweep_file))
    recording = node["recording"]
    if not str(recording.get("_target_")).endswith(".MlflowRecorder") or recording.get("tracking_uri") is not None:
        return
    manifest = folder.manifest()
    with import_path(manifest.search_folders):
        recorder = BackgroundRecorder(build(recording, allowed=manifest.allow))
        if recorder.is_finished(folder):
            return
        tell(f"recording study {folder.name!r} in this machine's MLflow database ...")
        recorder.resume(folder)
        for warning in recorder.close(finished=read_result(folder) is not None):
            tell(warning)
