"""Conversations as text: the tokenizer's chat template or a plain one, and where in the text the answers are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from ftsweep.errors import ModelError
from ftsweep.tasks.base import RowError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message = dict[str, str]
Span = tuple[int, int]
"""First character and the one after the last."""

ROLES = ("system", "user", "assistant")
_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")


def conversation_of(values: Mapping[str, Any]) -> list[Message]:
    """A row as messages that end with an answer. Raises RowError for roles out of order and empty texts."""
    if values.get("messages") is not None:
        messages = checked_messages(values["messages"])
    elif values.get("prompt") is None and values.get("completion") is None:
        raise RowError("it has neither 'prompt' and 'completion' nor 'messages'")
    else:
        pairs = (("user", "prompt"), ("assistant", "completion"))
        messages = [{"role": role, "content": _text(values.get(column), column)} for role, column in pairs]
    if messages[-1]["role"] != "assistant":
        raise RowError("the last message is not the assistant's: there is no answer to learn")
    return messages


def question_of(values: Mapping[str, Any]) -> list[Message]:
    """A row as messages that wait for an answer: what it has of a last answer is left out."""
    if values.get("messages") is None:
        return [{"role": "user", "content": _text(values.get("prompt"), "prompt")}]
    messages = checked_messages(values["messages"])
    return messages[:-1] if messages[-1]["role"] == "assistant" else messages


def checked_messages(messages: Any) -> list[Message]:
    """An optional system message, then user and assistant in turn, none of them empty."""
    if isinstance(messages, str | Mapping) or not hasattr(messages, "__iter__"):
        raise RowError("'messages' is not a list of {role, content}")
    checked: list[Message] = []
    expected = "user"
    for place, message in enumerate(messages, start=1):
        if not isinstance(message, Mapping) or "role" not in message:
            raise RowError(f"message {place} is not a mapping with 'role' and 'content'")
        role = message["role"]
        if role not in ROLES:
            raise RowError(f"message {place} has the role {role!r}; known roles: {', '.join(ROLES)}")
        if role != expected and not (role == "system" and place == 1):
            raise RowError(f"message {place} has the role {role!r} where {expected!r} is due")
        expected = {"system": "user", "user": "assistant", "assistant": "user"}[role]
        checked.append({"role": role, "content": _text(message.get("content"), f"message {place} ({role})")})
    if all(message["role"] == "system" for message in checked):
        raise RowError("'messages' has no message of a user")
    return checked


class ChatFormat:
    """Renders conversations as this tokenizer's template does, and finds the answers in the result.

    Without a template: each message's text, a line break after what is not an answer, the end-of-text token after
    each answer; for a prompt and a completion that is `prompt + "\\n" + completion + eos` (after the tokenizer's own
    start token, if it puts one before texts).
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        if not tokenizer.is_fast:
            raise ModelError(
                f"the tokenizer {type(tokenizer).__name__} cannot tell which characters a token stands for",
                remedy="Use a model that comes with a tokenizer.json",
            )
        self._tokenizer = tokenizer
        self._template: str | None = tokenizer.get_chat_template() if tokenizer.chat_template else None
        marked = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
        self._special = tuple(sorted(marked | set(tokenizer.all_special_tokens), key=len, reverse=True))

    def render(self, messages: Sequence[Message]) -> tuple[str, list[Span]]:
        """The conversation's text up to the end of its last answer, and the answers' places in it.

        An answer's place includes the token that ends its turn; the last one ends with the end-of-text token when the
        template has none. Raises RowError when the template refuses the messages, ModelError when its answers cannot
        be found.
        """
        if self._template is None:
            text, spans = self._plain(messages)
        elif _GENERATION.search(self._template):
            text, spans = self._marked(messages)
        else:
            text, spans = self._by_prefixes(messages)
        spans = [self._tidy(text, span) for span in spans]
        start, end = spans[-1]
        if not text[:end].endswith(self._special):
            ended = text[:end] + self._end_of_text()
            return ended, [*spans[:-1], (start, len(ended))]
        return text[:end], spans

    def render_question(self, messages: Sequence[Message]) -> str:
        """The text after which the model answers."""
        if self._template is None:
            return self._plain(messages)[0]
        return self._apply(messages, ask=True)

    def end_ids(self) -> list[int]:
        """Tokens that end an answer: end of text, and the template's end of turn."""
        text, _ = self.render([{"role": "user", "content": "a"}, {"role": "assistant", "content": "a"}])
        last = self._tokenizer(text, add_special_tokens=False)["input_ids"][-1]
        return sorted({last, self._tokenizer.eos_token_id} - {None})

    def _plain(self, messages: Sequence[Message]) -> tuple[str, list[Span]]:
        bos = self._tokenizer.bos_token or ""
        first = self._tokenizer("a")["input_ids"][0]
        text, spans = (bos if first == self._tokenizer.bos_token_id else ""), []
        for message in messages:
            start, is_answer = len(text), message["role"] == "assistant"
            text += message["content"] + (self._end_of_text() if is_answer else "\n")
            if is_answer:
                spans.append((start, len(text)))
        return text, spans

    def _marked(self, messages: Sequence[Message]) -> tuple[str, list[Span]]:
        """By the template's own {% generation %} blocks."""
        from jinja2 import TemplateError
        from transformers.utils.chat_template_utils import render_jinja_template

        try:
            rendered: Any = render_jinja_template(
                conversations=[list(messages)],
                chat_template=self._template,
                return_assistant_tokens_mask=True,
                add_generation_prompt=False,
                **cast(dict[str, Any], self._tokenizer.special_tokens_map),
            )
        except TemplateError as error:
            raise RowError(f"the chat template refuses it: {error}") from error
        (text,), (spans,) = rendered
        if not spans:
            raise ModelError("the tokenizer's chat template marks no answer with its {% generation %} block")
        return text, [(start, end) for start, end in spans]

    def _by_prefixes(self, messages: Sequence[Message]) -> tuple[str, list[Span]]:
        """By rendering up to each answer, and up to its end: both must be how the whole text begins."""
        text = self._apply(messages)
        spans: list[Span] = []
        for index, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            before = self._apply(messages[:index], ask=True)
            if not text.startswith(before):
                # Templates that ignore the wish for an answer's header render none without it either.
                raise self._broken_prefix()
            after = self._apply(messages[: index + 1])
            end = len(after) if text.startswith(after) else self._end_of_turn(text, len(before), message["content"])
            spans.append((len(before), end))
        return text, spans

    def _end_of_turn(self, text: str, start: int, content: str) -> int:
        """The end of an earlier answer in templates that write a last answer differently (with a thought block)."""
        place = text.find(content.strip(), start)
        end = place + len(content.strip())
        if place < 0 or not text.startswith(self._special, end):
            raise self._broken_prefix()
        return end  # `_tidy` takes the token that ends the turn along

    def _broken_prefix(self) -> ModelError:
        return ModelError(
            "the tokenizer's chat template writes a conversation differently once it goes on, "
            "so the answers in it cannot be told from the rest",
            remedy="Use rows with one answer each, or a tokenizer whose template has {% generation %} blocks",
        )

    def _apply(self, messages: Sequence[Message], *, ask: bool = False) -> str:
        from jinja2 import TemplateError

        try:
            return str(self._tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=ask))
        except TemplateError as error:
            raise RowError(f"the chat template refuses it: {error}") from error

    def _tidy(self, text: str, span: Span) -> Span:
        """Without white space after the answer's end, with the token that ends its turn."""
        start, end = span
        end = start + len(text[start:end].rstrip())
        if not text[start:end].endswith(self._special):
            following = (token for token in self._special if text.startswith(token, end))
            end += len(next(following, ""))
        return start, end

    def _end_of_text(self) -> str:
        token = self._tokenizer.eos_token
        if token is None:
            raise ModelError(
                "the tokenizer has no end-of-text token, so an answer's end cannot be learned",
                where="model",
                remedy="Choose a decoder (model=tiny, model=smollm2_135m), or task=classification for an encoder.",
            )
        return str(token)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise RowError(f"{name} is missing" if value is None else f"{name} is of type {type(value).__name__}, not text")
    if not value.strip():
        raise RowError(f"{name} is empty")
    return value
