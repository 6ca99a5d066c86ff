"""How much faster a trial of a head on cached features is than a LoRA trial of as many epochs, in one worker.

The real job is tweet emotion with MiniLM, from the folder that FTSWEEP_SHARED names (default: ../shared); where it is
not there, the embedded model on pydocs stands in. The features are computed first and once. Then rounds of both kinds
follow one another: a whole trial of the head with everything that belongs to it (taking the job, rung 0, all epochs,
ten measurements, keeping the weights), and a part of a LoRA trial, whose training seconds are scaled to all its epochs;
its measurements are not counted, so that the ratio is, if anything, too small. Both compute in bfloat16, which is the
faster choice for LoRA on this kind of processor and of no importance to a look-up.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from commands import fresh_folder
from jobs import SoleWorker, prepared_data, train_job, trial_config
from measured import Result, result

_SHARED = Path(os.environ.get("FTSWEEP_SHARED", Path(__file__).parents[2] / "shared"))
_EPOCHS = 10
_LORA_EPOCHS = 0.25  # of these, all steps are timed
_ROUNDS = 3
_COMMON = ("training.batch_size=32", "training.precision=bfloat16", "budget.trials=1", "executor.threads=1")


def measure(*, quick: bool = False) -> list[Result]:
    """Seconds of both kinds of trial, of computing the features, and the ratio."""
    job = real_job() or ["data.limit=400"] * quick
    with fresh_folder() as store:
        worker = SoleWorker(threads=1)
        epochs, rounds = (1, 1) if quick else (_EPOCHS, _ROUNDS)
        head = trial_config("quickstart", [*job, *_COMMON, "strategy=head", "~space.strategy"])
        lora = trial_config("quickstart", [*job, *_COMMON, "strategy.rank=8"])
        num_train = len(prepared_data(head, store / "cache").split("train"))
        features = timed(worker, with_training(head, epochs=0.01), store, 0)[0]
        timed(worker, with_training(lora, epochs=0.01), store, 1)  # loads what it needs
        head_seconds, lora_seconds = [], []
        for number in range(rounds):
            head_seconds.append(timed(worker, with_training(head, epochs=epochs), store, 2 + 2 * number)[0])
            _, last = timed(worker, with_training(lora, epochs=_LORA_EPOCHS, rungs=1), store, 3 + 2 * number)
            lora_seconds.append(last["train_seconds"] / last["num_examples"] * epochs * num_train)
    ratios = [slow / fast for slow, fast in zip(lora_seconds, head_seconds, strict=True)]
    named = f"{'MiniLM on tweet emotion' if _has_real_job() else 'tiny on pydocs'}, {epochs} epochs"
    return [
        result(f"{named}: loading, features computed once, 1 step", features, "s"),
        result(f"{named}: a whole trial of the head", head_seconds, "s"),
        result(f"{named}: training alone of a lora trial (scaled)", lora_seconds, "s"),
        result(f"{named}: lora / head", ratios, "times", at_least=20),
    ]


def real_job() -> list[str]:
    """Overrides that make the real job of the quickstart; none where its files are not."""
    if not _has_real_job():
        return []
    data = _SHARED / "data" / "tweet_emotion"
    files = [f"data.{name}={data / file}.jsonl" for name, file in (("train", "train"), ("validation", "val"))]
    return ["model=local", f"model.path={_SHARED / 'models' / 'minilm'}", "data=files", *files]


def _has_real_job() -> bool:
    return all((_SHARED / path).exists() for path in ("models/minilm/config.json", "data/tweet_emotion/train.jsonl"))


def with_training(config: dict[str, Any], *, epochs: float, rungs: int = 10) -> dict[str, Any]:
    """The configuration with another length and number of rungs."""
    return {**config, "training": {**config["training"], "epochs": epochs}, "rungs": {"count": rungs}}


def timed(worker: SoleWorker, config: dict[str, Any], store: Path, number: int) -> tuple[float, dict[str, Any]]:
    """Wall seconds of a trial from its job to its end, and its last measurement."""
    started = time.monotonic()
    told = worker.finish(train_job(number, config, store))
    seconds = time.monotonic() - started
    return seconds, [message["measurement"] for message in told if message["type"] == "measured"][-1]
