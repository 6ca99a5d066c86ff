"""Whether a trial learns what PEFT alone would: validation loss after every step, trials in lanes beside Trainer.

    python benchmarks/peers/fidelity.py [--settings 4] [--train 62]

Settings drawn as run.py draws them are trained at once in one worker, as lanes, and one by one by transformers' Trainer
with PEFT, on the same start weights and batches (see benchmarks/agreement.py); the largest difference anywhere on each
curve. A tool that starts Trainer or PEFT itself has no curve but theirs, so that there is nothing to compare.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

import machine
import numpy as np
import torch
from agreement import MOST_DIFFERENCE, write_files
from commands import fresh_folder
from jobs import SoleWorker, prepared_data, train_job, trial_config
from trainer_reference import Reference
from work import Setting, make_work

from ftsweep.domain.measurement import Measurement
from ftsweep.models.tiny import FOLDER as TINY
from ftsweep.training.schedule import BatchPlan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--settings", type=int, default=4)
    parser.add_argument("--train", type=int, default=190, help="rows")
    parser.add_argument("--validation", type=int, default=48, help="rows")
    parser.add_argument("--batch", type=int, help="of every setting; else 8, 16 or 32")
    options = parser.parse_args()
    for line in report(options):
        print(line, flush=True)


def report(options: argparse.Namespace) -> Iterator[str]:
    torch.set_num_threads(1)
    facts = machine.in_a_line()
    load = f"load {os.getloadavg()[0]:.1f} before"
    yield f"`python benchmarks/peers/fidelity.py {' '.join(sys.argv[1:])}`. {facts}; {load}.\n"
    yield "| rate | batch | rank | steps | shared | loss at first | at last | largest difference from Trainer |"
    yield "|---" * 8 + "|"
    with fresh_folder() as folder:
        rows = {"num_train": options.train, "num_validation": options.validation}
        work = make_work(folder / "work", str(TINY), **rows, num_settings=options.settings, batch=options.batch)
        named = [
            {**row, "label": work.labels[row["label"]]} for split in ("train", "validation") for row in work.rows(split)
        ]
        files = write_files(folder, named[: options.train], named[options.train :])
        configs = [_config(files, setting) for setting in work.settings]
        curves, shared = _ours(configs, folder)
        for number, setting in enumerate(work.settings):
            reference = _theirs(configs[number], folder / f"trainer-{number}")
            difference = float(np.abs(np.subtract(curves[number], reference)).max())
            words = [
                f"{setting.learning_rate:.1e}",
                setting.batch_size,
                setting.rank,
                len(reference) - 1,
                shared[number],
            ]
            losses = [f"{reference[0]:.4f}", f"{reference[-1]:.4f}", f"{difference:.1e}"]
            yield f"| {' | '.join(map(str, [*words, *losses]))} |"
            if difference > MOST_DIFFERENCE:
                raise SystemExit(f"setting {number} differs by {difference:.1e}, more than {MOST_DIFFERENCE}")


def _config(files: dict[str, str], setting: Setting) -> dict[str, Any]:
    """With more rungs than steps: each step ends with a measurement."""
    words = [f"data.{name}={path}" for name, path in files.items()]
    training = [f"training.{name}={vars(setting)[name]}" for name in ("learning_rate", "batch_size", "epochs")]
    more = [f"strategy.rank={setting.rank}", "training.precision=float32", "budget.trials=1", "~space"]
    return trial_config("quickstart", ["data=files", *words, *training, *more])


def _ours(configs: list[dict[str, Any]], folder: Path) -> tuple[dict[int, list[float]], list[int]]:
    """Curves of the trials, which are under way at once; and how many steps each shared."""
    jobs = []
    for number, config in enumerate(configs):
        config["rungs"] = {"count": _plan(config, folder).num_examples}
        jobs.append(train_job(number, config, folder / "store"))
    curves: dict[int, list[float]] = {number: [] for number in range(len(jobs))}
    shared = [0] * len(jobs)
    for message in SoleWorker(threads=1, lanes=len(jobs)).finish(*jobs):
        number = int(message["job"].rpartition("-")[2])
        if message["type"] == "measured":
            measurement = Measurement.from_dict(message["measurement"])
            curves[number].append(measurement.values["validation/loss"])
        elif message["type"] == "ended":
            shared[number] = message["outcome"]["extra"]["shared_steps"]
    return curves, shared


def _theirs(config: dict[str, Any], folder: Path) -> list[float]:
    prepared = prepared_data(config, folder.parent / "store" / "cache")
    return Reference(config, prepared, _plan(config, folder.parent), folder).losses()


def _plan(config: dict[str, Any], folder: Path) -> BatchPlan:
    lengths = prepared_data(config, folder / "store" / "cache").split("train").lengths
    training = config["training"]
    return BatchPlan(lengths, training["batch_size"], training["epochs"], config["seed"]["data"])


if __name__ == "__main__":
    main()
