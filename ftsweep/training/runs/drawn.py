"""The run of `few_shot_tuned`: one short training per draw of few examples, all from the same start."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, cast

import torch

from ftsweep.data.subsets.draws import DrawnSplit, TooFewExamplesError
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.sample import Sample
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.errors import ConfigError
from ftsweep.evaluation.answers import AnswerMeter, with_answers
from ftsweep.evaluation.drawn_scores import DrawnScores, draw_seeds, mean_scores, read_drawn, write_drawn
from ftsweep.evaluation.evaluate import Evaluator, SplitScores
from ftsweep.evaluation.prompt_scores import class_labels
from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.store.atomic import written_folder
from ftsweep.store.samples import rung_name, write_samples
from ftsweep.strategies.few_shot_tuned import DRAW, FewShotTuned, draw_folders
from ftsweep.training.checkpoint import Weights, copy_weights, put_weights, trained_weights
from ftsweep.training.mix import with_replay
from ftsweep.training.runs.base import RunStart
from ftsweep.training.runs.few_shot import measured_once
from ftsweep.training.step import OutOfMemoryAtOneError, Stepper

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class DrawnRun:
    """One optimizer step per `step`. Every draw is scored on validation when its training has ended.

    The trial is measured once, at the last rung, when all draws have ended: its value is their mean, with their spread.
    Not at every rung, because pruners would compare a few draws in the middle of their training with whole trials; and
    not at the best rung, because choosing one by validation looks at many more labels than the k that were drawn.

    A draw's scores and weights are on disk when it ends; a killed trial repeats the draw that was under way.
    """

    def __init__(self, given: RunStart) -> None:
        parts, strategy = given.parts, cast(FewShotTuned, given.parts.strategy)
        self.model = given.model
        self.folder = given.folder
        self.best_weights: Weights | None = None
        self.outcome: Outcome | None = None
        self.is_waiting = False
        self.rung = -1
        self.num_steps = 0  # of this process
        self._parts = parts
        self._strategy = strategy
        self._prepared = given.prepared
        self._evaluator = given.evaluator
        self._meter = given.meter
        self._answers = given.answers
        self._num_rungs: int = parts.config["rungs"]["count"]
        self._start = copy_weights(given.model)
        self._scores = {draw: scores for (draw, _), scores in read_drawn(given.folder.path).items()}
        self.train_seconds = sum(scores.seconds for scores in self._scores.values())
        self._training: Stepper | None = None
        self._draws: dict[int, list[int]] = {}
        draws, seeds = strategy.draws_for(parts.task), draw_seeds(parts.config)
        labels = class_labels(parts.prepared.split("train"), parts.task)
        try:
            self._draws = {draw: draws.examples(labels, draw=draw, seeds=seeds) for draw in draws.numbers}
        except TooFewExamplesError as error:
            self._end(OutcomeKind.INFEASIBLE, error.told(parts.prepared.schema.get("labels", ())))

    @staticmethod
    def score_kept(
        parts: TrialParts,
        model: PreTrainedModel,
        evaluator: Evaluator,
        folder: Path,
        split: str,
        answers: AnswerMeter | None = None,
    ) -> tuple[SplitScores, Sequence[Sample]]:
        """The mean over draws, each with its own weights, and what the first draw's model answers."""
        strategy, found = cast(FewShotTuned, parts.strategy), []
        for draw in draw_folders(folder):
            strategy.inner.restore(model, draw)
            found.append(with_answers(evaluator.score(model, parts.prepared.split(split)), model, split, answers))
        return mean_scores([scores for scores, _ in found]), found[0][1]

    def step(self) -> Measurement | None:
        """Take one optimizer step, or score a draw that has ended; the measurement when it was the last one."""
        draw = next((draw for draw in self._draws if draw not in self._scores), None)
        if draw is None:
            return self._measure()
        if self._training is None:
            self._training = self._begin(self._draws[draw], draw)
        if self._training.num_steps < self._training.plan.num_steps:
            try:
                self._training.take()
            except OutOfMemoryAtOneError as error:
                self._end(OutcomeKind.INFEASIBLE, f"out of memory at micro-batch size 1: {error}")
            self.num_steps += 1
            return None
        self._score(draw, self._training)
        self._training = None
        return None

    def resume(self) -> None:
        """Nothing waits: the only measurement is the last."""

    def stop(self, kind: OutcomeKind, reason: str) -> None:
        self._end(kind, reason)

    def write_checkpoint(self) -> None:
        """Every ended draw is on disk already."""

    def time_steps(self, *, num_steps: int) -> dict[str, float]:
        """Time a few steps of the first draw and one measurement. Raises ConfigError when train is too small."""
        training = self._first_draw()
        steps = training.times(num_steps)
        started = time.monotonic()
        self._evaluator.score(self.model, self._prepared.split("validation"))
        measure_seconds = time.monotonic() - started
        total = len(self._draws) * training.plan.num_steps
        answers = {} if self._answers is None else self._answers.time(self.model)
        per_draw = measure_seconds + answers.get("answer_seconds", 0.0)
        return {
            **steps.facts(),
            "measure_seconds": measure_seconds,
            "num_steps": total,
            "trial_seconds": steps.one * total + steps.compiling + per_draw * len(self._draws),
            **answers,
        }

    def step_seconds(self, *, num_steps: int) -> float:
        return self._first_draw().plain_seconds(num_steps)

    def _first_draw(self) -> Stepper:
        if self.outcome is not None:
            raise ConfigError(self.outcome.reason, where="strategy")
        draw, examples = next(iter(self._draws.items()))
        return self._begin(examples, draw)

    def _begin(self, examples: Sequence[int], draw: int) -> Stepper:
        """The training on these examples, from the weights that all draws start with."""
        config = self._parts.config
        put_weights(self.model, self._start)
        torch.manual_seed(config["seed"]["model"] + draw)  # dropout of a draw does not depend on the draws before it
        drawn = DrawnSplit(self._prepared.split("train"), examples)
        return Stepper(
            self._parts,
            model=self.model,
            examples=with_replay(drawn, self._parts.replay, config["training"]["replay"], config["seed"]["data"]),
            evaluator=self._evaluator,
            strategy=self._strategy.inner,
        )

    def _score(self, draw: int, training: Stepper) -> None:
        scores = self._evaluator.score(self.model, self._prepared.split("validation"))
        if not math.isfinite(scores.values["loss"]):
            self._end(OutcomeKind.DIVERGED, f"the loss is NaN or infinite after the training of draw {draw}")
            return
        if self._answers is not None:
            answers = self._answers.at_rung(self.model)
            scores = answers.added_to(scores)
            if draw == next(iter(self._draws)):
                write_samples(self.folder.path, rung_name(self._num_rungs), answers.samples)
        with written_folder(self._folder_of(draw)) as temporary:
            self._strategy.inner.save(self.model, temporary)
        drawn = DrawnScores(
            draw=draw,
            order=0,
            examples=self._draws[draw],
            values=scores.values,
            losses=scores.losses,
            units=scores.units,
            scores=scores.scores,
            clusters=scores.clusters,
            seconds=training.train_seconds,
            num_examples=training.plan.num_examples,
            facts={
                "num_steps": training.num_steps,
                "micro_batch_size": training.micro_batch_size,
                "compile_seconds": training.compile_seconds,
                "general": {} if self._meter is None else self._meter.values(self.model),
            },
        )
        write_drawn(self.folder.path, drawn)
        self._scores[draw] = drawn
        self.train_seconds += drawn.seconds

    def _measure(self) -> Measurement | None:
        self.rung = self._num_rungs
        known = {measurement.rung for measurement in self.folder.measurements()}
        scores = [self._scores[draw] for draw in self._draws]
        told = [each.facts.get("general", {}) for each in scores]
        general = {key: fmean(each[key] for each in told) for key in told[0]}
        measurement = measured_once(self.folder, self.rung, scores, self.train_seconds, general, self._meter)
        self._strategy.folders = [self._folder_of(draw) for draw in self._draws]
        self.best_weights = copy_weights(self.model)
        self._end(OutcomeKind.COMPLETE, _ended(len(self._draws)))
        return measurement if self.rung not in known else None

    def _folder_of(self, draw: int) -> Path:
        """Where a draw's weights wait for the others: with the checkpoint, which is removed when the trial ends."""
        return self.folder.checkpoint / DRAW.format(draw)

    def _end(self, kind: OutcomeKind, reason: str) -> None:
        scores = list(self._scores.values())
        compiling = sum(each.facts["compile_seconds"] for each in scores)
        self.outcome = Outcome(
            kind=kind,
            reason=reason if self._answers is None else self._answers.with_missing(reason),
            rung=max(self.rung, 0),
            best_rung=self.rung if kind is OutcomeKind.COMPLETE else None,
            extra={
                "num_draws": len(scores),
                "micro_batch_size": min((each.facts["micro_batch_size"] for each in scores), default=None),
                "num_steps": sum(each.facts["num_steps"] for each in scores),
                "train_seconds": round(self.train_seconds, 3),
                **({"compile_seconds": round(compiling, 3)} if compiling else {}),
                "num_trained_parameters": sum(weight.numel() for weight in trained_weights(self.model).values()),
            },
        )


def _ended(num_draws: int) -> str:
    return "1 draw was trained to its end" if num_draws == 1 else f"{num_draws} draws were trained to their end"
