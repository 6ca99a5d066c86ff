"""Classification by likelihood: demonstrations, the row, and the words of every label as possible answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ftsweep.errors import ConfigError, suggest
from ftsweep.tasks.classification import Classification
from ftsweep.tasks.encoding.tokens import token_ids
from ftsweep.tasks.prompts.prompt_tokens import (
    ANCHOR,
    check_context,
    check_tokenizer,
    continuation_ids,
    cut_texts,
    start_ids,
)
from ftsweep.tasks.prompts.templates import Template

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Values = Mapping[str, Any]
Texts = dict[str, str]

COLUMNS = ("text", "text_pair")
TEMPLATE = "Text: {text}\nLabel: {label}"
PAIR_TEMPLATE = "Text: {text}\nSecond text: {text_pair}\nLabel: {label}"


class LabelPrompts:
    """Prompts whose answer is one of the labels' words.

    `label_ids` are the tokens of each label's words, in the schema's order, as they follow a question.
    """

    def __init__(
        self,
        *,
        task: Classification,
        tokenizer: PreTrainedTokenizerBase,
        schema: Mapping[str, Any],
        template: Template | None,
        separator: str,
        instruction: str,
        label_words: Mapping[str, str],
        max_demonstration_tokens: int | None,
    ) -> None:
        """Raises ConfigError for a template, or words, that do not fit the labels, the columns or the tokenizer."""
        check_tokenizer(tokenizer)
        self._task = task
        self._tokenizer = tokenizer
        self._template = template or default_template(has_pairs=bool(schema.get("has_pairs")))
        self._separator = separator
        self._instruction = instruction
        self._max_demonstration_tokens = max_demonstration_tokens or task.max_length
        self._words = words_of(schema["labels"], label_words)
        self._start = start_ids(tokenizer)
        _check_columns(self._template, has_pairs=bool(schema.get("has_pairs")))
        before = self._template.before_answer or ANCHOR
        self.label_ids = [
            continuation_ids(tokenizer, before, self._template.gap + word, where="strategy.template")
            for word in self._words.values()
        ]
        _check_distinct(self._words, self.label_ids)

    def texts(self, rows: Sequence[Values]) -> list[Texts]:
        """What a question shows of each row, cut to `task.max_length` tokens. Raises RowError."""
        return [self._cut(self._template.texts_of(values), self._task.max_length) for values in rows]

    def content_free(self, text: str) -> Texts:
        """A row that says nothing: the same text in every column."""
        return dict.fromkeys(self._template.columns, text)

    def questions(self, demonstrations: Sequence[Values], texts: Sequence[Texts]) -> list[list[int]]:
        """The tokens of each prompt up to where its answer begins.

        Raises:
            PromptTooLongError: not every row of `task.max_length` tokens would find room behind the demonstrations.
        """
        head = self._head(demonstrations)
        nothing = head + self._template.question(self.content_free(""))
        prompts = [head + self._template.question(each) for each in texts]
        frame, *ids = [self._start + each for each in token_ids(self._tokenizer, [nothing, *prompts], special=False)]
        longest_answer = max(len(label) for label in self.label_ids)
        longest_row = max(self._task.max_length, *(len(each) - len(frame) for each in ids), 0)
        check_context(len(frame), longest_row + longest_answer, k=len(demonstrations), tokenizer=self._tokenizer)
        return ids

    def _head(self, demonstrations: Sequence[Values]) -> str:
        """All that stands before the row's own part."""
        parts = [self._instruction] if self._instruction else []
        for values in demonstrations:
            texts = self._cut(self._template.texts_of(values), self._max_demonstration_tokens)
            parts.append(self._template.demonstration(texts, self._words[self._task.target_of(values)]))
        return "".join(part + self._separator for part in parts)

    def _cut(self, texts: Texts, max_tokens: int) -> Texts:
        return dict(zip(texts, cut_texts(self._tokenizer, list(texts.values()), max_tokens), strict=True))


def default_template(*, has_pairs: bool) -> Template:
    """The template of a sweep that names none."""
    return Template.parse(PAIR_TEMPLATE if has_pairs else TEMPLATE, target="label", columns=COLUMNS)


def words_of(labels: Sequence[str], label_words: Mapping[str, str]) -> dict[str, str]:
    """The words of every label: those given, else the label itself. Raises ConfigError for unknown labels."""
    for label in label_words:
        if label not in labels:
            raise ConfigError(
                f"train has no label {label!r} to give words to",
                where="strategy.label_words",
                remedy=suggest(label, labels),
            )
    return {label: label_words.get(label, label) for label in labels}


def check_label_words(label_words: Mapping[str, str]) -> None:
    """Raise ConfigError for words that are empty, or that two labels share."""
    for label, words in label_words.items():
        if not isinstance(words, str) or not words.strip():
            raise ConfigError(f"the words of label {label!r} are empty", where="strategy.label_words")
    _check_distinct(label_words, [words.strip() for words in label_words.values()])


def _check_distinct(words: Mapping[str, str], answers: Sequence[Any]) -> None:
    labels = list(words)
    for place, answer in enumerate(answers):
        if answer in answers[:place]:
            first = labels[answers.index(answer)]
            raise ConfigError(
                f"labels {first!r} and {labels[place]!r} have the same words, {words[first]!r} and "
                f"{words[labels[place]]!r}: their likelihoods would always be equal",
                where="strategy.label_words",
                remedy="Give each label words of its own.",
            )


def _check_columns(template: Template, *, has_pairs: bool) -> None:
    if has_pairs and "text_pair" not in template.columns:
        what = "the rows have two texts, and the template shows one of them"
        raise ConfigError(what, where="strategy.template", remedy="Name {text} and {text_pair}.")
    if not has_pairs and "text_pair" in template.columns:
        what = "the template names {text_pair}, and the rows have none"
        raise ConfigError(what, where="strategy.template", remedy="Name {text} alone.")
