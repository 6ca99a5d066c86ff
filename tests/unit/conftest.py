"""A small real job: the embedded model, sixty generated sentences, two labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from training_rows import TRAINING, sentences, write_rows


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    """A trial's config; tests change what they are about."""
    return {
        "model": {"_target_": "ftsweep.models.TinyModel", "dtype": "auto"},
        "stages": {},
        "general": None,
        "data": {
            "_target_": "ftsweep.data.Files",
            "train": write_rows(tmp_path / "train.jsonl", sentences(60)),
            "validation": write_rows(tmp_path / "validation.jsonl", sentences(20, offset=1000)),
            "test": write_rows(tmp_path / "test.jsonl", sentences(20, offset=2000)),
        },
        "task": {"_target_": "ftsweep.tasks.Classification", "max_length": 24},
        "strategy": {"_target_": "ftsweep.strategies.Lora", "rank": 2},
        "training": dict(TRAINING),
        "rungs": {"count": 4},
        "objective": {"metric": "loss", "split": "validation", "direction": "minimize"},
        "seed": {"data": 0, "model": 0, "sampler": 0},
    }


@pytest.fixture
def make_job(tmp_path: Path, config: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """Jobs of a kind on this config; each `name` has a folder of its own."""

    def make(kind: str = "train", name: str = "trial-0000", **extra: Any) -> dict[str, Any]:
        return {
            "type": kind,
            "job": name,
            "folder": str(tmp_path / "trials" / name),
            "cache": str(tmp_path / "cache"),
            "spec": {"number": 0, "branch": "", "is_default": True, "params": {}, "config": config},
            **extra,
        }

    return make
