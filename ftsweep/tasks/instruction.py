"""Answering: prompts with completions, or conversations; the loss is on the answers only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from ftsweep.domain.metric import BITS_PER_BYTE, Metrics, dependent, right_answers
from ftsweep.errors import ConfigError
from ftsweep.models.inner import num_virtual_tokens
from ftsweep.tasks.answering import Answering
from ftsweep.tasks.base import IGNORED, Example, RowError
from ftsweep.tasks.causal import TOKEN_LOSS, CausalTask
from ftsweep.tasks.encoding.answers import answer_labels, num_learned, rendered, texts_of, tokenized
from ftsweep.tasks.encoding.chat import ChatFormat, Rendered
from ftsweep.tasks.encoding.chat_columns import without_answers
from ftsweep.tasks.encoding.conversations import (
    COLUMNS,
    TARGETS,
    Conversation,
    Learn,
    check_columns,
    conversation_of,
    is_chat,
    question_of,
    read_as,
)
from ftsweep.tasks.encoding.tokens import (
    ROWS_PER_CALL,
    attempt,
    check_fits_tokenizer,
    checked_max_length,
    in_chunks,
    to_predict,
    token_ids,
)
from ftsweep.tasks.generation import DEFAULTS, Decoding, Generation, generate
from ftsweep.tasks.judging import Judge, metrics_of
from ftsweep.tasks.scores.answer_scores import ANSWER_METRICS, resampled_answers

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Encoding
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Instruction(CausalTask):
    """Instruction tuning. Columns `prompt` and `completion`, `messages`, ShareGPT's `conversations` or Alpaca's.

    All are written with the tokenizer's chat template, or plainly where it has none (see ChatFormat). What is read of
    them is listed in docs/conversations.md.
    """

    columns = COLUMNS
    is_model_input = True
    counts_bytes: ClassVar[bool] = True
    metrics: ClassVar[Metrics] = {
        **dependent(
            {
                **TOKEN_LOSS,
                "token_accuracy": replace(right_answers(), is_per_token=True),
                "bits_per_byte": BITS_PER_BYTE,
            },
            "learn",
            "max_length",  # of the answers that a cut leaves
        ),
        **ANSWER_METRICS,
    }
    loss_settings: ClassVar[frozenset[str]] = frozenset({"max_new_tokens", "generation", "judge"})

    def __init__(
        self,
        *,
        max_length: int = 512,
        max_new_tokens: int = 128,
        learn: Learn = "all",
        generation: dict[str, Any] | None = DEFAULTS,
        judge: Judge | None = None,
    ) -> None:
        """`learn: last` learns a conversation's last answer only; `max_new_tokens` bounds the answers of `predict`.

        `generation`: answers that are scored while a trial trains, see `Generation`; `judge` scores them too.
        """
        if learn not in get_args(Learn):
            raise ConfigError(f"must be all or last, not {learn!r}", where="task.learn")
        if isinstance(max_new_tokens, bool) or not isinstance(max_new_tokens, int) or max_new_tokens < 1:
            raise ConfigError(
                f"must be a whole number of at least 1, not {max_new_tokens!r}", where="task.max_new_tokens"
            )
        self.max_length = checked_max_length(max_length)
        self.generation = Generation.read(generation)
        self.decoding = Decoding(max_new_tokens)
        self.judge = judge
        self._judged = metrics_of(judge, self.metrics)
        self.learn = learn
        self._latest: tuple[Mapping[str, Any], Conversation | RowError] | None = None

    @property
    def added_metrics(self) -> Metrics:
        return self._judged

    @property
    def max_new_tokens(self) -> int:
        return self.decoding.max_new_tokens

    def check_columns(self, available: Iterable[str]) -> None:
        check_columns(available)

    def input_text(self, values: Mapping[str, Any]) -> str:
        """What is not learned of it: the questions, and answers that are context."""
        return texts_of(self._conversation(values), is_learned=False)

    def target_text(self, values: Mapping[str, Any]) -> str:
        """What is learned of it."""
        return texts_of(self._conversation(values), is_learned=True)

    def _conversation(self, values: Mapping[str, Any]) -> Conversation:
        """The row's conversation; the latest one is kept, for a row's input and target are asked for in turn.

        Raises:
            RowError: it is none, or has no answer.
        """
        if self._latest is None or self._latest[0] is not values:
            self._latest = values, attempt(lambda row: conversation_of(row, self.learn), values)
        if isinstance(self._latest[1], RowError):
            raise self._latest[1]
        return self._latest[1]

    def read_as(self, values: Mapping[str, Any]) -> str:
        return read_as(values)

    def without_target(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The row as a question; a list of messages without the answers at its end."""
        question = {name: value for name, value in super().without_target(values).items() if name not in TARGETS}
        column = next((name for name in ("messages", "conversations") if is_chat(values) and name in question), None)
        if column is not None:
            question[column] = without_answers(question[column])
        return question

    def learn_schema(self, train_rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        return {}

    def encode(
        self, rows: Iterable[Mapping[str, Any]], tokenizer: PreTrainedTokenizerBase, schema: Mapping[str, Any]
    ) -> Iterator[Example | RowError | None]:
        check_fits_tokenizer(self.max_length, tokenizer)
        chat = ChatFormat(tokenizer)
        with ThreadPoolExecutor(1) as beside:  # the tokenizer holds no lock of Python: it works while rows are rendered
            waiting: list[tuple[list[Rendered | RowError], Future[list[Encoding]]]] = []
            for chunk in in_chunks(rows, ROWS_PER_CALL):
                parts = [
                    attempt(lambda values: rendered(chat, conversation_of(values, self.learn)), values)
                    for values in chunk
                ]
                texts = [part.text for part in parts if not isinstance(part, RowError)]
                waiting.append((parts, beside.submit(tokenized, tokenizer, texts)))
                if len(waiting) > 1:
                    yield from self._examples(*waiting.pop(0), tokenizer.bos_token_id)
            for parts, encoded in waiting:
                yield from self._examples(parts, encoded, tokenizer.bos_token_id)

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        schema: Mapping[str, Any],
        rows: Sequence[Mapping[str, Any]],
        batch_size: int,
    ) -> list[dict[str, Any]]:
        """`{"completion": ...}` per row, greedily; rows need `prompt`, or `messages` (a last answer is left out)."""
        chat = ChatFormat(tokenizer)
        prompts = self._prompt_ids(rows, tokenizer, chat, num_virtual_tokens(model))
        return self.generate(model, tokenizer, prompts, batch_size)

    def generate(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompts: Sequence[Sequence[int]],
        batch_size: int,
    ) -> list[dict[str, Any]]:
        """`{"completion": ...}` behind each prompt's tokens."""
        end_ids = self.answer_ends(tokenizer)
        texts = generate(model, tokenizer, prompts, batch_size, decoding=self.decoding, end_ids=end_ids)
        return [{"completion": text} for text in texts]

    def answer_ends(self, tokenizer: PreTrainedTokenizerBase) -> list[int]:
        return ChatFormat(tokenizer).end_ids()

    def answering(self, metric: str) -> Answering | None:
        is_asked = self.generation.rungs is not None or self.judge is not None or metric in ANSWER_METRICS
        return Answering(self, metric) if is_asked else None

    def resampled_scores(
        self, losses: np.ndarray, units: np.ndarray, scores: np.ndarray, weights: np.ndarray
    ) -> dict[str, np.ndarray]:
        names = (*ANSWER_METRICS, *self.added_metrics)
        found = super().resampled_scores(losses, units, scores, weights)
        return {**found, **resampled_answers(names, scores[:, :-1], weights)}  # the last: bytes

    def answered_by(self, decoding: Decoding) -> Instruction:
        """The same task, whose answers are made in this way."""
        found = copy(self)
        found.decoding = decoding
        return found

    def _examples(
        self, parts: Sequence[Rendered | RowError], encoded: Future[list[Encoding]], bos_id: int | None
    ) -> Iterator[Example | RowError]:
        tokens = iter(encoded.result())
        for part in parts:
            if isinstance(part, RowError):
                yield part
                continue
            encoding = next(tokens)
            labels = answer_labels(encoding, part.spans)
            cut = self.cut(encoding.ids, labels, bos_id)
            if isinstance(cut, Example):
                kept = num_learned(cut.labels) / max(1, num_learned(labels))
                cut = cut._replace(unsaid=part.unsaid, num_bytes=round(part.num_bytes * kept))
            yield cut

    def cut(self, input_ids: list[int], labels: list[int], bos_id: int | None) -> Example | RowError:
        """The prompt loses its oldest tokens (never a start token), then the last answer its end."""
        first = next((place for place, label in enumerate(labels) if label != IGNORED), None)
        if first is None:
            return RowError("no token of it is learned")
        excess = len(input_ids) - self.max_length
        if excess <= 0:
            return Example(input_ids, labels)
        kept = 1 if input_ids[0] == bos_id else 0
        # One token must stay before the answer: what predicts its first token.
        dropped = min(excess, first - max(kept, 1))
        cut = slice(kept + dropped, None)
        input_ids, labels = input_ids[:kept] + input_ids[cut], labels[:kept] + labels[cut]
        is_too_long = len(input_ids) > self.max_length
        return Example(input_ids[: self.max_length], labels[: self.max_length], dropped > 0, is_too_long)

    def _prompt_ids(
        self,
        rows: Sequence[Mapping[str, Any]],
        tokenizer: PreTrainedTokenizerBase,
        chat: ChatFormat,
        num_virtual: int = 0,
    ) -> list[list[int]]:
        limit = min(self.max_length, tokenizer.model_max_length - self.max_new_tokens - num_virtual)
        if limit < 1:
            raise ConfigError(
                f"{self.max_new_tokens} new tokens leave no room for a prompt: "
                f"this model takes at most {tokenizer.model_max_length}",
                where="task.max_new_tokens",
            )
        texts = to_predict(lambda values: chat.render_question(question_of(values)), rows)
        prompts = token_ids(tokenizer, texts, special=False)
        for index, ids in enumerate(prompts):
            if len(ids) > limit:
                kept = 1 if ids[0] == tokenizer.bos_token_id and limit > 1 else 0
                prompts[index] = ids[:kept] + ids[kept - limit :]
        return prompts
