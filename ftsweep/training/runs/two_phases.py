"""The run of `head_then_full`: the head alone on cached features first, then everything; one trial, one step counter.

Rungs are fractions of the second phase, so that trials are compared by what full fine-tuning came to. The first phase
lies between rung 0, which is measured before any training, and the first step of the second.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from ftsweep.evaluation.evaluate import Evaluator
from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.strategies.head_then_full import HeadThenFull
from ftsweep.strategies.trained_part import head_modules, train_what_trains
from ftsweep.training.checkpoint import Checkpoint, trained_weights
from ftsweep.training.features.cache import cached_features
from ftsweep.training.features.table import FeatureSet, feature_evaluator, put_back_body, replace_body
from ftsweep.training.mix import Examples
from ftsweep.training.optimizer import make_optimizer
from ftsweep.training.regularisers import Regularisers
from ftsweep.training.schedule import BatchPlan, order_seed, rate_factor
from ftsweep.training.step import Stepper, StepTimes
from ftsweep.training.trial import TrialRun

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Phase = Literal["head", "full"]


@dataclass(frozen=True)
class TwoPhasePlan:
    """Steps of both phases, counted on; examples of the second one only, because rungs are fractions of those."""

    head: BatchPlan
    full: BatchPlan

    @property
    def num_examples(self) -> int:
        return self.full.num_examples

    @property
    def num_steps(self) -> int:
        return self.head.num_steps + self.full.num_steps

    def examples_before(self, step: int) -> int:
        return self.full.examples_before(max(0, step - self.head.num_steps))

    def indices(self, step: int) -> np.ndarray:
        if step < self.head.num_steps:
            return self.head.indices(step)
        return self.full.indices(step - self.head.num_steps)

    def phase(self, step: int) -> Phase:
        return "head" if step < self.head.num_steps else "full"


class TwoPhaseStepper(Stepper):
    """Trains the head, then the whole model; goes on from a checkpoint of either phase."""

    def __init__(self, parts: TrialParts, *, model: PreTrainedModel, examples: Examples, evaluator: Evaluator) -> None:
        super().__init__(parts, model=model, examples=examples, evaluator=evaluator)
        strategy, seed = cast(HeadThenFull, parts.strategy), order_seed(parts.config["seed"])
        self.phase: Phase | None = None  # before the first step: everything would train
        self._parts = parts
        self._head_rate = strategy.head_learning_rate
        self._of_full = (examples, evaluator, self.regularisers, self.compiled)
        lengths, size = examples.lengths, self.settings.batch_size
        self._two = TwoPhasePlan(
            head=BatchPlan(lengths, size, strategy.head_epochs, seed),
            full=BatchPlan(lengths, size, self.settings.epochs, seed),
        )
        self.plan = self._two

    def take(self) -> None:
        phase = self._two.phase(self.num_steps)
        if phase != self.phase:
            self._enter(phase)
        super().take()

    def rate_now(self) -> float:
        head, full = self._two.head.num_steps, self._two.full.num_steps
        is_head = self.phase == "head"
        factor = rate_factor(
            self.num_steps if is_head else self.num_steps - head,
            head if is_head else full,
            warmup=self.settings.warmup,
            schedule=self.settings.schedule,
        )
        return factor * (self._head_rate if is_head else self.settings.learning_rate)

    @property
    def num_seen(self) -> int:
        """Examples of both phases."""
        head = self._two.head
        return head.examples_before(min(self.num_steps, head.num_steps)) + self._two.examples_before(self.num_steps)

    def times(self, num_steps: int) -> StepTimes:
        """A step is one of the second phase; the head's are timed on their own."""
        head, full = self._two.head.num_steps, self._two.full.num_steps
        num_timed = min(num_steps, head - 1)
        self.take()
        started = time.monotonic()
        for _ in range(num_timed):
            self.take()
        head_seconds = (time.monotonic() - started) / max(1, num_timed)
        self.num_steps = head
        times = super().times(min(num_steps, full - 1))
        return replace(times, all=head * head_seconds + full * times.one + times.compiling)

    def plain_seconds(self, num_steps: int) -> float:
        """Of the second phase."""
        head, full = self._two.head.num_steps, self._two.full.num_steps
        self.num_steps = head
        return super().plain_seconds(min(num_steps, full - 1))

    def progress(self) -> dict[str, Any]:
        return {**super().progress(), "phase": self.phase}

    def continue_from(self, checkpoint: Checkpoint) -> None:
        """Have the same weights train that trained when the checkpoint was written, and put them back."""
        if checkpoint.progress["phase"] is not None:
            self._enter(checkpoint.progress["phase"])
        super().continue_from(checkpoint)

    def _enter(self, phase: Phase) -> None:
        """Have the phase's weights train, on its examples, with an optimizer of its own."""
        examples, self.evaluator, self.regularisers, self.compiled = self._of_full
        self.train_on(examples)
        if phase == "head":
            self._enter_head()
        else:
            put_back_body(self.model)
            self.model.requires_grad_(True)
            self.strategy.set_training(self.model)
        self.optimizer = make_optimizer(self.model, self.strategy, self.settings, self.evaluator.device)
        self.weights = list(trained_weights(self.model).values())
        self.phase = phase

    def _enter_head(self) -> None:
        self.compiled = None  # the body takes no training pass
        self.model.requires_grad_(False)
        for module in head_modules(self.model, self.strategy.head_for(self.task)).values():
            module.requires_grad_(True)
        # what trains now is new: there is no base that it could be pulled back to
        self.regularisers = Regularisers(self.model, self.task, self.strategy, replace(self.settings, l2_sp=0.0))
        features = cached_features(self.model, self._parts, self.evaluator)
        if features is not None:
            replace_body(self.model, features)
            self.train_on(FeatureSet(self._parts.prepared, features.position).split("train"))
            self.evaluator = feature_evaluator(self.evaluator, features)
        train_what_trains(self.model)


class TwoPhaseRun(TrialRun):
    """A trial whose steps are of two phases."""

    stepper_class = TwoPhaseStepper
