"""What a study's process was doing from when to when: a line in `phases.jsonl` whenever that changes."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from ftsweep.store.atomic import append_line, read_lines
from ftsweep.store.folders import StudyFolder

_FILE = "phases.jsonl"


def phases_file(folder: StudyFolder) -> Path:
    return folder.path / _FILE


def note_phase(folder: StudyFolder, phase: str) -> None:
    """From now on this goes on; "" when the process ends. Where nothing can be written it is not known, and no more."""
    with suppress(OSError):
        append_line(phases_file(folder), {"timestamp": time.time(), "phase": phase, "process": os.getpid()})


def read_phases(folder: StudyFolder) -> tuple[tuple[str, float, float], ...]:
    """Each phase with its begin and end, in seconds since 1970. The last of a process that was killed has no end and is
    left out, as is the one that goes on.
    """
    return tuple(
        (str(line["phase"]), float(line["timestamp"]), float(following["timestamp"]))
        for line, following in pairwise(read_lines(phases_file(folder)))
        if line["phase"] and line["process"] == following["process"]
    )
