"""What the training tests train on: short generated sentences with one of two labels, and the settings of a trial."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WORDS = {
    "sea": ["wave", "ship", "harbour", "tide", "sailor", "anchor"],
    "farm": ["cow", "barn", "wheat", "plough", "meadow", "tractor"],
}


TRAINING: dict[str, Any] = {
    "learning_rate": 5e-3,
    "batch_size": 8,
    "epochs": 2,
    "micro_batch_size": None,
    "warmup": 0.1,
    "schedule": "linear",
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "patience": None,
    "precision": "auto",
    "gradient_checkpointing": False,
    "replay": 0.0,
}
"""The settings of a small trial."""


def sentences(count: int, offset: int = 0) -> list[dict[str, str]]:
    rows = []
    for number in range(offset, offset + count):
        label = ("sea", "farm")[number % 2]
        words = WORDS[label]
        text = " ".join(words[(number * step + step) % len(words)] for step in range(1, 3 + number % 5))
        rows.append({"text": f"{text} {number}", "label": label})
    return rows


def write_rows(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)
