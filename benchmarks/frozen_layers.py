"""What looking up frozen layers saves: a trial of top_layers with and without the table, in CPU seconds.

    python benchmarks/frozen_layers.py

Both ways in one process and on one thread, in turns, the same trial with 4 rungs; the table is there before. The
ratio of each round, and the median. Above 1 the table is faster. With FTSWEEP_SHARED also on its `models/minilm`.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from machine import hardware

from ftsweep.config.compose import compose_sweep
from ftsweep.store.folders import TrialFolder
from ftsweep.training.measuring import Start
from ftsweep.worker.components import Components

NUM_ROUNDS = 3
WORDS = (
    "data.limit=500",
    "rungs.count=4",
    "training.epochs=1",
    "task.max_length=64",
    "strategy=top_layers",
    "~space.strategy",
)


def trial_seconds(components: Components, config: dict[str, Any], folder: Path, cache: Path) -> float:
    parts = components.parts_of(config, cache)
    base = components.lend_base(parts)
    began = time.process_time()
    run: Any = components.begin_run(parts, base, TrialFolder(folder), start=Start())
    while run.outcome is None:
        run.step()
        run.resume()
    seconds = time.process_time() - began
    components.bases.put_back(base, parts.strategy, run.model)
    return seconds


def compare(*words: str) -> str:
    (branch,) = compose_sweep("quickstart", (*WORDS, *words)).branches
    config = branch.config_with(branch.default_params())
    components = Components()
    ratios = []
    with tempfile.TemporaryDirectory() as made:
        root, cache = Path(made), Path(made) / "cache"
        trial_seconds(components, config, root / "first", cache)  # makes the table
        for number in range(NUM_ROUNDS):
            seconds = {}
            for is_looked_up in (True, False) if number % 2 else (False, True):
                hidden = "cached_layers" if not is_looked_up else "_nothing"
                with patch(f"ftsweep.training.runs.choice.{hidden}", lambda *_: None, create=True):
                    seconds[is_looked_up] = trial_seconds(components, config, root / f"{number}-{is_looked_up}", cache)
            ratios.append(seconds[False] / seconds[True])
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} .. {max(ratios):.2f})"


def main() -> None:
    torch.set_num_threads(1)
    print("; ".join(f"{name} {value}" for name, value in hardware().items()), f"; load {os.getloadavg()[0]:.1f}\n")
    print("| model | layers that train | a trial with 4 rungs, without over with the table: median (range) |")
    print("|---|---|---|")
    for count in (1, 2):
        print(f"| embedded, 4 layers | {count} | {compare(f'strategy.num_layers={count}')} |", flush=True)
    shared = (Path(os.environ.get("FTSWEEP_SHARED", "../shared")) / "models" / "minilm").resolve()
    if shared.is_dir():
        for count in (1, 2):
            words = ("model=local", f"model.path={shared}", f"strategy.num_layers={count}")
            print(f"| MiniLM, 6 layers | {count} | {compare(*words)} |", flush=True)


if __name__ == "__main__":
    main()
