"""What the default number of threads costs on a machine that is not idle: whole studies beside a process that counts.

Rounds of a study with the default (`executor.threads: auto`) and one with each number of threads set by hand, in turns,
while another process keeps one core busy. What is held against each other is the time that trials say they trained.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from commands import fresh_folder, run
from measured import Result, result

from ftsweep.store.folders import Store

_ROUNDS = 3
_SWEEP = """\
defaults: [base, model: tiny, data: pydocs, task: classification, strategy: lora, _self_]
data: {limit: 600}
training: {learning_rate: 2e-3, batch_size: 8, epochs: 2}
budget: {trials: 2}
selection: {seeds: 0}
rungs: {count: 4}
guards: {small_data: allow}
space: {training: {learning_rate: {low: 1e-4, high: 1e-2, log: true}}}
"""


def measure(*, quick: bool = False) -> list[Result]:
    """Seconds of training of a study, and the default's over the best of the others."""
    hand_set = [f"executor.threads={count}" for count in range(1, len(os.sched_getaffinity(0)) + 1)]
    kinds = {"default": (), **{word: (word,) for word in hand_set}}
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        for _ in range(1 if quick else _ROUNDS):
            for kind, words in kinds.items():
                seconds[kind].append(_trained(words, quick=quick))
    finally:
        busy.kill()
        busy.wait()
    best = min(median(seconds[word]) for word in hand_set)
    return [
        *(result(f"{kind}: training", times, "s") for kind, times in seconds.items()),
        result("default / best set by hand", [each / best for each in seconds["default"]], "times", below=1.3),
    ]


def _trained(words: tuple[str, ...], *, quick: bool) -> float:
    """Seconds that the trials of a study trained."""
    with fresh_folder() as folder:
        (folder / "busy.yaml").write_text(_SWEEP, encoding="utf-8")
        less = ("budget.trials=1", "training.epochs=1") if quick else ()
        run([sys.executable, "-m", "ftsweep.cli.main", "run", "busy.yaml", *words, *less], folder)
        records = Store(Path(folder) / "mlruns").study("busy").records()
        return sum(record.measurements[-1].train_seconds for record in records)
