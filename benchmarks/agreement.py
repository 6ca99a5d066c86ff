"""The same LoRA fine-tune by transformers' Trainer: an independent implementation must give the same loss curve.

ftsweep's worker trains a trial and measures validation loss after every optimizer step. The reference loads the base
with transformers, attaches the adapter with peft, and trains with Trainer: its own collators, loss, gradient
accumulation, clipping and stepping. Given to it are only what "the same configuration" means: the start weights (drawn
as the seed says), the examples of each step, AdamW's settings and the rate's schedule. It accumulates over two
micro-batches where ftsweep takes the batch whole, and measures one row at a time, so padding cannot matter either.

transformers 5.23 gives a sequence classifier's loss no `num_items_in_batch` although Trainer counts on it, so that its
gradients come out once per micro-batch too large; the reference hands Trainer a loss function of the documented kind.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from commands import fresh_folder
from jobs import SoleWorker, prepared_data, train_job, trial_config
from measured import Result, result
from trainer_reference import Reference

from ftsweep.config.build import build
from ftsweep.domain.measurement import Measurement
from ftsweep.training.schedule import BatchPlan

MOST_DIFFERENCE = 1e-3
SWEEPS = {"classification": "quickstart", "instruction": "instruction_pydocs"}
_BATCH_SIZE = 8


@dataclass(frozen=True)
class Curves:
    """Validation loss before training and after every optimizer step, of ftsweep and of the reference."""

    ours: list[float]
    reference: list[float]

    @property
    def difference(self) -> float:
        """The largest anywhere on the curve."""
        return float(np.abs(np.subtract(self.ours, self.reference)).max())


def measure(*, quick: bool = False) -> list[Result]:
    """The largest difference of the two curves, on real docstrings."""
    num_rows = {"train": 62, "validation": 16} if quick else {"train": 190, "validation": 48}
    results = []
    for task, sweep in SWEEPS.items():
        with fresh_folder() as folder:
            rows = _docstrings(sweep, sum(num_rows.values()))
            files = write_files(folder, rows[: num_rows["train"]], rows[num_rows["train"] :])
            curves = compare(task, files, folder)
        named = f"{task}, {len(curves.ours) - 1} steps"
        results += [
            result(f"{named}: validation loss at first", curves.reference[0], ""),
            result(f"{named}: validation loss at last", curves.reference[-1], ""),
            result(f"{named}: largest difference from Trainer", curves.difference, "", below=MOST_DIFFERENCE),
        ]
    return results


def compare(task: str, files: dict[str, str], folder: Path, *, epochs: float = 2, rank: int = 4) -> Curves:
    """Train both ways on these files."""
    config = trial_config(SWEEPS[task], _overrides(files, epochs=epochs, rank=rank))
    prepared = prepared_data(config, folder / "store" / "cache")
    plan = BatchPlan(prepared.split("train").lengths, _BATCH_SIZE, epochs, config["seed"]["data"])
    config["rungs"] = {"count": plan.num_examples}  # more rungs than steps: each step ends with a measurement
    messages = SoleWorker(threads=1).finish(train_job(0, config, folder / "store"))
    measured = [Measurement.from_dict(each["measurement"]) for each in messages if each["type"] == "measured"]
    if len(measured) != plan.num_steps + 1:
        raise RuntimeError(f"{len(measured)} measurements of {plan.num_steps} steps")
    reference = Reference(config, prepared, plan, folder / "trainer").losses()
    return Curves([each.values["validation/loss"] for each in measured], reference)


def write_files(folder: Path, train: list[dict[str, Any]], validation: list[dict[str, Any]]) -> dict[str, str]:
    """Both splits as files; their names by split."""
    files = {}
    for name, rows in (("train", train), ("validation", validation)):
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        files[name] = str(path)
    return files


def _overrides(files: dict[str, str], *, epochs: float, rank: int) -> list[str]:
    data = [f"data.{name}={path}" for name, path in files.items()]
    return [
        "data=files",
        *data,
        f"training.batch_size={_BATCH_SIZE}",
        f"training.epochs={epochs}",
        "training.learning_rate=1e-2",
        f"strategy.rank={rank}",
        "budget.trials=1",
        "~space",
    ]


def _docstrings(sweep: str, count: int) -> list[dict[str, Any]]:
    config = trial_config(sweep, [f"data.limit={count}"])
    rows = [dict(row.values) for row in build(config["data"]).load(build(config["task"]).columns)["train"]]
    random.Random(0).shuffle(rows)  # they come library by library
    return rows
