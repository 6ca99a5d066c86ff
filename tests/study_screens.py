"""Shows the screens of commands for a made-up store, one after the other, in the terminal that this process has."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from report_studies import write_demo

STORE, OTHER = "mlruns", "a store"
"""That of the captured screens, which commands need not name, and one with a space, so that they have to quote it."""


def write_store(root: Path) -> Path:
    """A finished study, and one under way; returns the store's folder."""
    write_demo(root / STORE)
    write_demo(root / STORE, finished=False, name="under-way")
    write_demo(root / OTHER, finished=False, name="under-way")
    return root / STORE


def show(name: str, store: Path) -> None:
    """One screen. The live table is left as it stands in the middle of the run; the others are commands."""
    if name == "live":
        _show_live(store)
        return
    commands = {
        "status": ["status", "demo"],
        "store": ["status"],
        "best": ["best", "demo"],
        "list": ["list"],
        "help": ["--help"],
        "error": ["best", "under-way"],
    }
    if name == "plan":
        _show_plan()
        return
    from ftsweep.cli import disk_text
    from ftsweep.cli.main import main

    disk_text.size_text = lambda num_bytes: "12.3 MiB"  # what files take changes with every key in them
    where = ["--store", OTHER] if name == "error" else []
    try:
        main([*commands[name], *where], prog_name="ftsweep", standalone_mode=False)
    except SystemExit:
        sys.stdout.flush()


def _show_live(store: Path) -> None:
    from ftsweep.cli.console import console_for
    from ftsweep.cli.live_view import LiveView
    from ftsweep.report.overview import read_overview
    from ftsweep.store.folders import Store

    state = read_overview(Store(store).study("under-way")).state
    times = {"elapsed_seconds": 125.0, "seconds_left": 300.0}
    with LiveView(console_for(sys.stdout)) as view:
        view(replace(state, phase="searching", **times))
        os.write(1, b"\x1e")  # the end of this screen's capture; what clears it belongs to the next one


def _show_plan() -> None:
    from ftsweep.cli.console import console_for
    from ftsweep.cli.plan_view import print_plan

    print_plan(console_for(sys.stdout), plan_facts())


def plan_facts() -> dict[str, Any]:
    """As `make_plan` returns them."""
    from report_studies import PREPARED

    estimate = {"num_steps": 120, "step_seconds": 0.05, "measure_seconds": 1.5, "trial_seconds": 21.0}
    space = {
        "training.learning_rate": "[0.0001 .. 0.01, log]",
        "training.batch_size": "{8, 16, 32}",
        "strategy.targets": "{all-linear, attention, [q_proj, k_proj, v_proj, o_proj], [query, key, value]}",
    }
    shown = {
        "place": "tweets.jsonl:17",
        "read_as": "text",
        "parts": [["what a day to be out in the sun ", False], ["joy", True]],
    }
    branch = {
        "branch": "main",
        "space": space,
        "default_in_space": True,
        "data": {**PREPARED, "shown": shown},
        "estimate": {**estimate, "peak_memory_gib": 1.25},
        "measuring": {"share": 15 / 21, "fewer": 4, "share_of_fewer": 0.5},
    }
    return {
        "study": "demo",
        "num_trials": 14,
        "num_rungs": 10,
        "num_workers": 2,
        "lanes": {"lanes": 1, "branches": {}},
        "sharing": None,
        "objective": {"direction": "minimize", "key": "validation/loss"},
        "branches": [branch],
        "study_seconds": 294.0,
    }
