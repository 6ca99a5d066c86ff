"""In-context learning: nothing trains; k examples stand before each row, and the model's likelihoods are the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ftsweep.data.subsets.draws import Draws, Per, orderings
from ftsweep.errors import ConfigError, ModelError
from ftsweep.store.atomic import read_json, write_json
from ftsweep.strategies.asking import AnswerAsking, Asking, LabelAsking, Prompt
from ftsweep.strategies.base import Strategy
from ftsweep.tasks.classification import Classification
from ftsweep.tasks.encoding.labels import label_text
from ftsweep.tasks.instruction import Instruction
from ftsweep.tasks.prompts import answer_prompts, label_prompts
from ftsweep.tasks.prompts.templates import Template

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ftsweep.models.base import Head
    from ftsweep.tasks.base import Task

PROMPTS = "few_shot.json"
CONTENT_FREE = ("N/A", "[MASK]", "")
"""Rows that say nothing, as Zhao et al. (2021), "Calibrate Before Use", chose them."""


class FewShot(Strategy):
    """A prompt with demonstrations from train; each of the labels' words, or the row's answer, is scored behind it.

    Args:
        k: demonstrations; of every label, or in all (`per`). 0 asks without any.
        per: `class` or `total`; null is class for classification and total for instruction.
        draws: how many different draws of demonstrations are measured. A trial's value is the mean over them.
        draw: the number of the first one.
        orders: in how many orders each draw's demonstrations are put; all of them are measured.
        template: `Text: {text}\\nLabel: {label}`; for instruction with `{prompt}` and `{completion}`. Null is that one,
            and the turns of a conversation for instruction.
        separator: what stands between demonstrations; null is an empty line.
        instruction: a text before all demonstrations, in a conversation the system message; null is none.
        label_words: what the model is to say for a label, by label; the others are said as they are called.
        length_normalised: compare the mean log-probability of a label's tokens, not their sum.
        calibration: `none`; `contextual`, by rows that say nothing; `batch`, by the mean over the validation rows.
            Null is contextual for classification.
        content_free: the rows that say nothing; null is `N/A`, `[MASK]` and the empty text.
        max_demonstration_tokens: tokens of a demonstration's texts together; null is `task.max_length`.
    """

    changes_base: ClassVar[bool] = False
    starts_as_base = True
    moves_weights: ClassVar[bool] = False
    trains: ClassVar[bool] = False
    is_reference: ClassVar[bool] = True
    takes_few: ClassVar[bool] = True
    run: ClassVar[str] = "ftsweep.training.runs.few_shot:FewShotRun"

    def __init__(
        self,
        *,
        k: int = 1,
        per: Literal["class", "total"] | None = None,
        draws: int = 5,
        draw: int = 0,
        orders: int = 1,
        template: str | None = None,
        separator: str | None = None,
        instruction: str | None = None,
        label_words: dict[str, str] | None = None,
        length_normalised: bool = True,
        calibration: Literal["none", "contextual", "batch"] | None = None,
        content_free: list[str] | None = None,
        max_demonstration_tokens: int | None = None,
    ) -> None:
        Draws(k=k, per=per or "total", num=draws, first=draw)
        self.k, self.per, self.num_draws, self.draw = k, per, draws, draw
        self.orders = _at_least_one(orders, "orders")
        self.template = None if template is None else _parsed(template)
        self.separator = separator
        self.instruction = instruction
        self.label_words = {label_text(label): words for label, words in (label_words or {}).items()}
        label_prompts.check_label_words(self.label_words)
        self.length_normalised = length_normalised
        if calibration not in (None, "none", "contextual", "batch"):
            what = f"{calibration!r} is no calibration"
            raise ConfigError(what, where="strategy.calibration", remedy="Known: none, contextual, batch.")
        self.calibration = calibration
        if content_free is not None and not content_free:
            raise ConfigError("at least one input is needed", where="strategy.content_free", remedy='Such as ["N/A"].')
        self.content_free = content_free
        if max_demonstration_tokens is not None:
            _at_least_one(max_demonstration_tokens, "max_demonstration_tokens")
        self.max_demonstration_tokens = max_demonstration_tokens
        self.prompts: list[Prompt] = []
        """What was chosen, or restored: what this strategy has in the place of trained weights."""

    def head_for(self, task: Task) -> Head:
        return "causal_lm"

    def check_task(self, task: Task) -> None:
        if isinstance(task, Classification):
            self._check_template("label", "classification")
        elif isinstance(task, Instruction):
            self._check_template(answer_prompts.TARGET, "instruction")
            self._check_answers()
        else:
            raise ConfigError(
                f"few_shot answers classification and instruction, not {type(task).__name__}",
                where="strategy",
                remedy="Choose task=classification or task=instruction, or a strategy that trains.",
            )

    def check_data(self, task: Task, tokenizer: PreTrainedTokenizerBase, schema: Mapping[str, Any]) -> None:
        self.asking(task, tokenizer, schema)

    def draws_for(self, task: Task) -> Draws:
        """The draws of this task's demonstrations."""
        per: Per = self.per or ("class" if isinstance(task, Classification) else "total")
        return Draws(k=self.k, per=per, num=self.num_draws, first=self.draw)

    def choose(self, task: Task, labels: Sequence[int], seeds: Sequence[int]) -> list[tuple[int, int, list[int]]]:
        """Every prompt's draw, order and train examples, by their indices; `labels` are those of all of train.

        Raises:
            TooFewExamplesError: train has too few examples, or too few of a label.
        """
        draws = self.draws_for(task)
        return [
            (draw, order, indices)
            for draw in draws.numbers
            for order, indices in enumerate(
                orderings(draws.examples(labels, draw=draw, seeds=seeds), orders=self.orders, draw=draw, seeds=seeds)
            )
        ]

    def asking(
        self, task: Task, tokenizer: PreTrainedTokenizerBase, schema: Mapping[str, Any]
    ) -> LabelAsking | AnswerAsking:
        """What asks for this task's answers. Raises ConfigError for words or a template that do not fit its labels."""
        return Asking(
            template=self.template,
            separator="\n\n" if self.separator is None else self.separator,
            instruction=self.instruction or "",
            label_words=self.label_words,
            length_normalised=self.length_normalised,
            calibration=self.calibration or ("contextual" if isinstance(task, Classification) else "none"),
            content_free=CONTENT_FREE if self.content_free is None else tuple(self.content_free),
            max_demonstration_tokens=self.max_demonstration_tokens,
        ).with_(task, tokenizer, schema)

    def apply(self, base: PreTrainedModel, head: Head) -> PreTrainedModel:
        return base.requires_grad_(False)

    def remove(self, model: PreTrainedModel) -> PreTrainedModel:
        return model

    def set_training(self, model: PreTrainedModel) -> None:
        model.eval()

    def save(self, model: PreTrainedModel, folder: Path) -> None:
        """Write the chosen prompts: nothing else makes this model another than its base."""
        write_json(folder / PROMPTS, {"prompts": [asdict(prompt) for prompt in self.prompts]})

    def restore(self, model: PreTrainedModel, folder: Path) -> None:
        path = folder / PROMPTS
        try:
            self.prompts = [_prompt(entry) for entry in read_json(path)["prompts"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"cannot be read as the prompts of a few-shot model: {error}", where=str(path)) from error
        if not self.prompts:
            raise ModelError("holds no prompt", where=str(path))

    def predict(
        self,
        model: PreTrainedModel,
        task: Task,
        tokenizer: PreTrainedTokenizerBase,
        schema: Mapping[str, Any],
        rows: Sequence[Mapping[str, Any]],
        batch_size: int,
    ) -> list[dict[str, Any]]:
        """The task's own kind of answers, with the first draw's prompt."""
        model.eval()
        return self.asking(task, tokenizer, schema).predict(model, self.prompts[0], rows, batch_size) if rows else []

    def _check_template(self, target: str, task: str) -> None:
        if self.template is not None and self.template.target != target:
            raise ConfigError(
                f"a template of {task} names {{{target}}}, not {{{self.template.target}}}", where="strategy.template"
            )

    def _check_answers(self) -> None:
        """Refuse what has no meaning where answers are free text."""
        without = "instruction has no labels"
        turns = "without a template the demonstrations are turns of a conversation"
        for key, is_set, why in (
            ("per", self.per == "class", without),
            ("label_words", bool(self.label_words), without),
            ("calibration", self.calibration not in (None, "none"), without),
            ("content_free", self.content_free is not None, without),
            ("length_normalised", not self.length_normalised, "the loss of an answer is a mean over its tokens anyway"),
            ("separator", self.separator is not None and self.template is None, turns),
        ):
            if is_set:
                raise ConfigError(f"this has no meaning here: {why}", where=f"strategy.{key}", remedy="Leave it out.")


def _parsed(template: str) -> Template:
    """The template of whichever task it is for."""
    if "{" + answer_prompts.TARGET in template:
        return Template.parse(template, target=answer_prompts.TARGET, columns=answer_prompts.COLUMNS)
    return Template.parse(template, target="label", columns=label_prompts.COLUMNS)


def _prompt(entry: Mapping[str, Any]) -> Prompt:
    prior = entry["log_prior"]
    return Prompt(
        draw=entry["draw"],
        order=entry["order"],
        demonstrations=tuple(entry["demonstrations"]),
        log_prior=None if prior is None else tuple(prior),
    )


def _at_least_one(value: int, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"must be a whole number of at least 1, not {value!r}", where=f"strategy.{name}")
    return value
