"""One trial as a stepper: each `step` is one optimizer step; at a rung it measures, then waits to be told to go on.

A worker drives it; so will an engine that trains several trials as lanes of one forward pass.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from ftsweep.config.schema import TrainingSettings
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.evaluation.batch import collate, to_device
from ftsweep.evaluation.evaluate import Evaluator, SplitScores, autocast, train_probe
from ftsweep.evaluation.forgetting import ForgettingMeter
from ftsweep.models.device import is_out_of_memory, release_memory
from ftsweep.store.atomic import append_line
from ftsweep.store.folders import TrialFolder
from ftsweep.store.row_scores import RungLosses, write_losses
from ftsweep.strategies.base import Strategy, parameter_groups
from ftsweep.tasks.base import Task
from ftsweep.training.checkpoint import (
    Checkpoint,
    Weights,
    copy_weights,
    pack_generators,
    pack_optimizer,
    put_weights,
    trained_weights,
    unpack_generators,
    unpack_optimizer,
)
from ftsweep.training.mix import with_replay
from ftsweep.training.regularisers import Regularisers
from ftsweep.training.schedule import BatchPlan, Plan, rate_factor, rung_reached

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ftsweep.data.encoded import EncodedSplit
    from ftsweep.data.prepared import PreparedSet
    from ftsweep.evaluation.parts import Parts
    from ftsweep.training.runs.choice import RunStart

_CHECKPOINT_SHARE = 0.05  # of a trial's time may go into checkpoints
_CHECKPOINT_SECONDS = 300.0  # between rungs, one at least this often
LARGE_GRADIENT = 100.0  # an L2 norm before clipping that a healthy step does not have
_FINITE_CHECK_STEPS = 10  # on CUDA the loss is looked at this often: every look waits for the device


@dataclass
class Start:
    """What is measured before training: shared by the trials of a worker that begin alike, filled by the first one."""

    values: dict[str, float] = field(default_factory=dict)
    losses: RungLosses = field(default_factory=RungLosses)


class TrialRun:
    """The training of one trial, from its folder's checkpoint if there is one.

    After `step` either `is_waiting` (a rung was measured: answer with `resume`), `outcome` is set (the trial is over
    and `best_weights` are those of its best rung), or there is more to do.
    """

    def __init__(
        self,
        *,
        model: PreTrainedModel,
        task: Task,
        strategy: Strategy,
        prepared: PreparedSet,
        evaluator: Evaluator,
        folder: TrialFolder,
        config: Mapping[str, Any],
        start: Start | None = None,
        replay: EncodedSplit | None = None,
        meter: ForgettingMeter | None = None,
    ) -> None:
        self.model = model
        self.task = task
        self.folder = folder
        self.settings = TrainingSettings(**config["training"])
        self.objective = Objective(**config["objective"])
        self.num_rungs: int = config["rungs"]["count"]
        self.device = evaluator.device
        self.evaluator = evaluator
        self.schema = evaluator.schema
        self.train_split = prepared.split("train")
        self.validation_split = prepared.split("validation")
        seed = config["seed"]["data"]
        self.examples = with_replay(self.train_split, replay, self.settings.replay, seed)
        self.plan: Plan = BatchPlan(self.examples.lengths, self.settings.batch_size, self.settings.epochs, seed)
        self.probe = train_probe(len(self.train_split), len(self.validation_split), seed)
        self.optimizer = make_optimizer(model, strategy, self.settings, self.device)
        self.regularisers = Regularisers(model, task, strategy, self.settings)

        self._start = Start() if start is None else start
        self._meter = meter

        self.measurements: list[Measurement] = folder.measurements()
        self._losses = RungLosses()  # of the last measurement
        self.best_weights: Weights | None = None
        self.outcome: Outcome | None = None
        self.is_waiting = False
        self.num_steps = 0
        self.num_tokens = 0
        self.rung = -1  # the last one measured; -1 before the measurement that precedes training
        self.micro_batch_size = min(
            self.settings.micro_batch_size or self.settings.batch_size, self.settings.batch_size
        )
        self.train_seconds = 0.0
        self.num_large_gradients = torch.zeros((), dtype=torch.long, device=self.device)
        self._is_finite = torch.ones((), dtype=torch.bool, device=self.device)
        self._checkpoint_cost = 0.0
        self._checkpoint_time = time.monotonic()
        self._continue_from_checkpoint()
        strategy.set_training(model)

    @classmethod
    def begin(cls, given: RunStart) -> Self:
        """The run of a trial of any strategy that trains as a whole."""
        return cls(
            model=given.model,
            task=given.parts.task,
            strategy=given.parts.strategy,
            prepared=given.prepared,
            evaluator=given.evaluator,
            folder=given.folder,
            config=given.config,
            start=given.start,
            replay=given.parts.replay,
            meter=given.meter,
        )

    @staticmethod
    def score_kept(parts: Parts, model: PreTrainedModel, evaluator: Evaluator, folder: Path, split: str) -> SplitScores:
        """What weights that the strategy has restored into `model` score on a split."""
        return evaluator.score(model, parts.prepared.split(split))

    # -- stepping -----------------------------------------------------------------------------------------------

    def step(self) -> Measurement | None:
        """Take one optimizer step (or the measurement before the first); a new measurement when a rung was reached."""
        if self.rung < 0:
            return self._measure(0)
        try:
            self.step_without_rungs()
        except OutOfMemoryAtOneError as error:
            self._end(OutcomeKind.INFEASIBLE, f"out of memory at micro-batch size 1: {error}")
            return None
        if self._has_diverged():
            self._end(OutcomeKind.DIVERGED, f"the loss became NaN or infinite near step {self.num_steps}")
            return None
        rung = rung_reached(self.num_seen, self.plan.num_examples, self.num_rungs)
        if rung > self.rung:
            return self._measure(rung)
        if time.monotonic() - self._checkpoint_time > _CHECKPOINT_SECONDS:
            self.write_checkpoint()
        return None

    @property
    def num_seen(self) -> int:
        """Examples seen so far, repeats counted."""
        return self.plan.examples_before(self.num_steps)

    def resume(self) -> None:
        """Go on after a measurement."""
        self.is_waiting = False

    def stop(self, kind: OutcomeKind, reason: str) -> None:
        """End the trial now."""
        self._end(kind, reason)

    def step_without_rungs(self) -> None:
        """One optimizer step and its time, and nothing else."""
        started = time.monotonic()
        try:
            self._optimizer_step()
        finally:
            self.train_seconds += time.monotonic() - started

    def time_steps(self, *, num_steps: int) -> dict[str, float]:
        """Seconds per step and per measurement, and of the whole trial without pruning. Nothing is written."""
        self.step_without_rungs()  # the first one allocates
        num_timed = min(num_steps, self.plan.num_steps - 1)
        started = time.monotonic()
        for _ in range(num_timed):
            self.step_without_rungs()
        step_seconds = (time.monotonic() - started) / max(1, num_timed)
        started = time.monotonic()
        self.values_now()
        measure_seconds = time.monotonic() - started
        num_measurements = 1 + min(self.num_rungs, self.plan.num_steps)
        return {
            "step_seconds": step_seconds,
            "measure_seconds": measure_seconds,
            "num_steps": self.plan.num_steps,
            "trial_seconds": step_seconds * self.plan.num_steps + measure_seconds * num_measurements,
        }

    def rate_now(self) -> float:
        """The learning rate of the next step, before the strategy's factors."""
        factor = rate_factor(
            self.num_steps, self.plan.num_steps, warmup=self.settings.warmup, schedule=self.settings.schedule
        )
        return self.settings.learning_rate * factor

    def _optimizer_step(self) -> None:
        indices = self.plan.indices(self.num_steps)
        while True:
            generators = pack_generators(self.device) if self.micro_batch_size > 1 else None
            try:
                self._accumulate(indices)
                break
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if generators is None:
                    raise OutOfMemoryAtOneError(str(error).splitlines()[0]) from None
            self.micro_batch_size //= 2
            self.optimizer.zero_grad(set_to_none=True)
            release_memory(self.device)
            unpack_generators(generators, self.device)
        rate = self.rate_now()
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["rate_factor"]
        parameters = trained_weights(self.model).values()
        norm = torch.nn.utils.clip_grad_norm_(parameters, self.settings.max_grad_norm or math.inf)
        self._is_finite &= torch.isfinite(norm)
        self.num_large_gradients += norm > LARGE_GRADIENT
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.num_steps += 1

    def _accumulate(self, indices: Any) -> None:
        """Gradients of the whole effective batch, normalised by its number of supervised units."""
        size = self.micro_batch_size
        batches = [
            collate(self.examples, indices[start : start + size], self.task, pad_token_id=self.evaluator.pad_token_id)
            for start in range(0, len(indices), size)
        ]
        num_units = max(1, sum(int(self.task.row_units(batch["labels"]).sum()) for batch in batches))
        for batch in batches:
            with autocast(self.device, self.evaluator.autocast_dtype):
                losses = self.regularisers.training_losses(to_device(batch, self.device), self.schema)
            loss = losses.sum() / num_units
            self._is_finite &= torch.isfinite(loss.detach())
            loss.backward()
        self.regularisers.add_gradients()
        self.num_tokens += int(self.examples.lengths[indices].sum())

    def _has_diverged(self) -> bool:
        if self.device.type == "cuda" and self.num_steps % _FINITE_CHECK_STEPS and not self._is_at_rung():
            return False
        return not bool(self._is_finite)

    def _is_at_rung(self) -> bool:
        return rung_reached(self.num_seen, self.plan.num_examples, self.num_rungs) > self.rung

    # -- measuring ----------------------------------------------------------------------------------------------

    def _measure(self, rung: int) -> Measurement | None:
        """Measure this rung, put it on disk, and decide whether the trial is over; None for a rung known before."""
        self.rung = rung
        known = {measurement.rung: measurement for measurement in self.measurements}
        measurement = known.get(rung)
        if measurement is None:
            measurement = self._measured(rung)
            if not all(math.isfinite(value) for key, value in measurement.values.items() if key.endswith("/loss")):
                self._end(OutcomeKind.DIVERGED, f"the loss is NaN or infinite at rung {rung}")
                return None
            self.measurements.append(measurement)
            write_losses(self.folder.path, rung, self._losses)
            append_line(self.folder.measurements_file, measurement.to_dict())
        is_new = rung not in known
        upto = [entry for entry in self.measurements if entry.rung <= rung]
        best = self.objective.best(upto)
        if best is not None and best.rung == rung:
            self.best_weights = copy_weights(self.model)
        if rung == self.num_rungs:
            self._end(OutcomeKind.COMPLETE, "trained to the end")
        elif best is not None and self._is_out_of_patience(best, upto):
            self._end(OutcomeKind.COMPLETE, f"no better {self.objective.key} for {self.settings.patience} rungs")
        else:
            self._checkpoint_if_due()
            self.is_waiting = is_new
        return measurement if is_new else None

    def values_now(self) -> dict[str, float]:
        """Metrics on the whole validation split and on the train probe, as the model is."""
        validation = self.evaluator.score(self.model, self.validation_split)
        train = self.evaluator.score(self.model, self.train_split, self.probe)
        self._losses = RungLosses(validation.losses, train.losses, validation.units.astype(np.int32), validation.scores)
        return {
            **{f"validation/{name}": value for name, value in validation.values.items()},
            **{f"train/{name}": value for name, value in train.values.items()},
            **({} if self._meter is None else self._meter.values(self.model)),
        }

    def _measured(self, rung: int) -> Measurement:
        values = self._values_at_start() if rung == 0 else self.values_now()
        return Measurement(
            rung=rung,
            progress=self.num_seen / self.plan.num_examples,
            num_examples=self.num_seen,
            num_tokens=self.num_tokens,
            train_seconds=self.train_seconds,
            timestamp=time.time(),
            values=values,
            constraints={} if self._meter is None else self._meter.constraints(values),
        )

    def _values_at_start(self) -> dict[str, float]:
        if not self._start.values:
            self._start.values, self._start.losses = self.values_now(), self._losses
        self._losses = self._start.losses
        return dict(self._start.values)

    def _is_out_of_patience(self, best: Measurement, measured: list[Measurement]) -> bool:
        if self.settings.patience is None:
            return False
        return sum(entry.rung > best.rung for entry in measured) >= self.settings.patience

    def _end(self, kind: OutcomeKind, reason: str) -> None:
        best = self.objective.best(self.measurements)
        self.is_waiting = False
        self.outcome = Outcome(
            kind=kind,
            reason=reason,
            rung=max(self.rung, 0),
            best_rung=best.rung if best else None,
            extra={
                "micro_batch_size": self.micro_batch_size,
                "num_steps": self.num_steps,
                "num_large_gradients": int(self.num_large_gradients),
                "train_seconds": round(self.train_seconds, 3),
                "num_trained_parameters": sum(weight.numel() for weight in trained_weights(self.model).values()),
            },
        )

    # -- checkpoints --------------------------------------------------------------------------------------------

    def _checkpoint_if_due(self) -> None:
        if time.monotonic() - self._checkpoint_time >= self._checkpoint_cost / _CHECKPOINT_SHARE:
            self.write_checkpoint()

    def write_checkpoint(self) -> None:
        """Write all state, so that a new process continues to the same result."""
        started = time.monotonic()
        Checkpoint(
            weights=copy_weights(self.model),
            optimizer=pack_optimizer(self.optimizer),
            best_weights=self.best_weights,
            generators=pack_generators(self.device),
            progress=self.progress(),
        ).write(self.folder.checkpoint)
        self._checkpoint_time = time.monotonic()
        self._checkpoint_cost = self._checkpoint_time - started

    def progress(self) -> dict[str, Any]:
        """The attributes that a checkpoint keeps beside tensors."""
        return {
            "num_steps": self.num_steps,
            "num_tokens": self.num_tokens,
            "rung": self.rung,
            "micro_batch_size": self.micro_batch_size,
            "train_seconds": self.train_seconds,
            "num_large_gradients": int(self.num_large_gradients),
        }

    def prepare_to_continue(self, checkpoint: Checkpoint) -> None:
        """Have the same weights train that trained when the checkpoint was written."""

    def _continue_from_checkpoint(self) -> None:
        checkpoint = Checkpoint.read(self.folder.checkpoint)
        if checkpoint is None:
            return
        self.prepare_to_continue(checkpoint)
        put_weights(self.model, checkpoint.weights)
        unpack_optimizer(self.optimizer, checkpoint.optimizer)
        unpack_generators(checkpoint.generators, self.device)
        self.best_weights = checkpoint.best_weights
        for name, value in checkpoint.progress.items():
            setattr(self, name, value)


class OutOfMemoryAtOneError(Exception):
    """Not even one example fits."""


def make_optimizer(
    model: PreTrainedModel, strategy: Strategy, settings: TrainingSettings, device: torch.device
) -> torch.optim.Optimizer:
    """AdamW over what trains; fused on CUDA. Each group has the strategy's `rate_factor`."""
    groups = parameter_groups(model, strategy, settings.weight_decay)
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=device.type == "cuda")
