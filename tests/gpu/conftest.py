"""What trials on a CUDA device are made of: a small sweep's configuration, and a worker."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "unit"))  # crews of lanes, settings of trials

WORDS = {"sea": ["wave", "ship", "harbour", "tide"], "farm": ["cow", "barn", "wheat", "plough"]}


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    from training_rows import TRAINING

    lines = []
    for number in range(160):
        label = ("sea", "farm")[number % 2]
        name = "".join(chr(97 + int(digit)) for digit in str(number))
        text = " ".join(WORDS[label][(number * step) % 4] for step in range(1, 6))
        lines.append(json.dumps({"text": f"{text} {name}", "label": label}))
    (tmp_path / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return {
        "model": {"_target_": "ftsweep.models.TinyModel", "dtype": "auto"},
        "stages": {},
        "data": {"_target_": "ftsweep.data.Files", "train": str(tmp_path / "rows.jsonl")},
        "general": None,
        "task": {"_target_": "ftsweep.tasks.Classification", "max_length": 32},
        "strategy": {"_target_": "ftsweep.strategies.Lora", "rank": 4},
        "training": {**TRAINING, "batch_size": 16, "epochs": 3},
        "rungs": {"count": 4},
        "objective": {"metric": "loss", "split": "validation", "direction": "minimize"},
        "seed": {"data": 0, "model": 0, "sampler": 0},
    }


@pytest.fixture
def engine() -> Iterator[Any]:
    from ftsweep.worker.engine import Engine

    yield Engine()

    import torch

    torch.cuda.set_per_process_memory_fraction(1.0)
