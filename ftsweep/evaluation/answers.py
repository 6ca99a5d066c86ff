"""What a model answers on rows of a split, and what that scores beside its losses."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ftsweep.domain.sample import Sample
from ftsweep.evaluation.evaluate import SplitScores, autocast
from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.models.device import is_out_of_memory, release_memory
from ftsweep.tasks.answering import Answering
from ftsweep.tasks.base import Task

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ftsweep.evaluation.evaluate import Evaluator

_LOGGER = logging.getLogger(__name__)

Ask = Callable[["PreTrainedModel", Task, Sequence[Mapping[str, Any]], int], list[dict[str, Any]]]
"""How a model is asked rows, in batches of a size: as the strategy does it, or another prompt."""

_BATCH_SIZE = 64  # rows that are answered at once, while memory suffices


@dataclass(frozen=True)
class Answers:
    """What a model answered: on some rows of a split, whose examples are `num_examples`."""

    scores: np.ndarray
    """float32 [examples, metrics of answers]; NaN for rows that were not asked and for what a row does not tell."""
    values: Mapping[str, float]
    """Metric to the mean over rows; without those that no row tells."""
    samples: Sequence[Sample]
    clusters: np.ndarray
    """Of all the split's examples: see `EncodedSplit.clusters`."""
    seconds: float

    def added_to(self, scores: SplitScores) -> SplitScores:
        """What the model scores on the split, with its answers."""
        columns = np.hstack([self.scores, scores.scores]) if scores.scores.size else self.scores
        return replace(scores, values={**scores.values, **self.values}, scores=columns)


class AnswerMeter:
    """Has models answer the same rows and scores them; one for a trial, whose parts it knows.

    When memory runs out it begins anew with half as many rows at once, for good, as training does.
    """

    def __init__(self, parts: TrialParts, answering: Answering, evaluator: Evaluator) -> None:
        self.settings = answering.settings
        self.rungs = frozenset(self.settings.rungs_of(parts.config["rungs"]["count"]))
        self.batch_size = _BATCH_SIZE
        self._parts = parts
        self._answering = answering
        self._evaluator = evaluator
        if answering.judge is not None:
            answering.judge.open(parts.cache / "judged")
        self._num_asked = self._num_unjudged = 0  # answers that a judge was to score, and those that it did not
        self.problem = ""
        """Why, where the judge says so."""
        self._samples: dict[tuple[str, int | None], np.ndarray] = {}

    def at_rung(self, model: PreTrainedModel, *, ask: Ask | None = None) -> Answers:
        """On the rows of validation that every trial is asked."""
        return self._answers(model, "validation", self.settings.rows, ask)

    def of_chosen(self, model: PreTrainedModel, split: str, *, ask: Ask | None = None) -> Answers:
        """On the rows of a split that chosen models are asked."""
        return self._answers(model, split, self.settings.final_rows, ask)

    def with_missing(self, reason: str) -> str:
        """Why a trial ended, with what a judge left out of all answers so far."""
        if not self._num_unjudged:
            return reason
        why = f": {self.problem}" if self.problem else " (the worker's log says why)"
        return f"{reason}; the judge left {self._num_unjudged} of {self._num_asked} answers without a score{why}"

    @property
    def cost(self) -> dict[str, float]:
        """What a judge's scores have cost in this process, as metrics; {} where they cost nothing."""
        judge = self._answering.judge
        return {} if judge is None else {f"judge/{unit}": float(value) for unit, value in judge.cost.items()}

    def time(self, model: PreTrainedModel, *, ask: Ask | None = None) -> dict[str, float]:
        """`answer_seconds`, of one time that the rows are asked, and `num_answered`, how many rows these are."""
        found = self.at_rung(model, ask=ask)
        return {"answer_seconds": found.seconds, "num_answered": len(found.samples)}

    def sample(self, split_name: str, num_rows: int | None) -> np.ndarray:
        """So many examples of a split, sorted: one of each stretch of examples with about equally long answers.

        They depend on the split, the seed and the number alone.
        """
        if (split_name, num_rows) not in self._samples:
            self._samples[split_name, num_rows] = self._drawn(split_name, num_rows)
        return self._samples[split_name, num_rows]

    def _drawn(self, split_name: str, num_rows: int | None) -> np.ndarray:
        split = self._parts.prepared.split(split_name)
        if num_rows is None or num_rows >= len(split):
            return np.arange(len(split))
        generator = np.random.default_rng([self.settings.seed, num_rows, len(split)])
        sizes = np.array([int((split.labels(index) >= 0).sum()) for index in range(len(split))])
        shuffled = generator.permutation(len(split))
        order = shuffled[np.argsort(sizes[shuffled], kind="stable")]
        return np.sort([int(generator.choice(part)) for part in np.array_split(order, num_rows)])

    def ask_as_base(
        self, model: PreTrainedModel, task: Task, rows: Sequence[Mapping[str, Any]], batch_size: int
    ) -> list[dict[str, Any]]:
        """The bare question, whatever the strategy puts before it."""
        return task.predict(model, self._parts.tokenizer, self._parts.prepared.schema, rows, batch_size)

    def _ask_as_strategy(
        self, model: PreTrainedModel, task: Task, rows: Sequence[Mapping[str, Any]], batch_size: int
    ) -> list[dict[str, Any]]:
        parts = self._parts
        return parts.strategy.predict(model, task, parts.tokenizer, parts.prepared.schema, rows, batch_size)

    def _answers(self, model: PreTrainedModel, split_name: str, num_rows: int | None, ask: Ask | None) -> Answers:
        started = time.monotonic()
        split, rows = self._parts.prepared.split(split_name), self._parts.prepared.rows(split_name)
        indices = self.sample(split_name, num_rows)
        places = [split.row_index(int(index)) for index in indices]
        values = [dict(rows[place].values) for place in places]
        texts = self._generated(model, [self._answering.asked(each) for each in values], ask or self._ask_as_strategy)
        found = self._answering.scores(values, texts)
        if self._answering.judge is not None:
            self._num_asked += len(found)
            self._num_unjudged += int(np.isnan(found[:, self._answering.first_judged :]).all(axis=1).sum())
            self.problem = self._answering.judge.problem or self.problem
        scores = np.full((len(split), found.shape[1]), np.nan, np.float32)
        scores[indices] = found
        names = self._answering.columns
        means = {
            name: float(each[np.isfinite(each)].mean())
            for name, each in zip(names, found.T, strict=True)
            if np.isfinite(each).any()
        }
        samples = [
            Sample(place, self._answering.question(row), self._answering.expected(row), text, _told(names, each))
            for place, row, text, each in zip(places, values, texts, found, strict=True)
        ]
        seconds = time.monotonic() - started
        _LOGGER.info("%d answers on %s in %.2f s", len(texts), split_name, seconds)
        return Answers(scores, means, samples, split.clusters(), seconds)

    def _generated(self, model: PreTrainedModel, rows: Sequence[Mapping[str, Any]], ask: Ask) -> list[str]:
        trained = [module for module in model.modules() if module.training]
        try:
            while True:
                try:
                    with torch.no_grad(), autocast(self._evaluator.device, self._evaluator.autocast_dtype):
                        return [each["completion"] for each in ask(model, self._answering.task, rows, self.batch_size)]
                except (RuntimeError, MemoryError) as error:
                    if not is_out_of_memory(error) or self.batch_size == 1:
                        raise
                self.batch_size //= 2
                release_memory(self._evaluator.device)
        finally:
            for module in trained:
                module.training = True


def with_answers(
    scores: SplitScores, model: PreTrainedModel, split: str, answers: AnswerMeter | None, *, ask: Ask | None = None
) -> tuple[SplitScores, Sequence[Sample]]:
    """What a chosen model scores on a split, with what it answers there; without `answers` as it is."""
    if answers is None:
        return scores, ()
    found = answers.of_chosen(model, split, ask=ask)
    return found.added_to(scores), found.samples


def _told(names: Sequence[str], scores: np.ndarray) -> dict[str, float]:
    return {name: float(score) for name, score in zip(names, scores, strict=True) if np.isfinite(score)}
