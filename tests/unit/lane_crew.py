"""LoRA trials on twins of one random base, of unlike settings, that step alone or in shared padded passes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache, partial
from itertools import count
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from training_rows import TRAINING

from ftsweep.evaluation.evaluate import Evaluator
from ftsweep.strategies.lora import Lora
from ftsweep.tasks.classification import Classification
from ftsweep.testing.random_models import byte_tokenizer
from ftsweep.training.lanes.lane import Lane
from ftsweep.training.lanes.padded import PaddedConductor
from ftsweep.training.lanes.turns import share_gradients
from ftsweep.training.lanes.twin import twin
from ftsweep.training.step import Stepper
from ftsweep.worker.job_generators import JobGenerators

NUMBERS = count()
CPU = torch.device("cpu")
LABELS = ["a", "b", "c"]
HEAD = "sequence_classification"
SIX: tuple[dict[str, Any], ...] = (
    {"rank": 8, "batch_size": 4, "learning_rate": 1e-3, "length": 30},
    {"rank": 2, "batch_size": 5, "learning_rate": 1e-2, "length": 25, "weight_decay": 0.1},
    {"rank": 4, "batch_size": 4, "learning_rate": 3e-3, "length": 18, "dropout": 0.1},
    {"rank": 3, "batch_size": 6, "learning_rate": 5e-3, "length": 22, "micro_batch_size": 3},
    {"rank": 16, "batch_size": 3, "learning_rate": 2e-3, "length": 28, "targets": ["q_proj", "up_proj"]},
    {"rank": 8, "batch_size": 4, "learning_rate": 4e-3, "length": 27, "rslora": True},
)


class Rows:
    """Rows of unequal lengths, the longest of which has `longest` tokens."""

    def __init__(self, size: int, longest: int, seed: int) -> None:
        chance = np.random.default_rng(seed)
        lengths = [longest, *chance.integers(longest // 2, longest, size - 1)]
        self._ids = [chance.integers(3, 250, length) for length in lengths]
        self._labels = chance.integers(0, len(LABELS), (size, 1))
        self.lengths = np.array(lengths, np.int32)

    def __len__(self) -> int:
        return len(self._ids)

    def input_ids(self, index: int) -> np.ndarray:
        return np.asarray(self._ids[index])

    def labels(self, index: int) -> np.ndarray:
        return np.asarray(self._labels[index])


@dataclass
class Crew:
    """Trials on twins of one base."""

    lanes: list[Lane]
    conductor: PaddedConductor

    def step(self, *, is_shared: bool, most: int | None = None) -> None:
        """One of each, of the first `most` in one pass."""
        if is_shared:
            share_gradients([lane for lane in self.lanes[:most] if lane.refusal is None], self.conductor)
        for lane in self.lanes:
            lane.own_generators()
            lane.stepper.take()

    def weights(self) -> list[list[torch.Tensor]]:
        return [[weight.detach().clone() for weight in lane.stepper.weights] for lane in self.lanes]


@cache
def generators_of(device: torch.device) -> JobGenerators:
    """Of all crews there."""
    return JobGenerators(device)


def crew_of(
    base: Any,
    settings: Sequence[dict[str, Any]],
    *,
    dtype: torch.dtype = torch.float64,
    autocast: torch.dtype | None = None,
    device: torch.device = CPU,
) -> Crew:
    """Of a base in this type, whose adapters are, too, unless `autocast` says what is computed in."""
    base = base.to(device, dtype).requires_grad_(False)
    generators = generators_of(device)
    lanes = []
    for number, given in enumerate(settings):
        own = dict(given)
        length, strategy = (
            own.pop("length"),
            {key: own.pop(key) for key in ("rank", "dropout", "targets", "rslora") if key in own},
        )
        name = f"lane {next(NUMBERS)}"
        generators.give_to(name)
        torch.manual_seed(number)
        task = Classification(max_length=length)
        lora = Lora(**{"dropout": 0.0, **strategy})
        with nullcontext() if autocast else patch("ftsweep.strategies.adapters.train_in_float32"):
            model = lora.apply(twin(base), HEAD)
        model = model.to(device) if autocast else model.to(device, dtype)
        training = {**TRAINING, "epochs": 1000, **own}
        config = {"training": training, "seed": {"data": number, "model": number}}
        parts: Any = SimpleNamespace(task=task, strategy=lora, config=config, tokenizer=byte_tokenizer())
        evaluator = Evaluator(task, {"labels": LABELS}, 0, device, autocast)
        stepper = Stepper(parts, model=model, examples=Rows(40, length, number), evaluator=evaluator)
        lanes.append(Lane(name, stepper, partial(generators.give_to, name)))
    generators.give_to("nobody")  # the next base is drawn without any trial noticing
    return Crew(lanes, PaddedConductor(base))


def largest_apart(left: list[list[torch.Tensor]], right: list[list[torch.Tensor]]) -> float:
    return max(
        float((one - other).abs().max())
        for of_left, of_right in zip(left, right, strict=True)
        for one, other in zip(of_left, of_right, strict=True)
    )
