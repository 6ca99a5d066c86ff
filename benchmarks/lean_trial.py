"""What a LoRA trial's step and its measuring cost, with PEFT's layers and with ours, in CPU seconds.

    python benchmarks/lean_trial.py

Both ways in one process and on one thread, in turns, so that a busy machine slows both; the ratio of each round, and
the median of all rounds. Above 1 ours is faster. With FTSWEEP_SHARED also on the encoder in its `models/minilm`.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from machine import hardware
from peft.tuners.lora import Linear
from transformers import AutoModelForSequenceClassification

from ftsweep.models.tiny import TinyModel
from ftsweep.strategies.base import parameter_groups
from ftsweep.strategies.lean import LeanLinear
from ftsweep.strategies.lora import Lora

LABELS = [str(number) for number in range(10)]
LENGTH, MEASURED_TOKENS = 60, 1024


class Trained:
    """An adapted model and its optimizer; `is_lean` false puts PEFT's layers and the unfused AdamW in."""

    def __init__(self, base: Any, *, is_lean: bool) -> None:
        self.strategy = Lora(rank=8)
        self.model: Any = self.strategy.apply(base, "sequence_classification")
        if not is_lean:
            for module in self.model.modules():
                if isinstance(module, LeanLinear):
                    module.__class__ = Linear
        groups = parameter_groups(self.model, self.strategy, 0.01)
        self.optimizer = torch.optim.AdamW(groups, lr=1e-3, fused=is_lean)

    def steps(self, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> float:
        self.model.train()
        started = time.process_time()
        for ids, labels in batches:
            self.model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss.backward()
            trained = [weight for weight in self.model.parameters() if weight.requires_grad]
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad()
        return time.process_time() - started

    @torch.no_grad()
    def measuring(self, ids: torch.Tensor) -> float:
        self.model.eval()
        started = time.process_time()
        with self.strategy.measuring(self.model):
            for _ in range(8):
                self.model(input_ids=ids, attention_mask=torch.ones_like(ids))
        return time.process_time() - started


def compare(make: Callable[[], Any], batch_size: int, *, num_steps: int = 4, num_rounds: int = 7) -> str:
    ways = {is_lean: Trained(make(), is_lean=is_lean) for is_lean in (False, True)}
    chance = torch.Generator().manual_seed(0)
    vocabulary = ways[True].model.config.vocab_size
    batches = [
        (
            torch.randint(5, vocabulary, (batch_size, LENGTH), generator=chance),
            torch.randint(0, len(LABELS), (batch_size,), generator=chance),
        )
        for _ in range(num_steps)
    ]
    measured = torch.randint(5, vocabulary, (MEASURED_TOKENS // LENGTH, LENGTH), generator=chance)
    ratios: dict[str, list[float]] = {"step": [], "measuring": []}
    for number in range(num_rounds + 1):
        order = (False, True) if number % 2 else (True, False)
        steps = {is_lean: ways[is_lean].steps(batches) for is_lean in order}
        measures = {is_lean: ways[is_lean].measuring(measured) for is_lean in order}
        if number:  # the first round allocates
            ratios["step"].append(steps[False] / steps[True])
            ratios["measuring"].append(measures[False] / measures[True])
    return " | ".join(f"{statistics.median(r):.2f} ({min(r):.2f} .. {max(r):.2f})" for r in ratios.values())


def tiny() -> Any:
    torch.manual_seed(0)
    return TinyModel().load("sequence_classification", labels=LABELS, dtype=torch.float32, device=torch.device("cpu"))


def main() -> None:
    torch.set_num_threads(1)
    print("; ".join(f"{name} {value}" for name, value in hardware().items()), f"; load {os.getloadavg()[0]:.1f}\n")
    print("| model | batch | step, PEFT's over ours: median (range) | measuring |\n|---|---|---|---|")
    for batch_size in (1, 4, 16, 32):
        print(f"| embedded | {batch_size} | {compare(tiny, batch_size)} |", flush=True)
    shared = Path(os.environ.get("FTSWEEP_SHARED", "../shared")) / "models" / "minilm"
    if shared.is_dir():

        def minilm() -> Any:
            return AutoModelForSequenceClassification.from_pretrained(shared, num_labels=len(LABELS))

        print(f"| MiniLM | 16 | {compare(minilm, 16, num_steps=2, num_rounds=5)} |")


if __name__ == "__main__":
    main()
