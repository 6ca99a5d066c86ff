"""A worker is told as lost when it was, and not when a disk was full."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftsweep.control.lost_workers import LostWorkers
from ftsweep.errors import StudyError
from ftsweep.store.folders import Store

FULL: dict[str, Any] = {"type": "failed", "job": "export-0002", "kind": "place", "message": "No space left on device"}
KILLED: dict[str, Any] = {"type": "lost", "job": "trial-0001", "kind": "crash", "worker": "gpu 0", "reason": "SIGKILL."}


def test_full_disk_loses_no_worker_and_nothing_is_written_of_it(tmp_path: Path) -> None:
    workers = LostWorkers(Store(tmp_path).study("demo"))
    workers.after(FULL)
    assert workers.text == "1 attempt could not write or read files, the last of export-0002: No space left on device."
    assert not workers.folder.lost_file.exists()
    for _ in range(2):
        workers.after(FULL)
    with pytest.raises(StudyError, match="No space left on device"):
        workers.after(FULL)


def test_lost_worker_is_told_and_written_down(tmp_path: Path) -> None:
    workers = LostWorkers(Store(tmp_path).study("demo"))
    workers.after(KILLED)
    workers.after(FULL)
    assert workers.text.startswith("1 worker was lost, the last over trial-0001: SIGKILL. 1 attempt could not write")
    assert [lost["job"] for lost in workers.folder.lost_workers()] == ["trial-0001"]
