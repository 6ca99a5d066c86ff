"""What generating answers costs beside training: CPU seconds of one trial of `instruction_pydocs`, 64 rows, two rungs.

CPU time of this process, so that other work on the machine changes little. The first rung pays for what is imported
once. Answers may be 128 tokens long, which is the sweep's own limit; a model that has learned to end is done
earlier.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from commands import fresh_folder
from jobs import SoleWorker, train_job, trial_config
from measured import Result, result

from ftsweep.evaluation.answers import AnswerMeter
from ftsweep.training.step import Stepper


def measure(*, quick: bool = False) -> list[Result]:
    """CPU seconds of training and of answers, and their ratio."""
    small = ["data.limit=300", "training.epochs=0.5"] if quick else []
    config = trial_config("instruction_pydocs", ["task.generation.rungs=[5,10]", "executor.threads=1", *small])
    with fresh_folder() as store, counted(Stepper, "take") as training, counted(AnswerMeter, "at_rung") as answers:
        SoleWorker(threads=1).finish(train_job(0, config, store))
    ratio = sum(answers) / sum(training)
    return [
        result(f"training, {len(training)} steps", sum(training), "CPU s"),
        result("answers at a rung, 64 rows", answers, "CPU s"),
        result("answers at two rungs / training", ratio, "", below=None if quick else 0.25),
    ]


@contextmanager
def counted(cls: Any, name: str) -> Iterator[list[float]]:
    """CPU seconds of every call of a method, while the block runs."""
    real, spent = getattr(cls, name), []

    def call(self: Any, *given: Any, **named: Any) -> Any:
        started = time.process_time()
        try:
            return real(self, *given, **named)
        finally:
            spent.append(time.process_time() - started)

    setattr(cls, name, call)
    try:
        yield spent
    finally:
        setattr(cls, name, real)
