"""Synthetic study folders, written as a real study writes them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study_manifests import write_manifest

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.store.atomic import append_line, write_json, write_text
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.store.result import result_file
from ftsweep.tasks.classification import Classification
from ftsweep.tasks.scores.class_scores import class_report, reliability

RUNGS = 10
SWEEP = """\
study: {name: demo}
budget: {trials: 14}
objective: {metric: loss, split: validation, direction: minimize}
rungs: {count: 10}
model: {_target_: ftsweep.models.TinyModel, dtype: auto}
data: {_target_: ftsweep.data.PyDocs, limit: null}
task: {_target_: ftsweep.tasks.Classification, max_length: 128}
space:
  training:
    learning_rate: {low: 1e-4, high: 1e-2, log: true}
    batch_size: [8, 16, 32]
    epochs: {low: 1, high: 3}
  strategy:
    rank: [4, 8, 16]
"""
BRANCHES = """\
branches:
  lora: {strategy: lora, space: {strategy: {rank: [4, 8, 16]}}}
  full: {strategy: full, space: {training: {learning_rate: {low: 1e-6, high: 1e-4, log: true}}}}
"""
KINDS = "CCPCDCPICPFCPR"  # complete, pruned, diverged, infeasible, failed, running
NAMES = {"C": "complete", "P": "pruned", "D": "diverged", "I": "infeasible", "F": "failed"}
REASONS = {
    "P": "worse than the median of 5 trials at rung 4",
    "D": "the loss became NaN in rung 3",
    "I": "out of memory at micro-batch 1",
    "F": "ValueError: label 7 is not among the 6 labels",
}


class StudyBuilder:
    """Writes a study's folder piece by piece."""

    def __init__(self, root: Path, name: str = "demo", sweep: str = SWEEP) -> None:
        self.folder = Store(root).study(name)
        write_text(self.folder.sweep_file, sweep)
        write_manifest(self.folder, sweep, metrics=Classification.metrics)

    def trial(
        self,
        number: int,
        losses: list[float],
        kind: str | None = "complete",
        *,
        params: Mapping[str, Any] | None = None,
        branch: str = "",
        reason: str = "",
        is_default: bool = False,
        begin: float = 1_000.0,
        **outcome: Any,
    ) -> None:
        """A trial whose rung i (from 0) measured losses[i] on validation."""
        folder = self.folder.trial(number)
        spec = {
            "number": number,
            "branch": branch,
            "is_default": is_default,
            "params": dict(params or {}),
            "config": {},
        }
        write_json(folder.spec_file, spec)
        for rung, loss in enumerate(losses):
            values = {
                "validation/loss": loss,
                "train/loss": loss - 0.02 * rung,
                "validation/accuracy": max(0.0, 1 - loss / 2) if math.isfinite(loss) else 0.0,
            }
            fraction = rung / RUNGS
            time = 1.5 * rung
            point = Measurement(rung, fraction, int(900 * fraction), int(9e4 * fraction), time, begin + time, values)
            append_line(folder.measurements_file, point.to_dict())
        if kind is not None:
            folder.write_outcome(Outcome(OutcomeKind(kind), reason, rung=len(losses) - 1, **outcome))

    def baseline(self, branch: str, values: Mapping[str, float]) -> None:
        write_json(self.folder.baseline(branch).path / "baseline.json", values)

    def result(self, winner: int | None = None, *, reason: str = "It is the best.", **parts: Any) -> None:
        """What a study with the trials so far came to; without a winner's number it has none."""
        best = None if winner is None else Objective().best(self.folder.trial(winner).measurements())
        at = {} if best is None else {"value": best.values["validation/loss"], "rung": best.rung}
        chosen = None if winner is None else {"number": winner, "reason": reason, **at}
        told = {"sentence": "It has come to its end.", "model": chosen, "num_trials": len(self.folder.trials())}
        write_json(result_file(self.folder), {**told, **parts})


def falling(rate: float, batch: int, *, num: int = RUNGS + 1, start: float = 1.6) -> list[float]:
    """A loss curve whose end is best near a rate of 2e-3 and a batch of 16; too high a rate turns it up again."""
    miss = abs(math.log10(rate / 2e-3))
    floor = 0.42 + 0.28 * miss**1.5 + 0.05 * abs(math.log2(batch / 16))
    rise = 0.012 * max(0.0, math.log10(rate / 2e-3))
    return [floor + (start - floor) * math.exp(-0.38 * (1.2 - 0.3 * miss) * i) + rise * i**1.3 for i in range(num)]


RATES = [2e-4, 1e-3, 1.3e-4, 2.2e-3, 9.5e-3, 6e-4, 1.1e-4, 4e-3, 3.1e-3, 1.6e-4, 8e-4, 1.8e-3, 2.6e-4, 2.9e-3]
FINDINGS = [
    {
        "check": "duplicates",
        "severity": "warn",
        "message": "2.1 % of the training rows are copies of others",
        "count": 63,
        "rate": 0.021,
        "examples": ["train.jsonl:17", "train.jsonl:911"],
        "remedy": "Drop the copies.",
        "override": "data.deduplicate=true",
    },
    {
        "check": "class balance",
        "severity": "note",
        "message": "6 labels, the largest with 24 % of the rows",
        "count": 6,
        "rate": 0.24,
        "examples": [],
        "remedy": "",
        "override": "",
    },
]


def write_demo(root: Path, *, branches: bool = False, finished: bool = True, name: str = "demo") -> StudyFolder:
    """Fourteen trials with every outcome; with a result when the study is finished."""
    builder = StudyBuilder(root, name, SWEEP + (BRANCHES if branches else ""))
    begin = [1_000.0, 1_002.0]
    for number, mark in enumerate(KINDS):
        mark = "C" if finished and mark == "R" else mark
        batch, rank = (8, 16, 32)[(number * 7 + 1) % 3], (4, 8, 16)[number * 5 % 3]
        branch = ("lora", "full")[number % 2] if branches else ""
        rate = RATES[number] / (30 if branch == "full" else 1)
        params: dict[str, Any] = {
            "training.learning_rate": rate,
            "training.batch_size": batch,
            "training.epochs": 1 + number % 3,
        }
        if branch != "full":
            params["strategy.rank"] = rank
        num = {"C": RUNGS + 1, "P": 5, "D": 4, "I": 0, "F": 0, "R": 7}[mark]
        losses = falling(RATES[number], batch, num=num)
        if mark == "D":
            losses = [losses[0], 2.4, 9.1, math.nan]
        failure = (
            {"error_class": "ValueError", "log_tail": 'Traceback\n  File "task.py"\nValueError: label 7'}
            if mark == "F"
            else {}
        )
        builder.trial(
            number,
            losses,
            NAMES.get(mark),
            branch=branch,
            reason=REASONS.get(mark, ""),
            is_default=number == 0,
            params={f"{branch}.{key}" if branch else key: value for key, value in params.items()},
            begin=min(begin),
            **failure,
        )
        begin[begin.index(min(begin))] += 1.5 * max(0, num - 1) + 0.6
    for label in ("lora", "full") if branches else ("main",):
        builder.baseline(label, {"loss": 1.61, "accuracy": 0.24})
    if finished:
        builder.result(**demo_result(branches))
    return builder.folder


PREPARED = {
    "num_rows": {"test": 655, "train": 3000, "validation": 640},
    "fingerprint": "9f2c41d07ab3",
    "findings": FINDINGS,
    "has_test": True,
}


_PART = {
    "values": {"loss": 0.45, "accuracy": 0.81},
    "intervals": {"accuracy": {"standard_error": 0.02, "low": 0.77, "high": 0.85}},
}
FLAGGED = {
    "validation": {
        name: {"num_rows": count, **_PART} for name, count in (("clean", 630), ("flagged", 10), ("near_duplicates", 10))
    }
}
QUANTITY = {
    "points": [
        {"share": 0.25, "num_examples": 750, "values": [0.61, 0.63], "mean": 0.62},
        {"share": 0.5, "num_examples": 1500, "values": [0.52, 0.52], "mean": 0.52},
        {"share": 1.0, "num_examples": 3000, "values": [0.45, None], "mean": None},
    ],
    "gains": [],
    "sentence": "Whether more data would help is not known: the setting did not complete on 100% of train.",
}


LABELS = ["numpy", "pandas", "python"]
CONFUSION = [[40, 8, 2], [6, 30, 4], [0, 1, 9]]


def details(confusion: list[list[int]], labels: list[str] = LABELS) -> dict[str, Any]:
    """What a classification says its scores on test are made of."""
    size = range(len(labels))
    sums = [confusion[i][i] for i in size], [sum(row[i] for row in confusion) for i in size], list(map(sum, confusion))
    bins = [[10.0, 5.5, 4.0], [90.0, 81.0, 75.0]]
    return {
        "report": class_report(labels, *sums),
        "labels": labels,
        "confusion": confusion,
        "reliability": reliability([*[[0.0] * 3] * 8, bins[0], *[[0.0] * 3] * 5, bins[1]]),
    }


def demo_result(branches: bool) -> dict[str, Any]:
    prefix = "full." if branches else ""
    test = {"loss": 0.441, "accuracy": 0.812}
    return {
        "sentence": "Trial 3 won: its validation loss is 0.445, 0.28 below the default setting and 1.16 below the "
        "untouched base; 81 % accuracy on test.",
        "winner": 3,
        "test_looks": 1,
        "test": {
            "trial-0003": test,
            "trial-0000": {"loss": 0.66, "accuracy": 0.702},
            "baseline": {"loss": 1.62, "accuracy": 0.238},
        },
        "flagged": FLAGGED,
        "quantity": QUANTITY,
        "details": {"trial-0003": details(CONFUSION), "trial-0000": details([[20, 20, 10], [10, 20, 10], [3, 3, 4]])},
        "importances": {
            f"{prefix}training.learning_rate": 0.74,
            f"{prefix}training.batch_size": 0.17,
            f"{prefix}training.epochs": 0.09,
        },
        "importance_ranges": {
            f"{prefix}training.learning_rate": [0.5, 0.9],
            f"{prefix}training.batch_size": [0.1, 0.3],
        },
        "data": {label: {**PREPARED, "folder": label} for label in (("lora", "full") if branches else ("main",))},
        "registered": "models:/demo@champion",
    }
