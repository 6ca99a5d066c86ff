"""The run of most trials: optimizer steps between rungs; at a rung it is measured, and waits for an answer."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.sample import Sample
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.evaluation.answers import AnswerMeter, with_answers
from ftsweep.evaluation.evaluate import Evaluator, SplitScores
from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.store.atomic import append_line
from ftsweep.store.row_scores import write_losses
from ftsweep.store.samples import rung_name, write_samples
from ftsweep.training.checkpoint import (
    Checkpoint,
    CheckpointTimes,
    Weights,
    copy_weights,
    pack_generators,
    pack_optimizer,
    trained_weights,
)
from ftsweep.training.measuring import RungScorer, RungScores
from ftsweep.training.mix import with_replay
from ftsweep.training.runs.base import RunStart
from ftsweep.training.schedule import rung_reached
from ftsweep.training.step import OutOfMemoryAtOneError, Stepper

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class TrialRun:
    """The training of one trial of any strategy that trains as a whole: rungs, patience, checkpoints and the end.

    What it measures is its scorer's. How it trains is its stepper's: a run that trains in another way has another class
    of these.
    """

    stepper_class: ClassVar[type[Stepper]] = Stepper

    def __init__(self, given: RunStart) -> None:
        config = given.parts.config
        seed, replay = config["seed"]["data"], config["training"]["replay"]
        self.model = given.model
        self.folder = given.folder
        self.best_weights: Weights | None = None
        self.outcome: Outcome | None = None
        self.is_waiting = False
        self.rung = -1  # the last one measured; -1 before the measurement that precedes training
        self.measurements: list[Measurement] = given.folder.measurements()
        self.scorer = RungScorer(
            given.model,
            given.prepared,
            given.evaluator,
            given.parts.strategy,
            seed=seed,
            train_rows=config["rungs"].get("train_rows"),
            start=given.start,
            meter=given.meter,
            answers=given.answers,
        )
        self._answers = given.answers
        self.stepper = self.stepper_class(
            given.parts,
            model=given.model,
            examples=with_replay(given.prepared.split("train"), given.parts.replay, replay, seed),
            evaluator=given.evaluator,
        )
        self.objective = Objective(**config["objective"])
        self._patience = self.stepper.settings.patience
        self._num_rungs: int = config["rungs"]["count"]
        self._checkpoint_times = CheckpointTimes()
        checkpoint = Checkpoint.read(given.folder.checkpoint)
        if checkpoint is not None:
            self.stepper.continue_from(checkpoint)
            self.best_weights = checkpoint.best_weights
            self.rung = checkpoint.progress["rung"]

    @staticmethod
    def score_kept(
        parts: TrialParts,
        model: PreTrainedModel,
        evaluator: Evaluator,
        folder: Path,
        split: str,
        answers: AnswerMeter | None = None,
    ) -> tuple[SplitScores, Sequence[Sample]]:
        """What weights that the strategy has restored into `model` score on a split."""
        return with_answers(evaluator.score(model, parts.prepared.split(split)), model, split, answers)

    # -- the run ------------------------------------------------------------------------------------------------

    @property
    def num_steps(self) -> int:
        return self.stepper.num_steps

    @property
    def train_seconds(self) -> float:
        return self.stepper.train_seconds

    @train_seconds.setter
    def train_seconds(self, seconds: float) -> None:
        self.stepper.train_seconds = seconds

    def step(self) -> Measurement | None:
        """Take one optimizer step (or the measurement before the first); a new measurement when a rung was reached."""
        if self.rung < 0:
            return self._measure(0)
        try:
            self.stepper.take()
        except OutOfMemoryAtOneError as error:
            self._end(OutcomeKind.INFEASIBLE, f"out of memory at micro-batch size 1: {error}")
            return None
        rung = self._rung_reached()
        if self.stepper.has_diverged(is_at_rung=rung > self.rung):
            self._end(OutcomeKind.DIVERGED, f"the loss became NaN or infinite near step {self.num_steps}")
        elif rung > self.rung:
            return self._measure(rung)
        elif self._checkpoint_times.is_overdue:
            self.write_checkpoint()
        return None

    def resume(self) -> None:
        """Go on after a measurement."""
        self.is_waiting = False

    def stop(self, kind: OutcomeKind, reason: str) -> None:
        """End the trial now."""
        self._end(kind, reason)

    def time_steps(self, *, num_steps: int) -> dict[str, float]:
        """Seconds per step and per measurement, and of the whole trial without pruning. Nothing is written."""
        steps = self.stepper.times(num_steps)
        started = time.monotonic()
        self.scorer.now()
        measure_seconds = time.monotonic() - started
        num_rungs = min(self._num_rungs, self.stepper.plan.num_steps)
        answers = {} if self._answers is None else self._answers.time(self.model)
        answer_seconds = answers.get("answer_seconds", 0.0) * len(self._answers.rungs if self._answers else ())
        return {
            **steps.facts(),
            "measure_seconds": measure_seconds,
            "num_steps": self.stepper.plan.num_steps,
            "trial_seconds": steps.all + measure_seconds * (1 + num_rungs) + answer_seconds,
            **answers,
        }

    def step_seconds(self, *, num_steps: int) -> float:
        return self.stepper.plain_seconds(num_steps)

    # -- rungs --------------------------------------------------------------------------------------------------

    def _rung_reached(self) -> int:
        plan = self.stepper.plan
        return rung_reached(plan.examples_before(self.num_steps), plan.num_examples, self._num_rungs)

    def _measure(self, rung: int) -> Measurement | None:
        """Measure this rung, put it on disk, and decide whether the trial is over; None for a rung known before."""
        self.rung = rung
        measurement = next((each for each in self.measurements if each.rung == rung), None)
        is_new = measurement is None
        if measurement is None:
            scores = self.scorer.before_training() if rung == 0 else self.scorer.now(rung)
            if not all(math.isfinite(value) for key, value in scores.values.items() if key.endswith("/loss")):
                self._end(OutcomeKind.DIVERGED, f"the loss is NaN or infinite at rung {rung}")
                return None
            measurement = self._measurement(rung, scores)
            self.measurements.append(measurement)
            write_losses(self.folder.path, rung, scores.losses)
            if scores.samples:
                write_samples(self.folder.path, rung_name(rung), scores.samples)
            append_line(self.folder.measurements_file, measurement.to_dict())
        measured = [each for each in self.measurements if each.rung <= rung]
        best = self.objective.best(measured)
        if best is not None and best.rung == rung:
            self.best_weights = copy_weights(self.model)
        if rung == self._num_rungs:
            self._end(OutcomeKind.COMPLETE, "trained to the end")
        elif best is not None and self._is_out_of_patience(best, measured):
            count = f"{self._patience} rung{'' if self._patience == 1 else 's'}"
            self._end(OutcomeKind.COMPLETE, f"no better {self.objective.key} for {count}")
        else:
            if self._checkpoint_times.is_due:
                self.write_checkpoint()
            self.is_waiting = is_new
        return measurement if is_new else None

    def _measurement(self, rung: int, scores: RungScores) -> Measurement:
        plan = self.stepper.plan
        return Measurement(
            rung=rung,
            progress=plan.examples_before(self.num_steps) / plan.num_examples,
            num_examples=self.stepper.num_seen,
            num_tokens=self.stepper.num_tokens,
            train_seconds=self.train_seconds,
            timestamp=time.time(),
            values=dict(scores.values),
            constraints=self.scorer.constraints(scores.values),
        )

    def _is_out_of_patience(self, best: Measurement, measured: list[Measurement]) -> bool:
        later = (each for each in measured if each.rung > best.rung and self.objective.key in each.values)
        return self._patience is not None and sum(1 for _ in later) >= self._patience

    def _end(self, kind: OutcomeKind, reason: str) -> None:
        best = self.objective.best(self.measurements)
        compiling = self.stepper.compile_seconds
        self.is_waiting = False
        self.outcome = Outcome(
            kind=kind,
            reason=reason if self._answers is None else self._answers.with_missing(reason),
            rung=max(self.rung, 0),
            best_rung=best.rung if best else None,
            extra={
                "micro_batch_size": self.stepper.micro_batch_size,
                "num_steps": self.num_steps,
                "num_large_gradients": int(self.stepper.num_large_gradients),
                "train_seconds": round(self.train_seconds, 3),
                **({"compile_seconds": round(compiling, 3)} if compiling else {}),
                "num_trained_parameters": sum(weight.numel() for weight in trained_weights(self.model).values()),
            },
        )

    # -- checkpoints --------------------------------------------------------------------------------------------

    def write_checkpoint(self) -> None:
        """Write all state, so that a new process continues to the same result."""
        with self._checkpoint_times.taken():
            Checkpoint(
                weights=copy_weights(self.model),
                optimizer=pack_optimizer(self.stepper.optimizer),
                best_weights=self.best_weights,
                generators=pack_generators(self.stepper.evaluator.device),
                progress=self.progress(),
            ).write(self.folder.checkpoint)

    def progress(self) -> dict[str, Any]:
        """What a checkpoint keeps beside tensors."""
        return {**self.stepper.progress(), "rung": self.rung}
