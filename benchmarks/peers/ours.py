"""The same work as a sweep file of ftsweep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from work import MAX_LENGTH, NUM_EVALUATIONS, Work

TRAINING = ("learning_rate", "batch_size", "epochs")


def write_sweep(work: Work, out: Path) -> None:
    """`peers.yaml` in the folder `out`: the settings of the work and no more, or a search with ftsweep's own pruner."""
    (out / "peers.yaml").write_text(yaml.safe_dump(_sweep(work)), encoding="utf-8")


def _sweep(work: Work) -> dict[str, Any]:
    first = work.settings[0]  # the default, which is always tried
    groups = [{"model": "local"}, {"data": "files"}, {"task": "classification"}, {"strategy": "lora"}]
    pruner = [] if work.search is not None else [{"override pruner": "none"}]
    enqueue = [
        {("training." if key in TRAINING else "strategy.") + key: value for key, value in vars(setting).items()}
        for setting in work.settings[1:]
    ]
    batch_sizes = {each.batch_size for each in work.settings} | {64}
    epochs = [each.epochs for each in work.settings]
    search = work.search or {"trials": len(work.settings), "seed": 0}
    return {
        "defaults": ["base", *groups, *pruner, "_self_"],
        "study": {"name": "peers", **({} if work.search is not None else {"enqueue": enqueue})},
        "model": {"path": work.base},
        "data": {
            "train": str(work.folder / "train.jsonl"),
            "validation": str(work.folder / "validation.jsonl"),
            "test": None,
            "test_fraction": 0.0,
        },
        "task": {"max_length": MAX_LENGTH},
        "training": {**{key: vars(first)[key] for key in TRAINING}, "warmup": 0, "weight_decay": 0.0},
        "strategy": {"rank": first.rank},
        "budget": {"trials": search["trials"]},
        "rungs": {"count": NUM_EVALUATIONS},
        "seed": {"sampler": search["seed"]},
        "selection": {"seeds": 0},
        "guards": {"small_data": "allow", "cut_inputs": "allow", "near_duplicates": "allow"},
        "executor": {"threads": 1},
        "space": {
            "training": {
                "learning_rate": _rates(work),
                **(
                    {"batch_size": work.choices["batch_size"]}
                    if work.search is not None
                    else {"batch_size": sorted(batch_sizes), "epochs": {"low": min(epochs), "high": max(epochs) + 1}}
                ),
            },
            "strategy": {"rank": work.choices["rank"]},
        },
    }


def _rates(work: Work) -> dict[str, Any]:
    """The search's range, and wider where a setting of the work lies outside."""
    rates = [each.learning_rate for each in work.settings] if work.search is None else []
    return {"low": min([work.rates[0], *rates]), "high": max([work.rates[1], *rates]), "log": True}
