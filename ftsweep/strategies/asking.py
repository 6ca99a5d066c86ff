"""How a model is asked by prompts: rows and demonstrations into tokens, likelihoods into answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ftsweep.tasks.classification import Classification
from ftsweep.tasks.encoding.tokens import to_predict
from ftsweep.tasks.instruction import Instruction
from ftsweep.tasks.prompts.answer_prompts import AnswerPrompts
from ftsweep.tasks.prompts.label_calibration import (
    Calibration,
    batch_log_prior,
    calibrated,
    contextual_log_prior,
    label_scores,
)
from ftsweep.tasks.prompts.label_likelihood import label_likelihoods
from ftsweep.tasks.prompts.label_prompts import LabelPrompts, Texts
from ftsweep.tasks.prompts.templates import Template

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ftsweep.tasks.base import Task

_TOKENS_PER_ROW = 64  # of a batch of `predict`, whose size is given in rows


@dataclass(frozen=True)
class Prompt:
    """What stands before a row: the demonstrations of one draw in one order, and the bias that they bring."""

    draw: int
    order: int
    demonstrations: tuple[Mapping[str, Any], ...]
    log_prior: tuple[float, ...] | None = None
    """By label, to be divided out; None while it was not measured, and without calibration."""


@dataclass(frozen=True)
class Asking:
    """Everything of a prompt but its demonstrations; `FewShot` says what each setting means."""

    template: Template | None
    separator: str
    instruction: str
    label_words: Mapping[str, str]
    length_normalised: bool
    calibration: Calibration
    content_free: tuple[str, ...]
    max_demonstration_tokens: int | None

    def with_(
        self, task: Task, tokenizer: PreTrainedTokenizerBase, schema: Mapping[str, Any]
    ) -> LabelAsking | AnswerAsking:
        """What asks for this task's answers. Raises ConfigError for words or a template that do not fit its labels."""
        if isinstance(task, Instruction):
            return AnswerAsking(self, task, tokenizer)
        assert isinstance(task, Classification)  # `FewShot.check_task`
        return LabelAsking(self, task, tokenizer, schema)


class LabelAsking:
    """Asks which of the labels' words is likeliest behind a prompt."""

    def __init__(
        self, settings: Asking, task: Classification, tokenizer: PreTrainedTokenizerBase, schema: Mapping[str, Any]
    ) -> None:
        self._settings = settings
        self._task = task
        self._schema = schema
        self._pad_id = int(tokenizer.pad_token_id or 0)
        self.prompts = LabelPrompts(
            task=task,
            tokenizer=tokenizer,
            schema=schema,
            template=settings.template,
            separator=settings.separator,
            instruction=settings.instruction,
            label_words=settings.label_words,
            max_demonstration_tokens=settings.max_demonstration_tokens,
        )

    def log_probs(
        self, model: PreTrainedModel, prompt: Prompt, texts: Sequence[Texts], *, tokens_per_batch: int
    ) -> tuple[torch.Tensor, Prompt]:
        """Log-probabilities [rows, labels], and the prompt with the bias that was divided out.

        A bias that the prompt has already is used as it is, so that a row's answer does not depend on its company.
        """
        settings = self._settings
        scores = self._scores(model, prompt, texts, tokens_per_batch)
        if settings.calibration == "none":
            return calibrated(scores, None), prompt
        if prompt.log_prior is None and settings.calibration == "batch":
            prompt = replace(prompt, log_prior=tuple(batch_log_prior(scores).tolist()))
        elif prompt.log_prior is None:
            empty = [self.prompts.content_free(text) for text in settings.content_free]
            prior = contextual_log_prior(self._scores(model, prompt, empty, tokens_per_batch))
            prompt = replace(prompt, log_prior=tuple(prior.tolist()))
        return calibrated(scores, scores.new_tensor(prompt.log_prior)), prompt

    def predict(
        self, model: PreTrainedModel, prompt: Prompt, rows: Sequence[Mapping[str, Any]], batch_size: int
    ) -> list[dict[str, Any]]:
        """The task's own kind of answers."""
        import torch

        texts = to_predict(lambda values: self.prompts.texts([values])[0], rows)
        with torch.inference_mode():
            found, _ = self.log_probs(model, prompt, texts, tokens_per_batch=_TOKENS_PER_ROW * batch_size)
        return self._task.answers(found, self._schema)

    def _scores(
        self, model: PreTrainedModel, prompt: Prompt, texts: Sequence[Texts], tokens_per_batch: int
    ) -> torch.Tensor:
        questions = self.prompts.questions(prompt.demonstrations, texts)
        label_ids = self.prompts.label_ids
        found = label_likelihoods(model, questions, label_ids, pad_id=self._pad_id, tokens_per_batch=tokens_per_batch)
        return label_scores(found, label_ids, length_normalised=self._settings.length_normalised)


class AnswerAsking:
    """Asks for free text behind a prompt."""

    def __init__(self, settings: Asking, task: Instruction, tokenizer: PreTrainedTokenizerBase) -> None:
        self._task = task
        self._tokenizer = tokenizer
        self.prompts = AnswerPrompts(
            task=task,
            tokenizer=tokenizer,
            template=settings.template,
            separator=settings.separator,
            instruction=settings.instruction,
            max_demonstration_tokens=settings.max_demonstration_tokens,
        )

    def predict(
        self, model: PreTrainedModel, prompt: Prompt, rows: Sequence[Mapping[str, Any]], batch_size: int
    ) -> list[dict[str, Any]]:
        """The task's own kind of answers."""
        questions = to_predict(lambda values: self.prompts.questions(prompt.demonstrations, [values])[0], rows)
        return self._task.generate(model, self._tokenizer, questions, batch_size)
