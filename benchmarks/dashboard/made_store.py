"""Studies of any size in a store, written as a study writes them, without training: to measure the dashboard with.

`python benchmarks/dashboard/made_store.py STORE TRIALS` writes one to look at.
"""

from __future__ import annotations

import json
import random
import sys
import time
import zlib
from pathlib import Path
from typing import Any

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Choice, FloatInterval
from ftsweep.domain.terms import BranchTerms, StudyTerms
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.domain.verdict import Verdict, VerdictKind
from ftsweep.store.atomic import append_line
from ftsweep.store.folders import Store, StudyFolder, TrialFolder
from ftsweep.store.manifest import StudyManifest

NUM_RUNGS = 10
_SPACE = {
    "training.learning_rate": FloatInterval(1e-5, 1e-2, log=True),
    "training.batch_size": Choice((8, 16, 32)),
    "training.epochs": Choice((1, 2, 3)),
    "strategy.rank": Choice((4, 8, 16)),
}
_CONFIG = {  # a trial's spec.json has the whole configuration: about 5 KB, as that of the quickstart
    node: {f"key_{index}": f"{node} {index}" for index in range(14)}
    for node in ("model", "stages", "data", "general", "task", "strategy", "training", "rungs", "objective", "guards")
}


def make_study(root: Path, name: str, num_trials: int, *, seed: int = 0, num_running: int = 0) -> StudyFolder:
    """A study of four parameters and ten rungs, eight metrics a rung; six of ten trials are pruned."""
    folder = Store(root).study(name)
    source = random.Random(seed)
    (folder.path / "trials").mkdir(parents=True)
    folder.sweep_file.write_text(f"study: {{name: {name}}}\nbudget: {{trials: {num_trials}}}\n")
    branch = BranchTerms(_CONFIG, _SPACE)
    StudyManifest(
        name,
        StudyTerms(Objective(), NUM_RUNGS, {}, {"main": branch}),
        num_trials=num_trials,
        budget={"trials": num_trials},
        selection={"top": 3, "seeds": 0},
        pruner={"_target_": "ftsweep.search.pruners.Median"},
    ).write(folder.manifest_file)
    begin = time.time() - 30.0 * num_trials
    for number in range(num_trials):
        is_running = number >= num_trials - num_running
        _write_trial(folder.trial(number), number, source, begin + 30.0 * number, is_running=is_running)
    return folder


def measure(folder: TrialFolder, rung: int, value: float) -> None:
    """One more measurement of a running trial, as its worker writes it."""
    append_line(folder.measurements_file, _measurement(rung, value, time.time()).to_dict())


def _write_trial(folder: TrialFolder, number: int, source: random.Random, begin: float, *, is_running: bool) -> None:
    rate, rank = 10 ** source.uniform(-5, -2), source.choice([4, 8, 16])
    params = {
        "training.learning_rate": rate,
        "training.batch_size": source.choice([8, 16, 32]),
        "training.epochs": 1 + number % 3,
        "strategy.rank": rank,
    }
    is_complete = source.random() < 0.4 or number == 0
    last = 3 if is_running else NUM_RUNGS if is_complete else source.randint(2, NUM_RUNGS - 2)
    floor = 1.0 + abs(rate - 1e-3) * 100 + source.gauss(0, 0.05)
    points = [_measurement(rung, floor + 1.2 * 0.7**rung, begin + 2.0 * rung) for rung in range(last + 1)]
    folder.path.mkdir()
    spec = {"number": number, "branch": "", "is_default": number == 0, "params": params, "config": _CONFIG}
    folder.spec_file.write_text(json.dumps(spec, indent=1))
    folder.measurements_file.write_text("".join(_line(point.to_dict()) for point in points))
    verdict = Verdict(VerdictKind.HEALTHY, "validation loss fell by 18.3 %; train loss lies 10.6 % below it")
    facts = {"rung": last, "outcome": None, "settings": {f"setting_{index}": 0.5 for index in range(12)}}
    folder.fit_file.write_text(json.dumps({**facts, "verdicts": [verdict.to_dict()]}))
    if not is_running:
        kind = OutcomeKind.COMPLETE if is_complete else OutcomeKind.PRUNED
        reason = "trained to the end" if is_complete else f"worse than the median of its peers at rung {last}"
        outcome = Outcome(kind, reason, rung=last, best_rung=last, extra={"num_steps": 62, "micro_batch_size": 16})
        folder.outcome_file.write_text(json.dumps(outcome.to_dict(), indent=1))


def _measurement(rung: int, value: float, when: float) -> Measurement:
    values = {"validation/loss": value, "train/loss": value - 0.02 * rung}
    for split in ("train", "validation"):
        values |= {f"{split}/{name}": 1 / (1 + value) for name in ("accuracy", "macro_f1", "calibration_error")}
    return Measurement(rung, rung / NUM_RUNGS, 90 * rung, 9000 * rung, 2.0 * rung, when, values)


def _line(value: dict[str, Any]) -> str:
    """As `append_line` writes it, without waiting for the disk."""
    text = json.dumps(value, sort_keys=True)
    return f"{text}\t{zlib.crc32(text.encode()):08x}\n"


if __name__ == "__main__":
    make_study(Path(sys.argv[1]), "made-up", int(sys.argv[2]))
