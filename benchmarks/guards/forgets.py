"""Runs that forget, and runs that hardly do: whether `guards.forgetting` measures it, and finds those over a limit.

Real trials of the embedded model on docstrings, made by a worker in this process. Of each trial's kept adapter the loss
on the same general text is computed once more with plain transformers and peft. `run_forgetting` is called by run.py.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

import torch
from jobs import SoleWorker, train_job, trial_config
from peft import PeftModel
from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from ftsweep.domain.forgetting import FORGETTING, band
from ftsweep.domain.measurement import Measurement
from ftsweep.models.tiny import FOLDER
from ftsweep.store.folders import TrialFolder
from ftsweep.worker.components import Components
from ftsweep.worker.forgetting_meters import ForgettingMeters

MAX_DIFFERENCE = 1e-4
LIMIT = 0.1
_COMMON = (
    "rungs.count=2",
    "budget.trials=1",
    "data.limit=400",
    "guards.forgetting.tokens=8192",
    f"guards.forgetting.limit={LIMIT}",
    "training.epochs=1",
)


@dataclass(frozen=True)
class Case:
    """A setting, and whether it must end over the limit."""

    name: str
    overrides: tuple[str, ...]
    forgets: bool


CASES = (
    Case("lora, rate 2e-2: forgets", ("training.learning_rate=2e-2",), True),
    Case("full, rate 5e-3: forgets", ("strategy=full", "training.learning_rate=5e-3"), True),
    Case("lora, rate 1e-3: hardly forgets", ("training.learning_rate=1e-3",), False),
    Case(
        "lora, rate 3e-3, replay 0.3, l2_sp 0.03: hardly forgets",
        ("training.learning_rate=3e-3", "training.replay=0.3", "training.l2_sp=0.03"),
        False,
    ),
)


def run_forgetting(seeds: Sequence[int]) -> Iterator[str]:
    """Markdown; "missed" last when a promise was not kept."""
    disable_progress_bar()
    yield "## Forgetting"
    yield ""
    yield f"At the last rung, in nats per token; limit {LIMIT}. Base: the embedded model; data: pydocs, instruction."
    yield ""
    yield "| run | forgetting, by seed | band | over the limit | difference from transformers and peft |"
    yield "|---|---|---|---|---|"
    is_missed = False
    for case in CASES:
        with tempfile.TemporaryDirectory(prefix="ftsweep-forgets-") as folder:
            found = [_measured(case, seed, Path(folder)) for seed in seeds]
        over = sum(forgetting > LIMIT for forgetting, _ in found)
        is_missed |= over != (len(found) if case.forgets else 0)
        is_missed |= any(difference > MAX_DIFFERENCE for _, difference in found)
        values = ", ".join(f"{forgetting:.3f}" for forgetting, _ in found)
        bands = ", ".join(dict.fromkeys(band(forgetting) for forgetting, _ in found))
        worst = max(difference for _, difference in found)
        yield f"| {case.name} | {values} | {bands} | {over} of {len(found)} | {worst:.1e} |"
    yield ""
    if is_missed:
        yield "missed"


def _measured(case: Case, seed: int, store: Path) -> tuple[float, float]:
    """Forgetting at the last rung; of the kept model the difference from what plain transformers and peft measure."""
    seeds = (f"seed.data={seed}", f"seed.model={seed}")
    config = trial_config("forgetting_pydocs", [*_COMMON, *case.overrides, *seeds])
    worker, job = SoleWorker(threads=1), train_job(seed, config, store)
    outcome = worker.finish(job)[-1]["outcome"]
    measured: list[Measurement] = TrialFolder(Path(job["folder"])).measurements()
    best = next(each for each in measured if each.rung == outcome["best_rung"])
    texts = _general_ids(config, store / "cache")
    kept = TrialFolder(Path(job["folder"])).best
    base = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32)
    before = _plain_loss(base, texts)
    is_adapter = (kept / "adapter_config.json").exists()
    tuned: Any = PeftModel.from_pretrained(base, kept) if is_adapter else AutoModelForCausalLM.from_pretrained(kept)
    difference = abs(best.values[FORGETTING] - (_plain_loss(tuned, texts) - before))
    return measured[-1].values[FORGETTING], difference


def _general_ids(config: dict[str, Any], cache: Path) -> list[list[int]]:
    """Token ids of every document that the guard measures on."""
    components = Components()
    meter = ForgettingMeters(components).meter_of(components.parts_of(config, cache))
    assert meter is not None
    split = meter.text.prepared.split("validation")
    return [split.input_ids(int(index)).tolist() for index in meter.text.probe]


@torch.no_grad()
def _plain_loss(model: Any, texts: Sequence[Sequence[int]]) -> float:
    """Nats per token over all documents, one by one, by transformers' own loss."""
    model.eval()
    total = 0.0
    for text in texts:
        ids = torch.tensor([text])
        total += model(input_ids=ids, labels=ids).loss.item() * (len(text) - 1)
    return total / sum(len(text) - 1 for text in texts)
