"""What a model that is asked by prompts scores on a split, with the task's own metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ftsweep.data.encoded import EncodedSplit
from ftsweep.data.prepared import PreparedSet
from ftsweep.errors import DataError
from ftsweep.evaluation.answers import Ask
from ftsweep.evaluation.evaluate import Evaluator, SplitScores, as_numbers, autocast
from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.strategies.asking import AnswerAsking, LabelAsking, Prompt
from ftsweep.strategies.few_shot import FewShot
from ftsweep.tasks.base import RowError, Task
from ftsweep.tasks.prompts.answer_likelihood import answer_losses

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class AskedRows:
    """The rows behind a split's examples, in their order, and the examples' labels."""

    values: list[dict[str, Any]]
    labels: list[int]
    """One per example; zeros where a task has no classes."""
    num_bytes: list[int]
    """One per example: see `EncodedSplit.num_bytes`."""
    clusters: np.ndarray
    """See `EncodedSplit.clusters`."""

    def __len__(self) -> int:
        return len(self.values)

    def some(self, most: int) -> AskedRows:
        """At most so many rows, taken evenly from all over."""
        step = max(1, len(self) // most)
        return AskedRows(self.values[::step], self.labels[::step], self.num_bytes[::step], self.clusters[::step])


def rows_of(prepared: PreparedSet, split_name: str, task: Task) -> AskedRows:
    """The raw rows of a split's examples."""
    split, rows = prepared.split(split_name), prepared.rows(split_name)
    values = [dict(rows[split.row_index(index)].values) for index in range(len(split))]
    num_bytes = [split.num_bytes(index) for index in range(len(split))]
    return AskedRows(values, class_labels(split, task), num_bytes, split.clusters())


def class_labels(split: EncodedSplit, task: Task) -> list[int]:
    """The class of every example; zeros for tasks without classes."""
    if task.label_shape != "example" or task.label_type != "int":
        return [0] * len(split)
    return [int(split.labels(index)[0]) for index in range(len(split))]


class PromptScorer:
    """Scores prompts on rows; one for all prompts of a trial."""

    def __init__(self, parts: TrialParts, strategy: FewShot, model: PreTrainedModel, evaluator: Evaluator) -> None:
        self._parts = parts
        self._strategy = strategy
        self._task = parts.task
        self._schema = parts.prepared.schema
        self._model = model
        self._evaluator = evaluator
        self._asking = strategy.asking(parts.task, parts.tokenizer, parts.prepared.schema)

    def score(self, prompt: Prompt, rows: AskedRows) -> tuple[SplitScores, Prompt]:
        """Metrics and losses on these rows, and the prompt with the bias that was divided out.

        Raises:
            PromptTooLongError: the demonstrations leave no room for a row.
            DataError: a row has not what the template shows.
        """
        self._model.eval()
        asking = self._asking
        try:
            if isinstance(asking, LabelAsking):
                return self._evaluator.in_batches_that_fit(lambda: self._score_labels(asking, prompt, rows))
            return self._evaluator.in_batches_that_fit(lambda: self._score_answers(asking, prompt, rows)), prompt
        except RowError as error:
            raise DataError(f"a row cannot be asked: {error}", where="strategy.template") from error

    def asking(self, prompt: Prompt) -> Ask:
        """A way to have rows answered behind a prompt."""

        def ask(
            model: PreTrainedModel, task: Task, rows: Sequence[Mapping[str, Any]], batch_size: int
        ) -> list[dict[str, Any]]:
            return self._strategy.asking(task, self._parts.tokenizer, self._schema).predict(
                model, prompt, rows, batch_size
            )

        return ask

    @torch.no_grad()
    def _score_labels(self, asking: LabelAsking, prompt: Prompt, rows: AskedRows) -> tuple[SplitScores, Prompt]:
        evaluator = self._evaluator
        texts = asking.prompts.texts(rows.values)
        with autocast(evaluator.device, evaluator.autocast_dtype):
            log_probs, measured = asking.log_probs(
                self._model, prompt, texts, tokens_per_batch=evaluator.tokens_per_batch
            )
        labels = torch.tensor(rows.labels, device=log_probs.device)
        losses = -log_probs.gather(1, labels[:, None]).squeeze(1)
        tally = self._task.tally(self._schema)
        tally.add(losses, log_probs, {"labels": labels})
        row_scores = self._task.row_scores(log_probs, {"labels": labels}, self._schema)
        scores = SplitScores(
            values=as_numbers(self._task, tally.values()),
            losses=losses.float().cpu().numpy(),
            units=self._task.row_units(labels).cpu().numpy(),
            details=tally.details(),
            scores=_as_array(row_scores, len(rows)),
            clusters=rows.clusters,
        )
        return scores, measured

    @torch.no_grad()
    def _score_answers(self, asking: AnswerAsking, prompt: Prompt, rows: AskedRows) -> SplitScores:
        evaluator, tally = self._evaluator, self._task.tally(self._schema)
        examples = asking.prompts.examples(prompt.demonstrations, rows.values)
        losses, units = np.empty(len(rows), np.float32), np.empty(len(rows), np.int64)
        with autocast(evaluator.device, evaluator.autocast_dtype):
            for batch in answer_losses(
                self._model,
                examples,
                pad_id=evaluator.pad_token_id,
                tokens_per_batch=evaluator.tokens_per_batch,
            ):
                num_bytes = torch.tensor([rows.num_bytes[row] for row in batch.rows], device=batch.labels.device)
                tally.add(batch.losses, batch.num_correct, {"labels": batch.labels, "num_bytes": num_bytes})
                losses[batch.rows] = batch.losses.float().cpu().numpy()
                units[batch.rows] = self._task.row_units(batch.labels).cpu().numpy()
        scores = np.array(rows.num_bytes, np.float32)[:, None]
        values = as_numbers(self._task, tally.values())
        return SplitScores(values, losses, units, tally.details(), scores, rows.clusters)


def _as_array(row_scores: torch.Tensor | None, num_rows: int) -> np.ndarray:
    """`Task.row_scores` as it is kept: float32 [rows, n], n = 0 without any."""
    return np.empty((num_rows, 0), np.float32) if row_scores is None else row_scores.float().cpu().numpy()
