"""One label for a text: the head is new, the loss is cross-entropy, scores are accuracy and macro-F1."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ftsweep.domain.objective import Direction
from ftsweep.errors import ConfigError, DataError, suggest
from ftsweep.models.base import Head
from ftsweep.tasks.base import IGNORED, Example, LabelShape, RowError, Tally, Task
from ftsweep.tasks.tokens import (
    ROWS_PER_CALL,
    attempt,
    batches_by_length,
    check_fits_tokenizer,
    checked_max_length,
    in_chunks,
    padded,
    text_of,
    to_predict,
    token_ids,
)

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


class Classification(Task):
    """Single-label text classification. Columns `text` and `label` (text, whole numbers or booleans)."""

    head: ClassVar[Head] = "sequence_classification"
    columns = ("text", "label")
    metrics: ClassVar[Mapping[str, Direction]] = {"loss": "minimize", "accuracy": "maximize", "macro_f1": "maximize"}
    label_shape: ClassVar[LabelShape] = "example"
    has_new_head = True

    def __init__(self, *, max_length: int = 128) -> None:
        self.max_length = checked_max_length(max_length)

    def check_columns(self, available: Iterable[str]) -> None:
        found = sorted(set(available))
        missing = [column for column in self.columns if column not in found]
        if missing:
            raise DataError(
                f"classification needs the columns 'text' and 'label'; missing: {', '.join(missing)}; "
                f"found: {', '.join(found) or 'none'}",
                remedy=f"Name yours with data.columns, for example data.columns.{missing[0]}=<its name>",
            )

    def input_text(self, values: Mapping[str, Any]) -> str:
        return str(values.get("text") or "")

    def target_text(self, values: Mapping[str, Any]) -> str:
        return self.stratum(values) or ""

    def stratum(self, values: Mapping[str, Any]) -> str | None:
        label = attempt(label_of, values)
        return None if isinstance(label, RowError) else label

    def learn_schema(self, train_rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Labels in a stable order (numbers by value, else by text) with how often train has each.

        Rows that cannot become an example do not count. Raises DataError for fewer than two labels.
        """
        counts: Counter[str] = Counter()
        problems: Counter[str] = Counter()
        for values in train_rows:
            part = attempt(lambda row: (text_of(row), label_of(row)), values)
            if isinstance(part, RowError):
                problems[str(part)] += 1
            else:
                counts[part[1]] += 1
        if len(counts) < 2:
            most = "".join(problem for problem, _ in problems.most_common(1))
            unusable = f"{problems.total()} rows cannot be used, most often: {most}. "
            raise DataError(
                f"classification needs at least 2 different labels in train, found {len(counts)}"
                + (f" ({next(iter(counts))!r})" if counts else ""),
                remedy=(unusable if problems else "") + "Check the data's `text` and `label` columns",
            )
        labels = _in_label_order(counts)
        return {"labels": labels, "counts": [counts[label] for label in labels]}

    def encode(
        self, rows: Iterable[Mapping[str, Any]], tokenizer: PreTrainedTokenizerBase, schema: Mapping[str, Any]
    ) -> Iterator[Example | RowError | None]:
        self._check_tokenizer(tokenizer)
        ids_by_label = {label: index for index, label in enumerate(schema["labels"])}

        def text_and_label(values: Mapping[str, Any]) -> tuple[str, int]:
            text, label = text_of(values), label_of(values)
            if label not in ids_by_label:
                raise RowError(f"label {label!r} does not occur in train. {suggest(label, ids_by_label)}")
            return text, ids_by_label[label]

        for chunk in in_chunks(rows, ROWS_PER_CALL):
            parts = [attempt(text_and_label, values) for values in chunk]
            texts = [part[0] for part in parts if not isinstance(part, RowError)]
            encoded = iter(self._cut_ids(tokenizer, texts))
            for part in parts:
                if isinstance(part, RowError):
                    yield part
                else:
                    input_ids, was_cut = next(encoded)
                    yield Example(input_ids, [part[1]], was_cut)

    def losses(self, model: PreTrainedModel, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """The cross-entropy of each row, and its predicted label, both of shape [rows]."""
        from torch.nn.functional import cross_entropy

        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.float()
        losses = cross_entropy(logits, batch["labels"], ignore_index=IGNORED, reduction="none")
        return losses, logits.detach().argmax(dim=-1)

    def tally(self, schema: Mapping[str, Any]) -> Tally:
        return ClassificationTally(len(schema["labels"]))

    def prior_scores(self, schema: Mapping[str, Any], labels: Iterable[Sequence[Any]]) -> dict[str, float] | None:
        """Cross-entropy of the train split's label shares, and the scores of always naming its commonest label."""
        counts = schema["counts"]
        total, majority = sum(counts), counts.index(max(counts))
        confusion = [[0] * len(counts) for _ in counts]
        loss = 0.0
        for (label,) in labels:
            loss -= math.log(counts[label] / total)
            confusion[label][majority] += 1
        return _scores(loss, confusion)

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        schema: Mapping[str, Any],
        rows: Sequence[Mapping[str, Any]],
        batch_size: int,
    ) -> list[dict[str, Any]]:
        """`{"label", "probability", "scores": {label: probability}}` per row; rows need `text` only."""
        import torch

        self._check_tokenizer(tokenizer)
        texts = to_predict(text_of, rows)
        encoded = [input_ids for input_ids, _ in self._cut_ids(tokenizer, texts)]
        answers: list[dict[str, Any]] = [{}] * len(rows)
        model.eval()
        device = next(model.parameters()).device
        with torch.inference_mode():
            for indices in batches_by_length([len(ids) for ids in encoded], batch_size):
                batch = padded([encoded[index] for index in indices], tokenizer.pad_token_id, device)
                for index, row in zip(indices, model(**batch).logits.float().softmax(dim=-1).tolist(), strict=True):
                    scores = dict(zip(schema["labels"], row, strict=True))
                    label = max(scores, key=scores.__getitem__)
                    answers[index] = {"label": label, "probability": scores[label], "scores": scores}
        return answers

    def _check_tokenizer(self, tokenizer: PreTrainedTokenizerBase) -> None:
        check_fits_tokenizer(self.max_length, tokenizer)
        num_special = tokenizer.num_special_tokens_to_add()
        if self.max_length <= num_special:
            raise ConfigError(
                f"{self.max_length} tokens leave no room for text beside the tokenizer's {num_special} special tokens",
                where="task.max_length",
            )

    def _cut_ids(self, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> Iterator[tuple[list[int], bool]]:
        """Token ids of each text and whether it was cut; a cut keeps the tokenizer's special tokens."""
        for input_ids, text in zip(token_ids(tokenizer, texts, special=True), texts, strict=True):
            if len(input_ids) <= self.max_length:
                yield input_ids, False
            else:
                cut = tokenizer(text, truncation=True, max_length=self.max_length, return_attention_mask=False)
                yield cut["input_ids"], True


class ClassificationTally(Tally):
    """Sums the loss and a confusion matrix [label, prediction] on the device."""

    def __init__(self, num_labels: int) -> None:
        self._num_labels = num_labels
        self._loss: torch.Tensor | None = None
        self._confusion: torch.Tensor | None = None

    def add(self, losses: torch.Tensor, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> None:
        import torch

        if self._loss is None or self._confusion is None:
            self._loss = torch.zeros((), dtype=torch.float64, device=losses.device)
            self._confusion = torch.zeros(self._num_labels**2, dtype=torch.long, device=losses.device)
        self._loss += losses.detach().double().sum()
        # index_add_ and not bincount: the latter waits for the device to learn its own length.
        labels = batch["labels"]
        cells = labels.clamp(min=0) * self._num_labels + outputs
        self._confusion.index_add_(0, cells, (labels != IGNORED).long())

    def values(self) -> dict[str, float]:
        if self._loss is None or self._confusion is None:
            return _scores(0.0, [[0] * self._num_labels] * self._num_labels)
        return _scores(self._loss.item(), self._confusion.view(self._num_labels, -1).tolist())


def label_of(values: Mapping[str, Any]) -> str:
    """A row's label as text: `1`, `1.0` and `"1"` are one label, true is "true". Raises RowError without one."""
    value = values.get("label")
    if isinstance(value, str):
        value = value.strip()
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        raise RowError("'label' is missing or empty")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, str | int):
        raise RowError(f"'label' is {value!r}; a label is text, a whole number or a boolean")
    return str(value)


def _in_label_order(labels: Iterable[str]) -> list[str]:
    known = list(labels)
    if all(_NUMBER.fullmatch(label) for label in known):
        return sorted(known, key=lambda label: (float(label), label))
    return sorted(known)


def _scores(loss: float, confusion: Sequence[Sequence[int]]) -> dict[str, float]:
    """Metrics from the summed loss and a confusion matrix [label, prediction]; NaN when it is empty.

    Macro-F1 is the mean over all labels of the schema of 2 tp / (2 tp + fp + fn), 0 where that is 0 / 0.
    """
    num_rows = sum(sum(row) for row in confusion)
    if num_rows == 0:
        return {"loss": math.nan, "accuracy": math.nan, "macro_f1": math.nan}
    hits = [confusion[label][label] for label in range(len(confusion))]
    # supports + predictions of a label = 2 tp + fp + fn
    sizes = [sum(confusion[label]) + sum(row[label] for row in confusion) for label in range(len(confusion))]
    f1 = [2 * hit / size if size else 0.0 for hit, size in zip(hits, sizes, strict=True)]
    return {"loss": loss / num_rows, "accuracy": sum(hits) / num_rows, "macro_f1": math.fsum(f1) / len(f1)}
