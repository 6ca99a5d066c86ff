"""The run of `few_shot`: no training and no optimizer; every prompt is scored on validation, and that is the trial."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from ftsweep.data.subsets.draws import TooFewExamplesError
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.sample import Sample
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.errors import ConfigError
from ftsweep.evaluation.answers import AnswerMeter, with_answers
from ftsweep.evaluation.drawn_scores import (
    DrawnScores,
    as_split_scores,
    draw_seeds,
    mean_scores,
    read_drawn,
    spreads,
    write_drawn,
)
from ftsweep.evaluation.evaluate import Evaluator, SplitScores
from ftsweep.evaluation.forgetting import ForgettingMeter
from ftsweep.evaluation.prompt_scores import PromptScorer, rows_of
from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.store.atomic import append_line
from ftsweep.store.folders import TrialFolder
from ftsweep.store.row_scores import RungLosses, write_losses
from ftsweep.store.samples import rung_name, write_samples
from ftsweep.strategies.asking import Prompt
from ftsweep.strategies.few_shot import FewShot
from ftsweep.tasks.prompts.prompt_tokens import PromptTooLongError
from ftsweep.training.checkpoint import Weights
from ftsweep.training.runs.base import RunStart

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_NUM_TIMED_ROWS = 32


class FewShotRun:
    """One prompt per step. The trial is measured once, at the last rung, when all prompts are scored.

    Its value is the mean over draws and orders; with it goes their spread. Once and not at every rung, because there is
    no progress in between: a pruner that compared the mean of the first draws with trials in training would compare
    unlike things. `train_seconds` is the time that asking takes, all that such a trial costs.

    A prompt that does not fit the model's context, and a draw that train is too small for, make the trial infeasible.
    """

    def __init__(self, given: RunStart) -> None:
        parts, model, folder = given.parts, given.model, given.folder
        strategy, config = cast(FewShot, parts.strategy), parts.config
        self.model = model
        self.folder = folder
        self.outcome: Outcome | None = None
        self.is_waiting = False
        self.rung = -1
        self.num_steps = 0  # prompts scored by this process
        self.best_weights: Weights | None = {}  # nothing trains; the strategy keeps the prompts
        self._strategy = strategy
        self._meter = given.meter
        self._answers = given.answers
        self._num_rungs: int = config["rungs"]["count"]
        self._scorer = PromptScorer(parts, strategy, model, given.evaluator)
        self._rows = rows_of(parts.prepared, "validation", parts.task)
        self._scores = read_drawn(folder.path)
        self.train_seconds = sum(scores.seconds for scores in self._scores.values())
        self._prompts: list[Prompt] = []
        self._examples: list[list[int]] = []
        try:
            train = rows_of(parts.prepared, "train", parts.task)
            chosen = strategy.choose(parts.task, train.labels, draw_seeds(config))
        except TooFewExamplesError as error:
            self._end(OutcomeKind.INFEASIBLE, error.told(parts.prepared.schema.get("labels", ())))
            return
        for draw, order, examples in chosen:
            self._examples.append(examples)
            self._prompts.append(Prompt(draw, order, tuple(train.values[index] for index in examples)))

    @staticmethod
    def score_kept(
        parts: TrialParts,
        model: PreTrainedModel,
        evaluator: Evaluator,
        folder: Path,
        split: str,
        answers: AnswerMeter | None = None,
    ) -> tuple[SplitScores, Sequence[Sample]]:
        """The mean over the prompts that the strategy has restored, and what is answered behind the first."""
        strategy = cast(FewShot, parts.strategy)
        scorer, rows = PromptScorer(parts, strategy, model, evaluator), rows_of(parts.prepared, split, parts.task)
        found = [
            with_answers(scorer.score(prompt, rows)[0], model, split, answers, ask=scorer.asking(prompt))
            for prompt in strategy.prompts
        ]
        return mean_scores([scores for scores, _ in found]), found[0][1]

    def step(self) -> Measurement | None:
        """Score the next prompt; the measurement when it was the last one."""
        for prompt, examples in zip(self._prompts, self._examples, strict=True):
            if (prompt.draw, prompt.order) not in self._scores:
                self._score(prompt, examples)
                break
        if self.outcome is not None or len(self._scores) < len(self._prompts):
            return None
        return self._measure()

    def resume(self) -> None:
        """Nothing waits: the only measurement is the last."""

    def stop(self, kind: OutcomeKind, reason: str) -> None:
        self._end(kind, reason)

    def write_checkpoint(self) -> None:
        """Every prompt's scores are on disk already."""

    def time_steps(self, *, num_steps: int) -> dict[str, float]:
        """Time one prompt on a few rows. Raises ConfigError when the configuration as written is infeasible."""
        seconds = self.step_seconds(num_steps=1)
        ask = self._scorer.asking(self._prompts[0])
        answers = {} if self._answers is None else self._answers.time(self.model, ask=ask)
        return {
            "step_seconds": seconds,
            "measure_seconds": 0.0,
            "num_steps": len(self._prompts),
            "trial_seconds": (seconds + answers.get("answer_seconds", 0.0)) * len(self._prompts),
            **answers,
        }

    def step_seconds(self, *, num_steps: int) -> float:
        """As `Run.step_seconds`; a step is a prompt. Raises ConfigError when the configuration is infeasible."""
        if self.outcome is not None:
            raise ConfigError(self.outcome.reason, where="strategy")
        try:
            return self._time_prompt(self._prompts[0])
        except PromptTooLongError as error:
            raise ConfigError(error.what, where=error.where, remedy=error.remedy) from None

    def _time_prompt(self, prompt: Prompt) -> float:
        """Seconds for one prompt on all rows: what it costs once, and per row."""
        few, more = self._rows.some(_NUM_TIMED_ROWS // 4), self._rows.some(_NUM_TIMED_ROWS)
        self._scorer.score(prompt, few)  # the first one allocates
        times = []
        for rows in (few, more):
            started = time.monotonic()
            self._scorer.score(prompt, rows)
            times.append(time.monotonic() - started)
        per_row = max(0.0, times[1] - times[0]) / max(1, len(more) - len(few))
        return times[1] + per_row * (len(self._rows) - len(more))

    def _score(self, prompt: Prompt, examples: list[int]) -> None:
        started = time.monotonic()
        try:
            scores, measured = self._scorer.score(prompt, self._rows)
            if self._answers is not None:
                answers = self._answers.at_rung(self.model, ask=self._scorer.asking(prompt))
                scores = answers.added_to(scores)
                if prompt is self._prompts[0]:
                    write_samples(self.folder.path, rung_name(self._num_rungs), answers.samples)
        except PromptTooLongError as error:
            self._end(OutcomeKind.INFEASIBLE, str(error))
            return
        if not math.isfinite(scores.values["loss"]):
            self._end(OutcomeKind.DIVERGED, f"the loss is NaN or infinite with the prompt of draw {prompt.draw}")
            return
        drawn = DrawnScores(
            draw=prompt.draw,
            order=prompt.order,
            examples=examples,
            values=scores.values,
            losses=scores.losses,
            units=scores.units,
            scores=scores.scores,
            clusters=scores.clusters,
            seconds=time.monotonic() - started,
            num_examples=len(self._rows),
            facts={"log_prior": measured.log_prior},
        )
        write_drawn(self.folder.path, drawn)
        self._scores[drawn.key] = drawn
        self.train_seconds += drawn.seconds
        self.num_steps += 1

    def _measure(self) -> Measurement | None:
        scores = [self._scores[prompt.draw, prompt.order] for prompt in self._prompts]
        self._strategy.prompts = [
            replace(prompt, log_prior=_as_prior(each.facts["log_prior"]))
            for prompt, each in zip(self._prompts, scores, strict=True)
        ]
        self.rung = self._num_rungs
        known = {measurement.rung for measurement in self.folder.measurements()}
        general = {} if self._meter is None else self._meter.values(self.model)
        measurement = measured_once(self.folder, self.rung, scores, self.train_seconds, general, self._meter)
        self._end(
            OutcomeKind.COMPLETE, "1 prompt was scored" if len(scores) == 1 else f"{len(scores)} prompts were scored"
        )
        return measurement if self.rung not in known else None

    def _end(self, kind: OutcomeKind, reason: str) -> None:
        self.outcome = Outcome(
            kind=kind,
            reason=reason if self._answers is None else self._answers.with_missing(reason),
            rung=max(self.rung, 0),
            best_rung=self.rung if kind is OutcomeKind.COMPLETE else None,
            extra={
                "num_prompts": len(self._scores),
                "train_seconds": round(self.train_seconds, 3),
                "num_trained_parameters": 0,
            },
        )


def measured_once(
    folder: TrialFolder,
    rung: int,
    drawn: list[DrawnScores],
    train_seconds: float,
    general: Mapping[str, float],
    meter: ForgettingMeter | None,
) -> Measurement:
    """Write the one measurement of a trial of several draws, at its last rung; the one on disk if there is one.

    `general` is what the meter measured, of several models their mean.
    """
    parts = [as_split_scores(scores) for scores in drawn]
    mean, values = mean_scores(parts), {**mean_scores(parts).values, **spreads(parts)}
    measurement = Measurement(
        rung=rung,
        progress=1.0,
        num_examples=sum(scores.num_examples for scores in drawn),
        num_tokens=0,
        train_seconds=train_seconds,
        timestamp=time.time(),
        values={**{f"validation/{name}": value for name, value in values.items()}, **general},
        constraints={} if meter is None else meter.constraints(general),
    )
    units = mean.units.astype(np.int32)
    write_losses(folder.path, rung, RungLosses(validation=mean.losses, units=units, clusters=mean.clusters))
    known = [each for each in folder.measurements() if each.rung == rung]
    if known:
        return known[0]
    append_line(folder.measurements_file, measurement.to_dict())
    return measurement


def _as_prior(values: list[float] | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(values)
