"""The run of `head_then_full`: the head alone on cached features first, then everything; one trial, one step counter.

Rungs are fractions of the second phase, so that trials are compared by what full fine-tuning came to. The first phase
lies between rung 0, which is measured before any training, and the first step of the second.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import numpy as np

from ftsweep.domain.measurement import Measurement
from ftsweep.evaluation.evaluate import Evaluator
from ftsweep.evaluation.forgetting import ForgettingMeter
from ftsweep.evaluation.parts import Parts
from ftsweep.store.folders import TrialFolder
from ftsweep.strategies.head_then_full import HeadThenFull
from ftsweep.strategies.trained_part import head_modules, train_what_trains
from ftsweep.training.checkpoint import Checkpoint
from ftsweep.training.features.cache import cached_features
from ftsweep.training.features.table import FeatureSet, feature_evaluator, put_back_body, replace_body
from ftsweep.training.regularisers import Regularisers
from ftsweep.training.schedule import BatchPlan, rate_factor
from ftsweep.training.trial import Start, TrialRun, make_optimizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ftsweep.training.runs.choice import RunStart

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


class TwoPhaseRun(TrialRun):
    """Trains the head, then the whole model; goes on from a checkpoint of either phase."""

    def __init__(
        self,
        parts: Parts,
        strategy: HeadThenFull,
        *,
        model: PreTrainedModel,
        evaluator: Evaluator,
        folder: TrialFolder,
        config: Mapping[str, Any],
        start: Start | None = None,
        meter: ForgettingMeter | None = None,
    ) -> None:
        self.phase: Phase | None = None  # before the first step: everything would train
        self._parts = parts
        self._strategy = strategy
        super().__init__(
            model=model,
            task=parts.task,
            strategy=strategy,
            prepared=parts.prepared,
            evaluator=evaluator,
            folder=folder,
            config=config,
            start=start,
            meter=meter,
        )
        lengths, seed = self.train_split.lengths, config["seed"]["data"]
        size = self.settings.batch_size
        self._plan = TwoPhasePlan(
            head=BatchPlan(lengths, size, strategy.head_epochs, seed),
            full=BatchPlan(lengths, size, self.settings.epochs, seed),
        )
        self.plan = self._plan
        if self.phase == "head":
            train_what_trains(model)  # the strategy's own mode is that of the second phase

    @classmethod
    def begin(cls, given: RunStart) -> Self:
        """Of a trial of `head_then_full`; replay has no part in it."""
        strategy = cast(HeadThenFull, given.parts.strategy)
        return cls(
            given.parts,
            strategy,
            model=given.model,
            evaluator=given.evaluator,
            folder=given.folder,
            config=given.config,
            start=given.start,
            meter=given.meter,
        )

    def step_without_rungs(self) -> None:
        phase = self._plan.phase(self.num_steps)
        if phase != self.phase:
            self._enter(phase)
        super().step_without_rungs()

    def rate_now(self) -> float:
        head, full = self._plan.head.num_steps, self._plan.full.num_steps
        is_head = self.phase == "head"
        factor = rate_factor(
            self.num_steps if is_head else self.num_steps - head,
            head if is_head else full,
            warmup=self.settings.warmup,
            schedule=self.settings.schedule,
        )
        return factor * (self._strategy.head_learning_rate if is_head else self.settings.learning_rate)

    def time_steps(self, *, num_steps: int) -> dict[str, float]:
        """Both phases; the head's steps are timed on their own."""
        head, full = self._plan.head.num_steps, self._plan.full.num_steps
        num_timed = min(num_steps, head - 1)
        self.step_without_rungs()
        started = time.monotonic()
        for _ in range(num_timed):
            self.step_without_rungs()
        head_seconds = (time.monotonic() - started) / max(1, num_timed)
        self.num_steps = head
        timings = super().time_steps(num_steps=min(num_steps, full - 1))
        timings["trial_seconds"] += head * (head_seconds - timings["step_seconds"])
        return timings

    def progress(self) -> dict[str, Any]:
        return {**super().progress(), "phase": self.phase}

    def prepare_to_continue(self, checkpoint: Checkpoint) -> None:
        if checkpoint.progress["phase"] is not None:
            self._enter(checkpoint.progress["phase"])

    def _measured(self, rung: int) -> Measurement:
        """As ever, with the examples of both phases counted."""
        measurement = super()._measured(rung)
        num_head = self._plan.head.examples_before(min(self.num_steps, self._plan.head.num_steps))
        return replace(measurement, num_examples=num_head + measurement.num_examples)

    def _enter(self, phase: Phase) -> None:
        """Have the phase's weights train, on its examples, with an optimizer of its own."""
        if self.phase is None:
            self._of_full = (self.evaluator, self.regularisers)
        self.evaluator, self.regularisers = self._of_full
        self.examples = self.train_split
        if phase == "head":
            self._enter_head()
        else:
            put_back_body(self.model)
            self.model.requires_grad_(True)
            self._strategy.set_training(self.model)
        self.optimizer = make_optimizer(self.model, self._strategy, self.settings, self.device)
        self.phase = phase

    def _enter_head(self) -> None:
        self.model.requires_grad_(False)
        for module in head_modules(self.model, self._strategy.head_for(self.task)).values():
            module.requires_grad_(True)
        # what trains now is new: there is no base that it could be pulled back to
        self.regularisers = Regularisers(self.model, self.task, self._strategy, replace(self.settings, l2_sp=0.0))
        features = cached_features(self.model, self._parts, self.evaluator)
        if features is not None:
            replace_body(self.model, features)
            self.examples = FeatureSet(self._parts.prepared, features.position).split("train")
            self.evaluator = feature_evaluator(self.evaluator, features)
        train_what_trains(self.model)
