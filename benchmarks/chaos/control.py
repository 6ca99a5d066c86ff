"""What a forked control process does: the command, in a user's folder, with the fuses that were drawn for it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable

from fuse import Fuse, arm
from kills import Drawn
from place import Place

from ftsweep.testing import forked


def run_command(place: Place, drawn: Drawn) -> None:
    """The body of a control process: what a person's shell would start."""
    os.setsid()
    os.chdir(place.folder)
    log = os.open("output.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ["TMPDIR"] = str(place.folder / "tmp")
    workers = iter(drawn.workers)

    def plan(module: str) -> Callable[[], None]:
        fuse = next(workers, None) if module == "ftsweep.worker.process" else None
        return lambda: None if fuse is None else _arm(fuse, "worker", place)

    forked.plan_child = plan
    forked.fork_instead_of_starting()
    if drawn.control is not None:
        _arm(drawn.control, "control process", place)
    from ftsweep.cli.main import main

    main(["run", "chaos.yaml"])


def _arm(fuse: Fuse, who: str, place: Place) -> None:
    armed = arm(fuse, who, place.notes)
    name = who.partition(" ")[0]

    def note() -> None:  # again and again: a worker does not know which is its last event
        counts = {"num_events": armed.num_events, "num_writes": armed.num_writes}
        (place.folder / f"{name}.counts").write_text(json.dumps(counts), encoding="utf-8")
        (place.folder / f"{name}.modules").write_text("\n".join(list(sys.modules)), encoding="utf-8")

    armed.note_counts = note
