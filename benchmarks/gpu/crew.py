"""Random models of known shapes, and LoRA trials on them that train one by one or in the shared passes of a GPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from peft.tuners.lora import Linear

from ftsweep.evaluation.evaluate import Evaluator
from ftsweep.strategies.adapters import lora_layers
from ftsweep.strategies.lora import Lora
from ftsweep.tasks.classification import Classification
from ftsweep.testing.random_models import byte_tokenizer, random_llama
from ftsweep.training.lanes.lane import CHECKED_STEPS, Lane
from ftsweep.training.lanes.padded import PaddedConductor, relative_distance
from ftsweep.training.lanes.turns import share_gradients
from ftsweep.training.lanes.twin import twin
from ftsweep.training.step import Stepper

LABELS = ["0", "1", "2"]
RANKS = (8, 4, 16, 8)


@dataclass(frozen=True)
class Shape:
    """Of a decoder."""

    name: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    inner: int
    vocabulary: int

    @property
    def num_weights(self) -> int:
        """Of its layers: what every token is multiplied by."""
        head_size = self.hidden // self.heads
        attention = self.hidden * head_size * (2 * self.heads + 2 * self.kv_heads)
        return self.layers * (attention + 3 * self.hidden * self.inner)

    def thin(self) -> Shape:
        """As many layers, and hardly any weights: its operations are as many."""
        return Shape(self.name, 8 * self.heads, self.layers, self.heads, self.kv_heads, 16, 64)

    def model(self, device: torch.device) -> Any:
        sizes = {
            "hidden_size": self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "intermediate_size": self.inner,
            "vocab_size": max(self.vocabulary, 300),
            "initializer_range": 0.02,
        }
        with device:
            model = random_llama("sequence_classification", num_labels=len(LABELS), **sizes)
        return model.requires_grad_(False)


SHAPES = (
    Shape("135M", 576, 30, 9, 3, 1536, 49152),
    Shape("360M", 960, 32, 15, 5, 2560, 49152),
    Shape("1B", 2048, 16, 32, 8, 8192, 49152),
)
TINY = Shape("tiny", 32, 2, 4, 2, 64, 300)


class Rows:
    """Rows of one length."""

    def __init__(self, count: int, length: int, seed: int) -> None:
        chance = np.random.default_rng(seed)
        self._ids = chance.integers(3, 250, (count, length))
        self._labels = chance.integers(0, len(LABELS), (count, 1))
        self.lengths = np.full(count, length, np.int32)

    def __len__(self) -> int:
        return len(self._ids)

    def input_ids(self, index: int) -> np.ndarray:
        return np.asarray(self._ids[index])

    def labels(self, index: int) -> np.ndarray:
        return np.asarray(self._labels[index])


class Crew:
    """LoRA trials on one base, of a rank and data each."""

    def __init__(
        self,
        base: Any,
        settings: dict[str, Any],
        *,
        size: int,
        batch: int,
        length: int,
        autocast: torch.dtype | None = None,
        is_lean: bool = True,
    ) -> None:
        """`settings`: a trial's training settings. `is_lean` false has PEFT's layers and torch's default AdamW."""
        device = next(base.parameters()).device
        task = Classification(max_length=length)
        evaluator = Evaluator(task, {"labels": LABELS}, 0, device, autocast)
        self.steppers = []
        for number in range(size):
            torch.manual_seed(number)
            strategy = Lora(rank=RANKS[number % len(RANKS)])
            model = strategy.apply(twin(base), "sequence_classification").to(device)
            own = {**settings, "batch_size": batch, "epochs": 1000}
            config = {"training": own, "seed": {"data": number, "model": number}}
            parts: Any = SimpleNamespace(task=task, strategy=strategy, config=config, tokenizer=byte_tokenizer())
            for layer in () if is_lean else lora_layers(model).values():
                layer.__class__ = Linear
            stepper = Stepper(parts, model=model, examples=Rows(4 * batch, length, number), evaluator=evaluator)
            if not is_lean:
                stepper.optimizer = torch.optim.AdamW(stepper.weights, lr=1e-3)
                for group in stepper.optimizer.param_groups:
                    group["rate_factor"] = 1.0
            self.steppers.append(stepper)
        self._lanes = [Lane(str(number), each, _nothing) for number, each in enumerate(self.steppers)]
        for lane in self._lanes:
            lane.num_shared = CHECKED_STEPS  # `difference` does
        self._base = base
        self._conductor: PaddedConductor | None = None

    def alone(self) -> None:
        """A step of each, one after another."""
        for stepper in self.steppers:
            stepper.take()

    def shared(self) -> None:
        """A step of each, from one pass."""
        self.share()
        self.alone()

    def share(self) -> None:
        """Have every trial's next gradient come of one pass."""
        if self._conductor is None:
            self._conductor = PaddedConductor(self._base)
            self._conductor.tokens_per_pass = 1 << 30
        share_gradients(self._lanes, self._conductor)
        refusals = {lane.refusal for lane in self._lanes} - {None}
        if refusals or not all(stepper.has_gradient for stepper in self.steppers):
            raise RuntimeError(f"a pass was not shared: {refusals}")

    def difference(self) -> float:
        """Of the gradients of the next step, shared against alone, over their length: the largest of all lanes."""
        alone = []
        for lane in self._lanes:
            lane.stepper.add_gradients(lane.stepper.plan.indices(lane.stepper.num_steps))
            alone.append(lane.gradients())
            lane.stepper.optimizer.zero_grad(set_to_none=True)
        self.share()
        return max(relative_distance(own, lane.gradients()) for lane, own in zip(self._lanes, alone, strict=True))


def _nothing() -> None:
    """Without dropout nobody draws."""


Step = Callable[[], None]
