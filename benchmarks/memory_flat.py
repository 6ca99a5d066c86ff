"""Whether one worker that trains fifty tiny trials ends with the memory that it had when it was warm.

Run as a script (memory_flat.py STRATEGY NUM LANES) it is the worker's process and prints what it holds after each
trial, or after every LANES trials that were under way at once. Rank and batch size change in cycles of six. The process
breathes by some MiB as the allocator keeps and returns pages, so the smallest size over two whole cycles is compared,
right after the first cycle and at the end.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from commands import environment, fresh_folder
from measured import Result, result

NUM_TRIALS = 50
KINDS = (("lora", 1), ("full", 1), ("lora", 4))
"""Strategies, and how many trials at once."""
MOST_GROWTH_MIB = 4
CYCLE = [(batch_size, rank) for batch_size in (4, 8, 16) for rank in (2, 8)]
_SEA = ("wave", "ship", "harbour", "tide", "sailor", "anchor")
_FARM = ("cow", "barn", "wheat", "plough", "meadow", "tractor")


def measure(*, quick: bool = False) -> list[Result]:
    """Growth of the process, and of the numbers of live tensors and modules, for LoRA, full fine-tuning and lanes."""
    results = []
    for strategy, lanes in KINDS:
        samples = watch_worker(strategy, 4 * len(CYCLE) if quick else NUM_TRIALS, lanes)
        grown = growth(samples)
        at_once = f", {lanes} at once" if lanes > 1 else ""
        named = f"{strategy}, {lanes * len(samples)} trials in one worker{at_once}"
        results += [
            result(f"{named}: growth of the process", grown.pop("resident_mib"), "MiB", below=MOST_GROWTH_MIB),
            result(f"{named}: its size", [sample["resident_mib"] for sample in samples[len(CYCLE) :]], "MiB"),
        ]
        results += [result(f"{named}: growth of live {kind}", number, "", below=1) for kind, number in grown.items()]
    return results


def growth(samples: list[dict[str, float]]) -> dict[str, float]:
    """By how much the last two cycles hold more than the second and third, by kind."""
    warm, last = samples[len(CYCLE) : 3 * len(CYCLE)], samples[-2 * len(CYCLE) :]
    return {kind: min(each[kind] for each in last) - min(each[kind] for each in warm) for kind in samples[0]}


def watch_worker(strategy: str, num_samples: int, lanes: int = 1) -> list[dict[str, float]]:
    """What a fresh worker process holds so many times, after as many trials as it has lanes each time."""
    with fresh_folder() as folder:
        command = [sys.executable, str(Path(__file__)), strategy, str(num_samples), str(lanes)]
        done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    samples: list[dict[str, float]] = json.loads(done.stdout)
    return samples


def write_rows(file: Path, numbers: range) -> str:
    """A file of generated sentences with two labels; its name."""
    lines = []
    for number in numbers:
        words = (_SEA, _FARM)[number % 2]
        text = " ".join(words[(number * step + step) % len(words)] for step in range(1, 3 + number % 5))
        lines.append(json.dumps({"text": f"{text} {number}", "label": ("sea", "farm")[number % 2]}))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(file)


def holdings() -> dict[str, float]:
    """What this process holds now."""
    import psutil
    import torch

    gc.collect()
    objects = gc.get_objects()
    process = psutil.Process()
    return {
        "resident_mib": process.memory_info().rss / 2**20,
        "tensors": sum(issubclass(type(each), torch.Tensor) for each in objects),
        "modules": sum(issubclass(type(each), torch.nn.Module) for each in objects),
        "files": process.num_fds(),
        "threads": process.num_threads(),
    }


def _config(strategy: str) -> dict[str, Any]:
    from jobs import trial_config

    files = [f"data.{name}={write_rows(Path(f'{name}.jsonl').absolute(), rows)}" for name, rows in _SPLITS.items()]
    overrides = [
        f"strategy={strategy}",
        "data=files",
        *files,
        "task.max_length=24",
        "rungs.count=4",
        "~space",
        "budget.trials=1",
    ]
    return trial_config("quickstart", overrides)


_SPLITS = {"train": range(48), "validation": range(1000, 1016), "test": range(2000, 2016)}


def main() -> None:
    from jobs import SoleWorker, train_job

    strategy, num_samples, lanes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    config = _config(strategy)
    worker = SoleWorker(threads=1, lanes=lanes)
    samples = []
    for number in range(num_samples):
        batch_size, rank = CYCLE[number % len(CYCLE)]
        settings = {**config["training"], "batch_size": batch_size}
        node = {**config["strategy"], "rank": rank} if strategy == "lora" else config["strategy"]
        own = {**config, "training": settings, "strategy": node}
        first, store = lanes * number, Path("store").absolute()
        worker.finish(*(train_job(first + each, own, store) for each in range(lanes)))
        samples.append(holdings())
    print(json.dumps(samples))


if __name__ == "__main__":
    main()
