"""Conversations as text: the tokenizer's chat template or a plain one, and where in the text the answers are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ftsweep.errors import ModelError
from ftsweep.tasks.base import RowError
from ftsweep.tasks.encoding.chat_variants import variants_of
from ftsweep.tasks.encoding.conversations import Conversation
from ftsweep.tasks.encoding.messages import Message
from ftsweep.tasks.encoding.unsaid import unsaid_in

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Span = tuple[int, int]
"""First character and the one after the last."""

_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")


class Rendered(NamedTuple):
    """A conversation's text, its learned answers' places in it, and what of the row is not in it, in clauses."""

    text: str
    spans: list[Span]
    unsaid: tuple[str, ...] = ()
    num_bytes: int = 0  # of the learned answers' own text, where somebody counts them


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
        self._template = _template_of(tokenizer)
        marked = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
        self._special = tuple(sorted(marked | set(tokenizer.all_special_tokens), key=len, reverse=True))

    def render(self, conversation: Conversation) -> Rendered:
        """The conversation's text up to the end of its last learned answer, and the learned answers' places in it.

        An answer's place includes the token that ends its turn; the last one ends with the end-of-text token when the
        template has none. Raises RowError when the template refuses the messages in every way of writing them, leaves
        an answer out, or writes it so that it cannot be found; ModelError without an end-of-text token.
        """
        if self._template is None:
            text, spans = self._plain(conversation)
            unsaid = (*conversation.unsaid, *unsaid_in(text, conversation))
            return self._ended(text, [span for span, is_learned in spans if is_learned], unsaid)
        errors: list[RowError] = []
        for variant in variants_of(conversation, self._template):
            try:
                return self._by_template(variant)
            except RowError as error:
                errors.append(error)
        raise errors[0]

    def render_question(self, conversation: Conversation) -> str:
        """The text after which the model answers."""
        if self._template is None:
            return self._plain(conversation)[0]
        errors: list[RowError] = []
        for variant in variants_of(conversation, self._template):
            try:
                text = self._apply(variant.messages, variant.tools, ask=True)
                unsaid_in(text, variant)
            except RowError as error:
                errors.append(error)
            else:
                return text
        raise errors[0]

    def end_ids(self) -> list[int]:
        """Tokens that end an answer: end of text, and the template's end of turn."""
        turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "a"}]
        text = self.render(Conversation(turns, [False, True])).text
        last = self._tokenizer(text, add_special_tokens=False)["input_ids"][-1]
        return sorted({last, self._tokenizer.eos_token_id} - {None})

    def _by_template(self, conversation: Conversation) -> Rendered:
        is_marked = _GENERATION.search(str(self._template)) is not None
        text, spans = self._marked(conversation) if is_marked else self._by_prefixes(conversation)
        unsaid = unsaid_in(text, conversation)
        return self._ended(text, [self._tidy(text, span) for span in spans], (*conversation.unsaid, *unsaid))

    def _ended(self, text: str, spans: list[Span], unsaid: tuple[str, ...]) -> Rendered:
        start, end = spans[-1]
        if not text[:end].endswith(self._special):
            ended = text[:end] + self._end_of_text()
            return Rendered(ended, [*spans[:-1], (start, len(ended))], unsaid)
        return Rendered(text[:end], spans, unsaid)

    def _plain(self, conversation: Conversation) -> tuple[str, list[tuple[Span, bool]]]:
        text, spans = self._beginning, []
        text += "".join(json.dumps(tool, ensure_ascii=False) + "\n" for tool in conversation.tools)
        for message, is_learned in zip(conversation.messages, conversation.learned, strict=True):
            start, is_answer = len(text), message["role"] == "assistant"
            text += _plain_text(message) + (self._end_of_text() if is_answer else "\n")
            if is_answer:
                spans.append(((start, len(text)), is_learned))
        return text, spans

    @cached_property
    def _beginning(self) -> str:
        """What stands before a text, so that its tokens are those that the tokenizer makes of the text alone: its start
        token, if it puts one there; behind which SentencePiece's sign of a word's beginning may need a space.
        """
        bos, alone = self._tokenizer.bos_token or "", self._tokenizer("a")["input_ids"]
        if alone[0] != self._tokenizer.bos_token_id:
            return ""
        tokens = {
            begin: self._tokenizer(f"{begin}a", add_special_tokens=False)["input_ids"] for begin in (bos, f"{bos} ")
        }
        return next((begin for begin, found in tokens.items() if found == alone[: len(found)]), bos)

    def _marked(self, conversation: Conversation) -> tuple[str, list[Span]]:
        """By the template's own {% generation %} blocks."""
        from transformers.utils.chat_template_utils import render_jinja_template

        with _refusals():
            rendered: Any = render_jinja_template(
                conversations=[list(conversation.messages)],
                tools=list(conversation.tools) or None,  # type: ignore[arg-type]
                chat_template=self._template,
                return_assistant_tokens_mask=True,
                add_generation_prompt=False,
                **cast(dict[str, Any], self._tokenizer.special_tokens_map),
            )
        (text,), (spans,) = rendered
        if not spans:
            raise RowError("the tokenizer's chat template marks no answer of it with its {% generation %} block")
        answers = [
            is_learned
            for message, is_learned in zip(conversation.messages, conversation.learned, strict=True)
            if message["role"] == "assistant"
        ]
        if len(spans) == len(answers):
            return text, [(start, end) for (start, end), is_learned in zip(spans, answers, strict=True) if is_learned]
        if all(answers):
            return text, [(start, end) for start, end in spans]
        raise RowError(
            f"the chat template marks {len(spans)} answers of {len(answers)}, so those to learn cannot be told apart"
        )

    def _by_prefixes(self, conversation: Conversation) -> tuple[str, list[Span]]:
        """By rendering up to each learned answer, and up to its end: both must be how the whole text begins."""
        messages, tools = conversation.messages, conversation.tools
        text = self._apply(messages, tools)
        spans: list[Span] = []
        for index, (message, is_learned) in enumerate(zip(messages, conversation.learned, strict=True)):
            if not is_learned:
                continue
            if index == 0:  # a greeting: most templates render no empty conversation to compare with
                start = text.find(message["content"].strip())
            else:
                before = self._apply(messages[:index], tools, ask=True)
                # Templates that ignore the wish for an answer's header render none without it either.
                start = len(before) if text.startswith(before) else -1
            if start < 0:
                raise _broken_prefix()
            is_last = index + 1 == len(messages)
            after = text if is_last else self._apply(messages[: index + 1], tools)
            end = len(after) if text.startswith(after) else self._end_of_turn(text, start, message["content"])
            spans.append((start, end))
        return text, spans

    def _end_of_turn(self, text: str, start: int, content: str) -> int:
        """The end of an earlier answer in templates that write a last answer differently (with a thought block)."""
        said = content.rpartition("</think>")[2].strip() or content.strip()
        place = text.find(said, start)
        end = place + len(said)
        if place < 0 or not text.startswith(self._special, end):
            raise _broken_prefix()
        return end  # `_tidy` takes the token that ends the turn along

    def _apply(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = (), *, ask: bool = False) -> str:
        with _refusals():
            return str(
                self._tokenizer.apply_chat_template(
                    list(messages),
                    tools=list(tools) or None,  # type: ignore[arg-type]
                    tokenize=False,
                    add_generation_prompt=ask,
                )
            )

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


def _template_of(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """The template that conversations are written with; None for a tokenizer that has none.

    Raises:
        ModelError: it has several, and none that is meant for all.
    """
    named: Any = tokenizer.chat_template
    if not named:
        return None
    if not isinstance(named, str) and "default" not in named:
        raise ModelError(
            f"the tokenizer has chat templates for {', '.join(named)}, and none named default",
            where="model",
            remedy="Call one of them default where they stand: chat_template in tokenizer_config.json, or the files "
            "of additional_chat_templates/.",
        )
    return str(tokenizer.get_chat_template())


@contextmanager
def _refusals() -> Iterator[None]:
    """What a template raises over one conversation, as that row's error; ModelError for one that is no template."""
    from jinja2 import TemplateError, TemplateSyntaxError

    try:
        yield
    except TemplateSyntaxError as error:
        raise ModelError(
            f"the tokenizer's chat template is no template: {error.message}, in line {error.lineno}",
            where="model",
            remedy="Mend it: chat_template.jinja, or chat_template in tokenizer_config.json.",
        ) from error
    except (TemplateError, TypeError, LookupError, ValueError, AttributeError) as error:
        raise RowError(f"the chat template refuses it: {error}") from error


def _plain_text(message: Message) -> str:
    """A message's text, and its calls of tools as JSON, a line each."""
    calls = [json.dumps(call["function"], ensure_ascii=False) for call in message.get("tool_calls", ())]
    return "\n".join([message["content"]] * bool(message["content"]) + calls)


def _broken_prefix() -> RowError:
    return RowError(
        "the tokenizer's chat template writes the conversation differently once it goes on, so its answers cannot be "
        "told from the rest; use task.learn=last or rows with one answer each"
    )
