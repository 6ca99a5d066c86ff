"""Instruction by demonstration: earlier questions with their answers stand before the row's own question.

Without a template they are earlier turns of one conversation, written as the tokenizer's chat template writes it; then
a prompt without demonstrations is exactly what the task itself would encode. With a template each of them is written by
it, every answer ended by the end-of-text token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ftsweep.tasks.base import IGNORED, RowError
from ftsweep.tasks.encoding.answers import answer_labels, tokenized
from ftsweep.tasks.encoding.chat import ChatFormat, Span
from ftsweep.tasks.encoding.conversations import Conversation, conversation_of, question_of
from ftsweep.tasks.encoding.messages import Message
from ftsweep.tasks.instruction import Instruction
from ftsweep.tasks.prompts.prompt_tokens import check_context, check_tokenizer, cut_texts, start_ids
from ftsweep.tasks.prompts.templates import Template

if TYPE_CHECKING:
    from tokenizers import Encoding
    from transformers import PreTrainedTokenizerBase

Values = Mapping[str, Any]

TARGET = "completion"
COLUMNS = ("prompt",)


class AnswerExample(NamedTuple):
    """A prompt with its answer: labels are the row's own answer tokens, IGNORED elsewhere."""

    input_ids: list[int]
    labels: list[int]


class _Written(NamedTuple):
    text: str
    head: int  # characters that stand before the row's own part
    answers: list[Span]  # of the row


class AnswerPrompts:
    """Prompts whose answer is free text."""

    def __init__(
        self,
        *,
        task: Instruction,
        tokenizer: PreTrainedTokenizerBase,
        template: Template | None,
        separator: str,
        instruction: str,
        max_demonstration_tokens: int | None,
    ) -> None:
        check_tokenizer(tokenizer)
        self._task = task
        self._tokenizer = tokenizer
        self._template = template
        self._separator = separator
        self._instruction = instruction
        self._max_demonstration_tokens = max_demonstration_tokens or task.max_length
        self._chat = ChatFormat(tokenizer)

    def examples(self, demonstrations: Sequence[Values], rows: Sequence[Values]) -> list[AnswerExample]:
        """Each row behind the demonstrations.

        Raises:
            PromptTooLongError: not every row of `task.max_length` tokens would find room behind them.
            RowError: a row, or a demonstration, is none that the template can show.
        """
        write = self._conversation if self._template is None else self._by_template
        return [self._encoded(write(demonstrations, values), len(demonstrations)) for values in rows]

    def questions(self, demonstrations: Sequence[Values], rows: Sequence[Values]) -> list[list[int]]:
        """The tokens of each prompt up to where the model answers. Raises as `examples` does."""
        ask = self._open_conversation if self._template is None else self._open_template
        found = []
        for values in rows:
            text, head = ask(demonstrations, values)
            tokens = self._tokens(text)
            ids, first = tokens.ids, self._first_own(tokens, head, demonstrations)
            new = self._task.max_new_tokens
            check_context(first, self._task.max_length + new, k=len(demonstrations), tokenizer=self._tokenizer)
            found.append(ids[:first] + ids[max(first, len(ids) - self._task.max_length) :])
        return found

    def _encoded(self, written: _Written, k: int) -> AnswerExample:
        tokens = self._tokens(written.text)
        ids = tokens.ids
        labels = answer_labels(tokens, written.answers)
        first = self._first_own(tokens, written.head, range(k))
        check_context(first, self._task.max_length, k=k, tokenizer=self._tokenizer)
        # Behind demonstrations the row's own part is cut, without them the whole, as the task does it.
        cut = self._task.cut(ids[first:], labels[first:], None if first else self._tokenizer.bos_token_id)
        if isinstance(cut, RowError):
            raise cut
        return AnswerExample([*ids[:first], *cut.input_ids], [*[IGNORED] * first, *map(int, cut.labels)])

    def _first_own(self, tokens: Encoding, head: int, demonstrations: Sequence[Any]) -> int:
        """The first token of the row's own part; 0 when nothing of this strategy stands before it."""
        if not demonstrations and not self._instruction:
            return 0
        return next(place for place, (_, end) in enumerate(tokens.offsets) if end > head)

    def _tokens(self, text: str) -> Encoding:
        return tokenized(self._tokenizer, [text])[0]

    # -- as one conversation --------------------------------------------------------------------------------------

    def _conversation(self, demonstrations: Sequence[Values], values: Values) -> _Written:
        whole, num_before = self._with_turns(demonstrations, conversation_of(values, self._task.learn))
        rendered = self._chat.render(whole)
        text = rendered.text
        return _Written(text, self._head(text, whole.messages, num_before), rendered.spans)

    def _open_conversation(self, demonstrations: Sequence[Values], values: Values) -> tuple[str, int]:
        whole, num_before = self._with_turns(demonstrations, question_of(values))
        text = self._chat.render_question(whole)
        return text, self._head(text, whole.messages, num_before)

    def _with_turns(self, demonstrations: Sequence[Values], own: Conversation) -> tuple[Conversation, int]:
        """The whole conversation, of which the row's own answers are learned, and how many messages stand before it."""
        num_system = int(own.messages[0]["role"] in ("system", "developer"))
        system = list(own.messages[:num_system])
        if self._instruction:
            if system:
                raise RowError("it has a system message of its own, and strategy.instruction would be a second one")
            system = [{"role": "system", "content": self._instruction}]
        turns = [message for values in demonstrations for message in self._turns(values)]
        num_before = len(system) + len(turns)
        learned = [*[False] * num_before, *own.learned[num_system:]]
        messages = [*system, *turns, *own.messages[num_system:]]
        return Conversation(messages, learned, own.tools, own.unsaid), num_before

    def _turns(self, values: Values) -> list[Message]:
        """A demonstration's messages, cut; a system message of its own is left out."""
        found = conversation_of(values).messages
        messages = [message for message in found if message["role"] not in ("system", "developer")]
        contents = cut_texts(self._tokenizer, [each["content"] for each in messages], self._max_demonstration_tokens)
        return [{**message, "content": content} for message, content in zip(messages, contents, strict=True)]

    def _head(self, text: str, messages: Sequence[Message], num_before: int) -> int:
        """How many characters the conversation has before the content of the row's first message."""
        other = [*messages[:num_before], {"role": "user", "content": "\x00"}]
        pairs = zip(text, self._chat.render_question(Conversation(other, [False] * len(other))), strict=False)
        return next((place for place, (one, two) in enumerate(pairs) if one != two), len(text))

    # -- by a template --------------------------------------------------------------------------------------------

    def _by_template(self, demonstrations: Sequence[Values], values: Values) -> _Written:
        assert self._template is not None
        question, head = self._open_template(demonstrations, values)
        text = question + self._template.gap + self._completion(values) + self._end
        return _Written(text, head, [(len(question), len(text))])

    def _open_template(self, demonstrations: Sequence[Values], values: Values) -> tuple[str, int]:
        assert self._template is not None
        template, parts = self._template, [self._instruction] if self._instruction else []
        for each in demonstrations:
            texts = {**template.texts_of(each), TARGET: self._completion(each)}
            cut = cut_texts(self._tokenizer, list(texts.values()), self._max_demonstration_tokens)
            *shown, answer = cut
            parts.append(template.demonstration(dict(zip(texts, shown, strict=False)), answer + self._end))
        head = "".join(part + self._separator for part in parts)
        head = str(self._tokenizer.decode(start_ids(self._tokenizer))) + head
        return head + template.question(template.texts_of(values)), len(head)

    def _completion(self, values: Values) -> str:
        text = values.get(TARGET)
        if not isinstance(text, str) or not text.strip():
            raise RowError(f"{TARGET!r} is missing or empty, and the template shows it")
        return text

    @property
    def _end(self) -> str:
        return str(self._tokenizer.eos_token)
