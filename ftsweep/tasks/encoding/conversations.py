"""A row as a conversation, whatever the shape of its columns: messages, ShareGPT, Alpaca, prompt and completion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ftsweep.domain.message_lists import text_of_parts, written_messages
from ftsweep.errors import DataError
from ftsweep.tasks.base import RowError
from ftsweep.tasks.encoding.chat_columns import form_of, messages_of
from ftsweep.tasks.encoding.content_parts import with_parts_told
from ftsweep.tasks.encoding.messages import Message, read_message, read_tools, role_of

Learn = Literal["all", "last"]

COLUMNS = (
    "prompt",
    "completion",
    "messages",
    "conversations",
    "instruction",
    "input",
    "output",
    "history",
    "system",
    "tools",
    "functions",
)

TARGETS = ("completion", "output")
"""Columns that are answers whatever the shape."""

_SHAPES = {
    "messages": ("messages",),
    "ShareGPT": ("conversations",),
    "prompt and completion": ("prompt", "completion", "input"),
    "Alpaca": ("instruction", "input", "output", "history"),
}
"""The columns of each shape; the first shape whose first column a row has is the row's."""

_OTHERS = {
    shape: [name for name in COLUMNS if any(name in columns for columns in _SHAPES.values()) and name not in own]
    for shape, own in _SHAPES.items()
}
"""The columns of other shapes, in the order of `COLUMNS`."""

_BESIDE = ("system", "tools", "functions")
"""Columns that any shape may have beside its own."""

_LONG_INPUT = 4
"""Words of an input that stands in an instruction on purpose, wherever it does."""

_OTHER_CHATS = ("conversation", "dialog", "dialogue", "dialogues", "chat", "chats", "turns", "thread")

_OTHER_NAMES = (
    ("question", "answer"),
    ("query", "response"),
    ("instruction", "response"),
    ("input", "output"),
    ("problem", "solution"),
    ("inputs", "targets"),
    ("prompt", "response"),
    ("prompt", "chosen"),
)


@dataclass(frozen=True)
class Conversation:
    """Messages in order, which of them are learned, the tools that may be called, and what of the row is in none."""

    messages: Sequence[Message]
    learned: Sequence[bool]
    """One per message; true only of the assistant's."""
    tools: Sequence[Mapping[str, Any]] = ()
    unsaid: tuple[str, ...] = ()
    """What of the row is not in the conversation, or not as it was, in whole clauses."""


def conversation_of(values: Mapping[str, Any], learn: Learn = "all") -> Conversation:
    """A row as a conversation that ends with an answer; messages behind its last answer are left out.

    `learn: last` leaves all answers but the last as context. Raises RowError for a row that has no answer to learn.
    """
    read = _read(values)
    places = [place for place, message in enumerate(read.messages) if message["role"] == "assistant"]
    if not places:
        raise RowError("no message is the assistant's: there is no answer to learn")
    first = next((place for place, message in enumerate(read.messages) if message["role"] in ("user", "tool")), None)
    if first is None or first > places[-1]:
        raise RowError("no message of a user stands before an answer of the assistant's: there is no answer to learn")
    end = places[-1] + 1
    learned = [is_learned and (learn == "all" or place == places[-1]) for place, is_learned in enumerate(read.learned)]
    if not any(learned):
        which = "its last answer is" if learn == "last" else "all of its answers are"
        raise RowError(f"{which} marked as not to be learned")
    behind = len(read.messages) - end
    unsaid = read.unsaid + (("a question at the end has no answer and is left out",) if behind else ())
    return Conversation(read.messages[:end], learned[:end], read.tools, unsaid)


def question_of(values: Mapping[str, Any]) -> Conversation:
    """A row as a conversation that waits for an answer: what it has of a last answer is left out."""
    read = _read(values, is_question=True)
    messages = list(read.messages)
    while messages and messages[-1]["role"] == "assistant":
        messages.pop()
    if not any(message["role"] in ("user", "tool") for message in messages):
        raise RowError("it has no question: no message is a user's")
    return Conversation(messages, [False] * len(messages), read.tools, read.unsaid)


def shape_of(values: Mapping[str, Any]) -> str:
    """The row's shape; "" of a row that has none. A `prompt` beside Alpaca's columns is a rendering of them."""
    there = [shape for shape, columns in _SHAPES.items() if values.get(columns[0]) is not None]
    is_rendering = "Alpaca" in there and values.get("completion") is None
    return next((shape for shape in there if not (is_rendering and shape == "prompt and completion")), "")


def read_as(values: Mapping[str, Any]) -> str:
    """The shape and the columns that it takes of this row, for people: `Alpaca (instruction, input, output)`."""
    shape = shape_of(values)
    if form := form_of(values.get(_SHAPES[shape][0])) if is_chat(values) else "":
        return f"{shape} out of one text, in the form of {form}"
    read = [name for name in (*_SHAPES.get(shape, ()), *_BESIDE) if _is_there(values.get(name))]
    return f"{shape} ({', '.join(read)})" if shape else ""


def is_chat(values: Mapping[str, Any]) -> bool:
    """Whether the row is a list of messages, and not columns of texts."""
    return shape_of(values) in ("messages", "ShareGPT")


def check_columns(available: Iterable[str]) -> None:
    """Raise DataError when no shape can be read from these columns, with the override that would name them."""
    found = set(available)
    is_read = found & {"messages", "conversations"} or {"prompt", "completion"} <= found
    if is_read or {"instruction", "output"} <= found:
        return
    pair = next((pair for pair in _OTHER_NAMES if set(pair) <= found), None)
    chat = next((name for name in _OTHER_CHATS if name in found), None)
    if chat is not None:
        remedy = f"If {chat!r} holds the messages, say so: 'data.columns={{messages: {chat}}}'"
    elif pair is not None:
        more = ", input: context" if "context" in found else ""
        remedy = f"Name yours: 'data.columns={{prompt: {pair[0]}, completion: {pair[1]}{more}}}'"
    elif "text" in found:
        remedy = (
            "If 'text' holds whole conversations with marks such as ### Human:, say so: 'data.columns={messages: text}'"
        )
    elif "chosen" in found:
        remedy = "Pairs are learned by task=preference. The chosen answers alone: 'data.columns={messages: chosen}'"
    else:
        remedy = "Name yours with data.columns, for example data.columns.prompt=<its name>"
    raise DataError(
        "instruction needs the columns 'prompt' and 'completion', or 'messages' (OpenAI), 'conversations' (ShareGPT), "
        f"'instruction' and 'output' (Alpaca); found: {', '.join(sorted(found)) or 'none'}",
        remedy=remedy,
    )


def _read(values: Mapping[str, Any], *, is_question: bool = False) -> Conversation:
    """All that the row says, answers that nobody is to learn included."""
    shape = shape_of(values)
    if not shape:
        if values.get("completion") is not None:
            raise RowError("prompt is missing")
        raise RowError("it has neither 'messages', 'conversations', 'prompt' nor 'instruction'")
    if shape in ("messages", "ShareGPT"):
        column = _SHAPES[shape][0]
        raw = messages_of(values[column], column)
    elif shape == "Alpaca":
        raw = _alpaca(values, is_question=is_question)
    else:
        raw = _prompt_and_completion(values, is_question=is_question)
    system = values.get("system")
    if system is not None and not isinstance(system, str):
        system = text_of_parts(system)
        if system is None:
            raise RowError(f"'system' is of type {type(values['system']).__name__}, and neither text nor parts of text")
    if isinstance(system, str) and system.strip() and _first_system(raw) != system:
        raw = [{"role": "system", "content": system}, *raw]
    return _checked(raw, values, shape)


def _checked(raw: Sequence[Any], values: Mapping[str, Any], shape: str) -> Conversation:
    raw = with_parts_told(raw)
    found = [read for place, each in enumerate(raw, start=1) if (read := read_message(each, place)) is not None]
    if not any(read.message["role"] in ("user", "assistant") for read in found):
        raise RowError("it has no message of a user")
    unread = dict.fromkeys(key for read in found for key in read.unread)
    unsaid = [f"nothing reads the field {key!r} of messages" for key in unread]
    unsaid += [f"nothing reads the column {name!r}" for name in _OTHERS[shape] if _is_there(values.get(name))]
    learned = []
    for read in found:
        is_answer = read.message["role"] == "assistant"
        learned.append(is_answer and read.is_learned is not False)
    tools = [
        tool for name in ("tools", "functions") if _is_there(values.get(name)) for tool in read_tools(values[name])
    ]
    return Conversation([read.message for read in found], learned, tools, tuple(unsaid))


def _prompt_and_completion(values: Mapping[str, Any], *, is_question: bool) -> list[Any]:
    """Two texts, or TRL's two lists of messages; Alpaca's `input` stands behind a prompt that lacks it."""
    prompt, completion = (_unwritten(values.get(name)) for name in ("prompt", "completion"))
    if isinstance(prompt, str) or not hasattr(prompt, "__iter__") or isinstance(prompt, Mapping):
        text = _with_input(_text(prompt, "prompt"), values.get("input"))
        asked: list[Any] = [{"role": "user", "content": text}]
    else:
        asked = list(prompt)
    if is_question:
        return asked
    if isinstance(completion, Mapping) and role_of(completion) == "assistant":
        completion = [completion]
    if isinstance(completion, list | tuple):
        answered = list(completion)
        if answered[: len(asked)] == asked:  # a completion that repeats its prompt
            answered = answered[len(asked) :]
        return [*asked, *answered]
    return [*asked, {"role": "assistant", "content": _text(completion, "completion")}]


def _unwritten(value: Any) -> Any:
    """A list of messages where a table has one as text; anything else, as every other text, as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith("[{"):
        return value
    messages = written_messages(value)
    is_list = messages and all(isinstance(each, Mapping) and ("role" in each or "from" in each) for each in messages)
    return messages if is_list else value


def _alpaca(values: Mapping[str, Any], *, is_question: bool) -> list[Any]:
    turns: list[Any] = []
    for place, pair in enumerate(values.get("history") or (), start=1):
        if isinstance(pair, str | Mapping) or not hasattr(pair, "__iter__") or len(pair) != 2:
            raise RowError(f"turn {place} of 'history' is not a pair of a question and its answer")
        question, answer = pair
        turns += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    instruction = values["instruction"]
    has_input = isinstance(values.get("input"), str) and values["input"].strip()
    asked = "" if has_input and instruction == "" else _text(instruction, "instruction")
    turns.append({"role": "user", "content": _with_input(asked, values.get("input"))})
    return turns if is_question else [*turns, {"role": "assistant", "content": _text(values.get("output"), "output")}]


def _with_input(text: str, more: Any) -> str:
    """The instruction, a line end and its input, as LLaMA-Factory joins them; once if the text holds it already.

    A word or two of an input stand in many an instruction by chance: those count at its end or as a line of it.
    """
    if more is None or more == "":
        return text
    if not isinstance(more, str):
        raise RowError(f"input is of type {type(more).__name__}, not text")
    held = more.strip()
    is_long = len(held.split()) >= _LONG_INPUT
    if text.rstrip().endswith(held) or (held in text if is_long else held in map(str.strip, text.splitlines())):
        return text
    return f"{text}\n{more}" if text else more


def _first_system(raw: Sequence[Any]) -> Any:
    first = raw[0] if raw and isinstance(raw[0], Mapping) else {}
    return first.get("content", first.get("value")) if first.get("role", first.get("from")) == "system" else None


def _is_there(value: Any) -> bool:
    return value is not None and value != "" and not (isinstance(value, list | tuple | dict) and not value)


def _text(value: Any, name: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # an answer that is a number: what a table has as 42 and JSON without quote marks
    if not isinstance(value, str):
        raise RowError(f"{name} is missing" if value is None else f"{name} is of type {type(value).__name__}, not text")
    if not value.strip():
        raise RowError(f"{name} is empty")
    return value
