"""Whether preference pairs are learned: one trial of `preference_pydocs`, its default setting, on held-out pairs.

Standard errors are those of a share of one half of as many pairs, sqrt(1/4n), which is the largest there is. CPU time
is that of this process, data, reference and all measurements included.
"""

from __future__ import annotations

import math
import time

from commands import fresh_folder
from jobs import SoleWorker, train_job, trial_config
from measured import Result, result


def measure(*, quick: bool = False) -> list[Result]:
    """Accuracies on test, and how far above one half the one by reward is."""
    small = ["data.limit=200", "training.epochs=0.5"] if quick else []
    config = trial_config("preference_pydocs", ["executor.threads=1", *small])
    worker, started = SoleWorker(threads=1), time.process_time()
    with fresh_folder() as store:
        job = train_job(0, config, store)
        worker.finish(job)
        seconds = time.process_time() - started
        *_, ended = worker.finish({**job, "type": "test", "job": "test-trial-0000"})
        num_pairs = sum(1 for _ in next(store.glob("cache/prepared/*/test.rows.jsonl")).open(encoding="utf-8"))
    tested = ended["result"]["test"]
    above = (tested["accuracy"] - 0.5) * 2 * math.sqrt(num_pairs)
    return [
        result("one trial of 4 rungs", seconds, "CPU s"),
        result(f"accuracy on {num_pairs} pairs of test", tested["accuracy"], ""),
        result("ranking accuracy there", tested["ranking_accuracy"], ""),
        result("accuracy above 0.5", above, "standard errors", at_least=None if quick else 4),
    ]
