"""One optimizer step: the gradient of a whole batch, in micro-batches that fit into memory, and the update."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ftsweep.config.schema import TrainingSettings
from ftsweep.evaluation.batch import Batch, collate, to_device
from ftsweep.evaluation.evaluate import Evaluator, autocast
from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.models.device import is_out_of_memory, release_memory
from ftsweep.strategies.base import Strategy
from ftsweep.training.checkpoint import (
    Checkpoint,
    pack_generators,
    put_weights,
    trained_weights,
    unpack_generators,
    unpack_optimizer,
)
from ftsweep.training.mix import Examples, Redrawn
from ftsweep.training.optimizer import clip_gradients, make_optimizer
from ftsweep.training.regularisers import Regularisers
from ftsweep.training.schedule import BatchPlan, Plan, order_seed, rate_factor

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ftsweep.training.compiled import CompiledPasses

LARGE_GRADIENT = 100.0  # an L2 norm before clipping that a healthy step does not have
MIN_TOKENS = 32
"""Of a micro-batch, padding counted, where the data has rows that long. Below it a product may take another way, and
give other last bits, than the same rows among those of other trials; and it is hardly quicker."""
_FINITE_CHECK_STEPS = 10  # on CUDA the loss is looked at this often: every look waits for the device


class OutOfMemoryAtOneError(Exception):
    """Not even one example fits."""


@dataclass(frozen=True)
class StepTimes:
    """What steps cost, seconds: one of them, and all of the plan with what compiling takes."""

    one: float
    all: float
    compiling: float = 0.0
    plain: float | None = None
    """A step that is not compiled, where `one` is."""

    def facts(self) -> dict[str, float]:
        """As a run's `time_steps` tells them: `step_seconds`, and where steps are compiled `compile_seconds` and
        `plain_step_seconds`."""
        compiled = {} if self.plain is None else {"compile_seconds": self.compiling, "plain_step_seconds": self.plain}
        return {"step_seconds": self.one, **compiled}


class Stepper:
    """Takes the optimizer steps of one model. Which examples, and at what rate, follows from `num_steps` alone.

    `take` is a whole step: `micro_batches` draws the examples, `add_gradient` is of one micro-batch, `update` moves the
    weights. The gradient may also come of a pass that several trials share. Making a stepper puts the model into
    training mode, and its regularisers remember what the weights are now.
    """

    def __init__(
        self,
        parts: TrialParts,
        *,
        model: PreTrainedModel,
        examples: Examples,
        evaluator: Evaluator,
        strategy: Strategy | None = None,
    ) -> None:
        """`evaluator`: device, arithmetic and padding are as those of its measurements.

        `strategy`: another one than that of `parts`.
        """
        self.model = model
        self.task = parts.task
        self.strategy = parts.strategy if strategy is None else strategy
        self.settings = settings = TrainingSettings(**parts.config["training"])
        self.train_on(examples)
        self.evaluator = evaluator
        seed = order_seed(parts.config["seed"])
        self.plan: Plan = BatchPlan(examples.lengths, settings.batch_size, settings.epochs, seed)
        self.optimizer = make_optimizer(model, self.strategy, settings, evaluator.device)
        self.weights = list(trained_weights(model).values())
        """What trains, in the model's order."""
        self.regularisers = Regularisers(model, self.task, self.strategy, settings)
        self._redraw = parts.task.redraw(parts.tokenizer)
        self._seed: int = parts.config["seed"]["model"]
        self.num_steps = 0
        self.num_tokens = 0
        self.micro_batch_size = min(settings.micro_batch_size or settings.batch_size, settings.batch_size)
        self.train_seconds = 0.0
        self.num_large_gradients = torch.zeros((), dtype=torch.long, device=evaluator.device)
        self.is_finite = torch.ones((), dtype=torch.bool, device=evaluator.device)
        """Whether every loss and gradient so far was a number."""
        self.ready: Callable[[], AbstractContextManager[Any]]
        """What makes the model ready for a pass."""
        self.ready = self.strategy.training_pass(model, evaluator.autocast_dtype)
        self.compiled = compiled_passes(model) if settings.compile else None
        self._is_plain = False
        self.compile_seconds = 0.0
        """Of `train_seconds`, what torch took to compile passes."""
        self.num_shared = 0
        """Steps whose gradient came of a pass that several trials share, in all workers that have had the trial."""
        self.has_gradient = False
        """Whether the weights have the gradient of the next step already."""
        self.strategy.set_training(model)

    def train_on(self, examples: Examples) -> None:
        """From now on; as many as before, and as long."""
        self.examples = examples
        self._longest = len(examples.input_ids(int(examples.lengths.argmax())))  # 1 where a table is looked up

    def take(self) -> None:
        """One optimizer step and its time, and nothing else.

        Raises:
            OutOfMemoryAtOneError: memory ran out with micro-batches of one example.
        """
        started, compiling = time.monotonic(), self._seconds_compiling()
        try:
            indices = self.plan.indices(self.num_steps)
            if not self.has_gradient:
                self.add_gradients(indices)
            self.has_gradient = False
            self.num_tokens += int(self.examples.lengths[indices].sum())
            self.update()
        finally:
            self.train_seconds += time.monotonic() - started
            self.compile_seconds += self._seconds_compiling() - compiling

    def micro_batches(self, indices: np.ndarray) -> tuple[list[Batch], int]:
        """These examples as padded tensors on the CPU, and how many supervised units the gradient is divided by."""
        examples, pad_token_id = self._examples_now(), self.evaluator.pad_token_id
        batches = [
            collate(examples, part, self.task, pad_token_id=pad_token_id, min_length=self._min_length(len(part)))
            for part in self._micro_batch_indices(indices)
        ]
        return batches, max(1, sum(int(self.task.row_units(batch["labels"]).sum()) for batch in batches))

    def micro_batch_shapes(self) -> list[tuple[int, int]]:
        """Rows and length, padded, of each micro-batch of the next step."""
        lengths = self.examples.lengths
        parts = self._micro_batch_indices(self.plan.indices(self.num_steps))
        return [(len(part), max(self._min_length(len(part)), int(lengths[part].max()))) for part in parts]

    def _micro_batch_indices(self, indices: np.ndarray) -> list[np.ndarray]:
        size = self.micro_batch_size
        return [indices[start : start + size] for start in range(0, len(indices), size)]

    def _min_length(self, num_rows: int) -> int:
        """What rows are padded to at least. A row as long as the longest of the data fits into every model."""
        return min(-(-MIN_TOKENS // num_rows), self._longest)

    def _examples_now(self) -> Examples:
        """The examples of the step's epoch: drawn anew in each where the task does so."""
        if self._redraw is None:
            return self.examples
        epoch = self.plan.examples_before(self.num_steps) // len(self.examples)
        return Redrawn(self.examples, self._redraw, (self._seed, epoch))

    def loss(self, batch: Batch) -> torch.Tensor:
        """What training minimises, summed over the micro-batch's rows: a scalar with its graph."""
        with autocast(self.evaluator.device, self.evaluator.autocast_dtype), self.ready():
            rows = self.regularisers.training_losses(to_device(batch, self.evaluator.device), self.evaluator.schema)
        return rows.sum()

    def update(self) -> None:
        """Clip the gradients that are there, move the weights at the schedule's rate, and count the step."""
        rate = self.rate_now()
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["rate_factor"]
        norm = clip_gradients(self.weights, self.settings.max_grad_norm or math.inf)
        self.is_finite &= torch.isfinite(norm)
        self.num_large_gradients += norm > LARGE_GRADIENT
        self.optimizer.step()
        for weight in self.weights:
            weight.grad = None
        self.num_steps += 1

    def rate_now(self) -> float:
        """The learning rate of the next step, before the strategy's factors."""
        settings = self.settings
        factor = rate_factor(self.num_steps, self.plan.num_steps, warmup=settings.warmup, schedule=settings.schedule)
        return settings.learning_rate * factor

    def add_gradients(self, indices: np.ndarray) -> None:
        """The gradient of the whole batch; when memory runs out anew, with micro-batches of half the size for good."""
        while True:
            generators = pack_generators(self.evaluator.device) if self.micro_batch_size > 1 else None
            try:
                batches, num_units = self.micro_batches(indices)
                self._accumulate(batches, num_units)
                return
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if generators is None:
                    raise OutOfMemoryAtOneError(str(error).splitlines()[0]) from None
            self.micro_batch_size //= 2
            self.optimizer.zero_grad(set_to_none=True)
            release_memory(self.evaluator.device)
            unpack_generators(generators, self.evaluator.device)

    def _accumulate(self, batches: Iterable[Batch], num_units: int) -> None:
        for batch in batches:
            self.add_gradient(batch, num_units)
        self.regularisers.add_gradients()

    def add_gradient(self, batch: Batch, num_units: int) -> None:
        """Add that of one micro-batch of a step over so many units."""
        with self.compiled() if self.compiled and not self._is_plain else nullcontext():
            loss = self.loss(batch) / num_units
            self.is_finite &= torch.isfinite(loss.detach())
            loss.backward()

    # -- what a trial asks of it ----------------------------------------------------------------------------------

    def has_diverged(self, *, is_at_rung: bool) -> bool:
        """Whether a loss or gradient was NaN or infinite; on CUDA it is looked at every few steps, and at rungs."""
        if self.evaluator.device.type == "cuda" and self.num_steps % _FINITE_CHECK_STEPS and not is_at_rung:
            return False
        return not bool(self.is_finite)

    @property
    def num_seen(self) -> int:
        """Examples seen by all steps so far, repeats counted."""
        return self.plan.examples_before(self.num_steps)

    def times(self, num_steps: int) -> StepTimes:
        """Of some steps after a first one, which allocates; where passes are compiled, of steps without it as well."""
        first = self.num_steps
        plain = self.plain_seconds(num_steps)
        if self.compiled is None:
            return StepTimes(one=plain, all=plain * self.plan.num_steps)
        self.num_steps, self.compile_seconds = first, 0.0
        one = self._seconds_of_steps(num_steps)
        compiling = self.compile_seconds
        return StepTimes(one, one * self.plan.num_steps + compiling, compiling, plain)

    def plain_seconds(self, num_steps: int) -> float:
        """A step's, timed on so many, with passes that are not compiled."""
        self._is_plain = True
        seconds = self._seconds_of_steps(num_steps)
        self._is_plain = False
        return seconds

    def _seconds_of_steps(self, num_steps: int) -> float:
        self.take()
        num_timed = min(num_steps, self.plan.num_steps - 1)
        started, compiling = self.train_seconds, self.compile_seconds
        for _ in range(num_timed):
            self.take()
        return (self.train_seconds - started - self.compile_seconds + compiling) / max(1, num_timed)

    def _seconds_compiling(self) -> float:
        return 0.0 if self.compiled is None else self.compiled.seconds

    def progress(self) -> dict[str, Any]:
        """What a checkpoint keeps of the steps beside tensors."""
        return {
            "num_steps": self.num_steps,
            "num_tokens": self.num_tokens,
            "micro_batch_size": self.micro_batch_size,
            "train_seconds": self.train_seconds,
            "compile_seconds": self.compile_seconds,
            "num_large_gradients": int(self.num_large_gradients),
            "num_shared": self.num_shared,
        }

    def continue_from(self, checkpoint: Checkpoint) -> None:
        """Put back weights, the optimizer's state, generators and counts."""
        put_weights(self.model, checkpoint.weights)
        unpack_optimizer(self.optimizer, checkpoint.optimizer)
        unpack_generators(checkpoint.generators, self.evaluator.device)
        for name in self.progress():
            setattr(self, name, checkpoint.progress[name])


def compiled_passes(model: PreTrainedModel) -> CompiledPasses:
    """Its module is loaded where it is asked for alone: torch's compiler takes a second or two of a worker's start."""
    from ftsweep.training.compiled import CompiledPasses

    return CompiledPasses(model)
