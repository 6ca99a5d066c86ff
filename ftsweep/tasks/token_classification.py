"""A tag for every word: named entities in BIO, scored by whole entities."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ftsweep.data.files.text_words import are_parted
from ftsweep.domain.metric import LOSS, Metric, Metrics, dependent, right_answers
from ftsweep.errors import ConfigError, DataError, suggest
from ftsweep.models.base import Head
from ftsweep.tasks.base import IGNORED, Example, LabelShape, RowError, Tally, Task
from ftsweep.tasks.encoding.bio import break_in, counts_by_row, labels_of, type_of, types_of
from ftsweep.tasks.encoding.labels import checked_switch, written
from ftsweep.tasks.encoding.tagged import MISSED, answer_of, example_of, text_of, words_and_tags_of, words_of
from ftsweep.tasks.encoding.tokens import (
    ROWS_PER_CALL,
    attempt,
    batches_by_length,
    check_fits_tokenizer,
    checked_max_length,
    in_chunks,
    padded,
    to_predict,
)
from ftsweep.tasks.encoding.words import SubWords, WordTokenizer
from ftsweep.tasks.scores.entity_tally import EntityTally

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class TokenClassification(Task):
    """One BIO tag per word. Columns `tokens` (words) and `tags` (`O`, `B-<type>`, `I-<type>`), lists of one length.

    A word's first sub-word is scored, all other tokens are not. Entities that an I begins are read as the scorer reads
    them, and learned in valid BIO. Words beyond `max_length` are neither learned nor measured, but for the entities
    they belong to: those count as not found. Answers cover every word: longer rows are answered in pieces. With
    `fold_labels` types that differ in case, spaces or the form of their characters are one.
    """

    head: ClassVar[Head] = "token_classification"
    is_model_input = True
    columns = ("tokens", "tags", "text")  # text: what to predict may be given unsplit
    metrics: ClassVar[Metrics] = dependent(
        {
            "f1": right_answers(is_readable=True),
            "precision": Metric("maximize", 0, 1),
            "recall": Metric("maximize", 0, 1),
            # Of the words that a cut leaves:
            **dependent({"token_accuracy": right_answers(), "loss": LOSS}, "max_length"),
        },
        "fold_labels",
    )
    label_shape: ClassVar[LabelShape] = "token"
    has_new_head = True

    def __init__(self, *, max_length: int = 128, fold_labels: bool = False) -> None:
        self.max_length = checked_max_length(max_length)
        self.fold_labels = checked_switch(fold_labels, "task.fold_labels")

    def check_columns(self, available: Iterable[str]) -> None:
        found = sorted(set(available))
        missing = [column for column in ("tokens", "tags") if column not in found]
        if missing:
            raise DataError(
                f"token_classification needs the columns 'tokens' and 'tags'; missing: {', '.join(missing)}; "
                f"found: {', '.join(found) or 'none'}",
                remedy=f"Name yours with data.columns, for example data.columns.{missing[0]}=<its name>",
            )

    def input_text(self, values: Mapping[str, Any]) -> str:
        words = values.get("tokens") or values.get("text") or ""
        return words if isinstance(words, str) else " ".join(map(str, _items(words)))

    def target_text(self, values: Mapping[str, Any]) -> str:
        return " ".join(map(str, _items(values.get("tags"))))

    def without_target(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The words, or the text when there are no words."""
        name = "text" if values.get("tokens") is None else "tokens"
        return {name: values[name]} if values.get(name) is not None else {}

    def labels_in(self, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The types of a row's entities."""
        parts = attempt(self._parts, values)
        if isinstance(parts, RowError):
            return []
        kinds = [(type_of(tag), type_of(raw)) for tag, raw in zip(parts[1], values["tags"], strict=True)]
        return [(kind, written(raw)) for kind, raw in kinds if kind is not None]

    def row_problem(self, values: Mapping[str, Any]) -> str | None:
        """Where a usable row breaks the BIO rule, in words; None when it does not."""
        parts = attempt(self._parts, values)
        return None if isinstance(parts, RowError) else break_in(parts[1])

    def learn_schema(self, train_rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Labels, O first, then B and I of every type by name, with the number of train words that have each.

        `parts_signs` is there, and true, where signs of sentences are words of their own in train.

        Rows that cannot become an example do not count. Raises DataError when no row has an entity.
        """
        counts: Counter[str] = Counter()
        problems: Counter[str] = Counter()
        words: Counter[str] = Counter()
        for values in train_rows:
            part = attempt(self._parts, values)
            if isinstance(part, RowError):
                problems[str(part)] += 1
            else:
                counts.update(part[1])
                words.update(part[0])
        types = {kind for tag in counts if (kind := type_of(tag)) is not None}
        if not types:
            most = "".join(problem for problem, _ in problems.most_common(1))
            unusable = f"{problems.total()} rows cannot be used, most often: {most}. " if problems else ""
            classes = "; to learn a class of each word (its part of speech), write B- before each: B-NOUN"
            raise DataError(
                "token_classification needs entities in train, and found none",
                remedy=f"{unusable}Check the data's `tokens` and `tags` columns{classes if 'BIO' in most else ''}",
            )
        labels = labels_of(types)
        schema = {"labels": labels, "counts": [counts[label] for label in labels]}
        return schema | ({"parts_signs": True} if are_parted(words) else {})

    def encode(
        self, rows: Iterable[Mapping[str, Any]], tokenizer: PreTrainedTokenizerBase, schema: Mapping[str, Any]
    ) -> Iterator[Example | RowError | None]:
        word_tokenizer = self._word_tokenizer(tokenizer)
        ids_by_label = {label: index for index, label in enumerate(schema["labels"])}

        def words_and_ids(values: Mapping[str, Any]) -> tuple[list[str], np.ndarray]:
            words, tags = self._parts(values)
            for tag in tags:
                if tag not in ids_by_label:
                    known = types_of(schema["labels"])
                    raise RowError(f"entity type {tag[2:]!r} does not occur in train. {suggest(tag[2:], known)}")
            return words, np.array([ids_by_label[tag] for tag in tags])

        for chunk in in_chunks(rows, ROWS_PER_CALL):
            parts = [attempt(words_and_ids, values) for values in chunk]
            words = [part[0] for part in parts if not isinstance(part, RowError)]
            encoded = word_tokenizer.encode(words, self.max_length)
            for part in parts:
                yield part if isinstance(part, RowError) else example_of(next(encoded), part[1])

    def row_units(self, labels: torch.Tensor) -> torch.Tensor:
        """Scored words of each row."""
        return (labels >= 0).sum(dim=1)

    def losses(self, model: PreTrainedModel, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """The cross-entropy summed over each row's scored words, [rows], and the likeliest ids, [rows, length]."""
        from torch.nn.functional import cross_entropy

        from ftsweep.tasks.padding import needed_mask

        with needed_mask(model, batch["attention_mask"]) as mask:
            logits = model(input_ids=batch["input_ids"], attention_mask=mask).logits.float()
        targets = batch["labels"].masked_fill(batch["labels"] < 0, IGNORED)
        losses = cross_entropy(logits.transpose(1, 2), targets, ignore_index=IGNORED, reduction="none")
        return losses.sum(dim=1), logits.detach().argmax(dim=-1)

    def row_scores(
        self, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor], schema: Mapping[str, Any]
    ) -> torch.Tensor | None:
        """Right, predicted and true entities of each row, and its scored and right words, [rows, 5]."""
        import torch

        labels, guesses = (each.cpu().numpy().astype(np.int64) for each in (batch["labels"], outputs))
        is_word = labels >= 0
        counts = counts_by_row(labels, guesses, int(max(labels.max(), guesses.max(), 0)) // 2 + 1)
        counts[:, 2] += np.where(labels < MISSED, MISSED - labels, 0).sum(axis=1)
        words = np.stack([is_word.sum(axis=1), (is_word & (labels == guesses)).sum(axis=1)], axis=1)
        return torch.from_numpy(np.concatenate([counts, words], axis=1))

    def resampled_scores(
        self, losses: np.ndarray, units: np.ndarray, scores: np.ndarray, weights: np.ndarray
    ) -> dict[str, np.ndarray]:
        found = super().resampled_scores(losses, units, scores, weights)
        if scores.shape[1] != 5:
            return found
        right, predicted, true, words, right_words = (weights @ scores.astype(np.float64)).T
        return found | {
            "precision": right / np.maximum(predicted, 1),
            "recall": right / np.maximum(true, 1),
            "f1": 2 * right / np.maximum(predicted + true, 1),
            "token_accuracy": right_words / np.maximum(words, 1),
        }

    def tally(self, schema: Mapping[str, Any]) -> Tally:
        return EntityTally(types_of(schema["labels"]))

    def prior_scores(self, schema: Mapping[str, Any], labels: Iterable[Sequence[Any]]) -> dict[str, float] | None:
        """Cross-entropy of the train split's label shares, each counted once more so that none is 0; and O for all."""
        counts = [count + 1 for count in schema["counts"]]
        weights = [-math.log(count / sum(counts)) for count in counts]
        scored = Counter(label for row in labels for label in row if label >= 0)
        num_words = scored.total()
        loss = math.fsum(weights[label] * count for label, count in scored.items())
        return {
            "loss": loss / num_words if num_words else math.nan,
            "f1": 0.0,
            "precision": 0.0,
            "recall": 0.0,
            "token_accuracy": scored[0] / num_words if num_words else math.nan,
        }

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        schema: Mapping[str, Any],
        rows: Sequence[Mapping[str, Any]],
        batch_size: int,
    ) -> list[dict[str, Any]]:
        """`{"tags": [...], "entities": [{"type", "start", "end", "text", "probability"}]}` per row.

        Rows have `tokens`, or `text`, which is split on white space and, where train's words are so, around signs; the
        answer has its `tokens` then. `start` and `end` count words, `end` is the first
        word behind; the probability is that of all its words' tags, taken one by one. Tags are valid BIO; a word that
        the tokenizer drops gets the tag of what is around it.
        """
        word_tokenizer = self._word_tokenizer(tokenizer)
        parts_signs = bool(schema.get("parts_signs"))
        questions = to_predict(lambda values: words_of(values, parts_signs=parts_signs), rows)
        pieces = [
            (row, start, stop)
            for row, words in enumerate(questions)
            for start, stop in word_tokenizer.pieces(words, self.max_length)
        ]
        encoded = list(
            word_tokenizer.encode([questions[row][start:stop] for row, start, stop in pieces], self.max_length)
        )
        ids = [np.full(len(words), -1) for words in questions]  # -1: a word without a token
        probabilities = [np.ones(len(words)) for words in questions]
        for index, probability, label in _likeliest(model, tokenizer.pad_token_id, encoded, batch_size):
            row, start, _ = pieces[index]
            for word, position in enumerate(encoded[index].positions):
                if position is not None:
                    ids[row][start + word] = label[position]
                    probabilities[row][start + word] = probability[position]
        return [
            {
                **({"tokens": words} if (text := text_of(values)) is not None else {}),
                **answer_of(words, row_ids, row_probabilities, schema["labels"], text),
            }
            for values, words, row_ids, row_probabilities in zip(rows, questions, ids, probabilities, strict=True)
        ]

    def _parts(self, values: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """A row's words and tags. Raises RowError where they are none."""
        return words_and_tags_of(values, fold=self.fold_labels)

    def _word_tokenizer(self, tokenizer: PreTrainedTokenizerBase) -> WordTokenizer:
        check_fits_tokenizer(self.max_length, tokenizer)
        num_special = tokenizer.num_special_tokens_to_add()
        if self.max_length <= num_special:
            raise ConfigError(
                f"{self.max_length} tokens leave no room for words beside the tokenizer's {num_special} special tokens",
                where="task.max_length",
            )
        return WordTokenizer(tokenizer)


def _items(value: Any) -> Sequence[Any]:
    """The items of a list; of anything else none. What is wrong with them `encode` says."""
    return value if isinstance(value, list | tuple) else ()


def _likeliest(
    model: PreTrainedModel, pad_id: int, rows: Sequence[SubWords], batch_size: int
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Per row its index, and per token the likeliest label's probability and id."""
    import torch

    model.eval()
    device = next(model.parameters()).device
    shown = [index for index, row in enumerate(rows) if row.input_ids]
    with torch.inference_mode():
        for places in batches_by_length([len(rows[index].input_ids) for index in shown], batch_size):
            indices = [shown[place] for place in places]
            batch = padded([rows[index].input_ids for index in indices], pad_id, device)
            best = model(**batch).logits.float().softmax(dim=-1).max(dim=-1)
            yield from zip(indices, best.values.cpu().numpy(), best.indices.cpu().numpy(), strict=True)
