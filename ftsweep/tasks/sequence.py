"""What tasks with one answer per text share: a text or a pair of texts, encoded, and a new head that scores it."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ftsweep.errors import ConfigError, DataError
from ftsweep.models.base import Head
from ftsweep.models.inner import num_virtual_tokens, transformers_model
from ftsweep.tasks.base import Example, RowError, Task
from ftsweep.tasks.encoding.tokens import (
    ROWS_PER_CALL,
    attempt,
    batches_by_length,
    check_fits_tokenizer,
    checked_max_length,
    in_chunks,
    padded,
    text_in,
    to_predict,
)

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Texts = tuple[str, ...]
"""One text, or two that are read together."""
Labels = Sequence[int] | Sequence[float]


class SequenceTask(Task):
    """A task that answers a text, or a pair of texts, with the outputs of one head.

    Columns `text`, `text_pair` (optional: in all rows or in none) and `target`. The schema says `has_pairs` when train
    rows have two texts.
    """

    head: ClassVar[Head] = "sequence_classification"
    has_new_head = True
    is_model_input = True
    phrase: ClassVar[str]
    """The task's name in messages."""
    target: ClassVar[str]
    """The column of the answer."""

    def __init__(self, *, max_length: int) -> None:
        self.max_length = checked_max_length(max_length)

    @abstractmethod
    def target_of(self, values: Mapping[str, Any]) -> Any:
        """The row's checked target. Raises RowError when it has none that can be used."""

    @abstractmethod
    def target_encoder(self, schema: Mapping[str, Any]) -> Callable[[Any], Labels]:
        """Makes an example's labels of a target; the function raises RowError where the schema has no place for it."""

    @abstractmethod
    def answers(self, logits: torch.Tensor, schema: Mapping[str, Any]) -> list[dict[str, Any]]:
        """One JSON-able answer per row of the head's outputs [rows, outputs], float32."""

    def check_columns(self, available: Iterable[str]) -> None:
        found = sorted(set(available))
        missing = [column for column in ("text", self.target) if column not in found]
        if missing:
            raise DataError(
                f"{self.phrase} needs the columns 'text' and {self.target!r}; missing: {', '.join(missing)}; "
                f"found: {', '.join(found) or 'none'}",
                remedy=f"Name yours with data.columns, for example data.columns.{missing[0]}=<its name>",
            )

    def input_text(self, values: Mapping[str, Any]) -> str:
        texts = [str(values.get(column) or "") for column in ("text", "text_pair")]
        return "\n".join(texts) if texts[1] else texts[0]

    def target_text(self, values: Mapping[str, Any]) -> str:
        return self.stratum(values) or ""

    def without_target(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name in ("text", "text_pair") if (value := values.get(name)) is not None}

    def usable_targets(self, train_rows: Iterable[Mapping[str, Any]]) -> tuple[list[Any], dict[str, bool], str]:
        """Targets of the rows that can become examples, what the schema says of pairs, and why others cannot."""
        rows = list(train_rows)
        has_pairs = any(_has_pair(values) for values in rows)
        found: list[Any] = []
        problems: Counter[str] = Counter()
        for values in rows:
            part = attempt(lambda row: (texts_of(row, has_pairs=has_pairs), self.target_of(row)), values)
            if isinstance(part, RowError):
                problems[str(part)] += 1
            else:
                found.append(part[1])
        most = "".join(problem for problem, _ in problems.most_common(1))
        why = f"{problems.total()} rows cannot be used, most often: {most}. " if problems else ""
        return found, {"has_pairs": True} if has_pairs else {}, why

    def encode(
        self, rows: Iterable[Mapping[str, Any]], tokenizer: PreTrainedTokenizerBase, schema: Mapping[str, Any]
    ) -> Iterator[Example | RowError | None]:
        has_pairs = bool(schema.get("has_pairs"))
        check_room(self.max_length, tokenizer, has_pairs=has_pairs)

        labels_of = self.target_encoder(schema)

        def parts_of(values: Mapping[str, Any]) -> tuple[Texts, Labels]:
            return texts_of(values, has_pairs=has_pairs), labels_of(self.target_of(values))

        for chunk in in_chunks(rows, ROWS_PER_CALL):
            parts = [attempt(parts_of, values) for values in chunk]
            texts = [part[0] for part in parts if not isinstance(part, RowError)]
            encoded = iter(cut_ids(tokenizer, texts, self.max_length))
            for part in parts:
                if isinstance(part, RowError):
                    yield part
                else:
                    input_ids, was_cut = next(encoded)
                    yield Example(input_ids, part[1], was_cut)

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        schema: Mapping[str, Any],
        rows: Sequence[Mapping[str, Any]],
        batch_size: int,
    ) -> list[dict[str, Any]]:
        import torch

        has_pairs = bool(schema.get("has_pairs"))
        check_room(self.max_length, tokenizer, has_pairs=has_pairs)
        texts = to_predict(lambda values: texts_of(values, has_pairs=has_pairs), rows)
        encoded = [input_ids for input_ids, _ in cut_ids(tokenizer, texts, self.max_length)]
        found: list[dict[str, Any]] = [{}] * len(rows)
        model.eval()
        device = next(model.parameters()).device
        with torch.inference_mode():
            for indices in batches_by_length([len(ids) for ids in encoded], batch_size):
                batch = padded([encoded[index] for index in indices], tokenizer.pad_token_id, device)
                for index, answer in zip(indices, self.answers(head_outputs(model, batch), schema), strict=True):
                    found[index] = answer
        return found


def texts_of(values: Mapping[str, Any], *, has_pairs: bool) -> Texts:
    """A row's text, and its pair where rows have pairs. Raises RowError for one too few or one too many."""
    if has_pairs:
        return text_in(values, "text"), text_in(values, "text_pair")
    if _has_pair(values):
        raise RowError("it has a 'text_pair', and the rows of train have none")
    return (text_in(values, "text"),)


def _has_pair(values: Mapping[str, Any]) -> bool:
    return values.get("text_pair") not in (None, "")


def check_room(max_length: int, tokenizer: PreTrainedTokenizerBase, *, has_pairs: bool = False) -> None:
    """Raise ConfigError when `max_length` tokens are too many for the model, or too few for any text."""
    check_fits_tokenizer(max_length, tokenizer)
    num_special = tokenizer.num_special_tokens_to_add(pair=has_pairs)
    if max_length <= num_special + has_pairs:
        raise ConfigError(
            f"{max_length} tokens leave no room for text beside the tokenizer's {num_special} special tokens",
            where="task.max_length",
        )


def cut_ids(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[Texts], max_length: int
) -> Iterator[tuple[list[int], bool]]:
    """Token ids of each text or pair, and whether it was cut.

    A pair is put together as the tokenizer does it (`[CLS] a [SEP] b [SEP]`); where it would put nothing between the
    two, as many decoders' tokenizers, a line end stands there. A cut takes tokens from the end of the longer text, and
    special tokens stay.
    """
    if not texts:
        return
    if len(texts[0]) == 2:
        texts = [(first, second_text(tokenizer, second)) for first, second in texts]
    columns = [list(column) for column in zip(*texts, strict=True)]
    # verbose=False: the tokenizer would log that a text is longer than the model, which is cut here.
    whole = tokenizer(*columns, return_attention_mask=False, verbose=False)["input_ids"]
    for input_ids, parts in zip(whole, texts, strict=True):
        if len(input_ids) <= max_length:
            yield input_ids, False
        else:
            cut = tokenizer(*parts, truncation=True, max_length=max_length, return_attention_mask=False, verbose=False)
            yield cut["input_ids"], True


def second_text(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    """The second text of a pair as a tokenizer is given it: behind a line end where it puts no special token there."""
    is_apart = tokenizer.num_special_tokens_to_add(pair=True) > tokenizer.num_special_tokens_to_add(pair=False)
    return text if is_apart else f"\n{text}"


def head_outputs(model: PreTrainedModel, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """What the head makes of a batch: [rows, outputs], float32. Labels are never given: the loss is the task's own."""
    from ftsweep.tasks.padding import needed_mask
    from ftsweep.tasks.read_rows import last_tokens, reading

    inner = transformers_model(model)
    with (
        needed_mask(model, batch["attention_mask"]) as mask,
        reading(inner, None if num_virtual_tokens(model) else last_tokens(inner, batch)),
    ):
        logits: torch.Tensor = model(input_ids=batch["input_ids"], attention_mask=mask).logits
    return logits.float()
