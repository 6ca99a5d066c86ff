"""One message as people write them, brought to the form that chat templates read: role, content, calls of tools.

Read are OpenAI's {role, content} (content as text or as parts, calls of tools, marks of what is learned) and ShareGPT's
{from, value}.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ftsweep.domain.speakers import ROLES
from ftsweep.tasks.base import RowError
from ftsweep.tasks.encoding.content_parts import with_parameters

Message = dict[str, Any]
"""`role`, `content` (text), and where there are any `name`, `tool_calls`, `tool_call_id`, `reasoning_content`."""

_CALLING = ("function_call", "tool_call")
_LEARNED = ("weight", "train", "trainable", "training", "learn", "loss")
_HIDDEN = ("masked",)
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
_KEPT = ("name", "tool_call_id")
_PLAIN = {"role", "content"}
_CONTENTS = ("content", "value", "text", "parts")
"""What a message says; the first one counts. `text` is OpenAssistant's, `parts` Gemini's."""
_READ = {"role", "from", "tool_calls", "function_call", "refusal"}
_READ |= {*_LEARNED, *_HIDDEN, *_THOUGHTS, *_KEPT}
_TEXT_PARTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}


class Read(NamedTuple):
    """A message, whether the data says that it is learned (None: nothing said), and fields that nothing reads."""

    message: Message
    is_learned: bool | None
    unread: list[str]


def read_message(raw: Any, place: int) -> Read | None:
    """A message of a conversation, `place` counted from 1; None of an empty system message, which says nothing.

    Raises RowError, in words that name the message, for what is no message or cannot be learned from.
    """
    if isinstance(raw, dict) and raw.keys() == _PLAIN and _is_plain(raw["role"], raw["content"]):
        return Read({"role": ROLES[raw["role"]], "content": raw["content"]}, None, [])  # nothing else to read
    if not isinstance(raw, Mapping):
        raise RowError(f"message {place} is not a mapping with 'role' and 'content'")
    fields = {key: value for key, value in raw.items() if value is not None}  # tables fill absent fields with null
    said = fields.get("role", fields.get("from"))
    if said is None:
        raise RowError(f"message {place} has no 'role' (nor ShareGPT's 'from')")
    role = role_of(raw)
    if role is None:
        raise RowError(f"message {place} has the role {said!r}; known: {', '.join(ROLES)}. Rename it to the one meant")
    name = f"message {place} ({said})"
    message: Message = {"role": role, "content": _content(fields, name)}
    message |= {key: fields[key] for key in _KEPT if isinstance(fields.get(key), str) and fields[key]}
    thoughts = next((fields[key] for key in _THOUGHTS if isinstance(fields.get(key), str)), "")
    if thoughts.strip():
        message["reasoning_content"] = thoughts
    calls = _calls(fields, name)
    if str(said).strip().lower() in _CALLING and (parsed := _parsed_calls(message["content"])):
        calls, message["content"] = parsed, ""
    if calls:
        message["tool_calls"] = calls
    if not message["content"].strip() and not calls:
        if role in ("system", "developer"):
            return None
        if role != "tool":  # a tool may well answer nothing
            raise RowError(f"{name} is empty" if _has_content(fields) else f"{name} is missing its content")
    return Read(message, _mark(fields, name), _unread(fields))


def _is_plain(role: Any, content: Any) -> bool:
    """Whether a message of these two says something, in a role that calls no tools."""
    is_role = isinstance(role, str) and role in ROLES and role not in _CALLING
    return is_role and isinstance(content, str) and content.strip() != ""


def role_of(raw: Mapping[str, Any]) -> str | None:
    """Who speaks, in the words of chat templates; None for a speaker nobody knows."""
    said = raw.get("role") if raw.get("role") is not None else raw.get("from")
    return ROLES.get(str(said).strip().lower())


def without_nulls(value: Any) -> Any:
    """The value without the keys that tables fill with null, at any depth."""
    if isinstance(value, Mapping):
        return {key: without_nulls(part) for key, part in value.items() if part is not None}
    if isinstance(value, list | tuple):
        return [without_nulls(part) for part in value]
    return value


def read_tools(value: Any) -> list[dict[str, Any]]:
    """A row's tools as a list of {type, function}; text is JSON. Raises RowError for anything else."""
    if isinstance(value, str):
        if not value.strip():
            return []
        try:
            value = json.loads(value)
        except ValueError:
            raise RowError("'tools' is text and no JSON: write a list of {type, function}") from None
    if isinstance(value, Mapping) or not isinstance(value, Iterable):
        raise RowError("'tools' is not a list of {type, function}")
    tools = [with_parameters(each) if isinstance(each := without_nulls(tool), Mapping) else each for tool in value]
    if not all(isinstance(tool, Mapping) and _function_of(tool).get("name") for tool in tools):
        raise RowError("'tools' has an entry without a function's name")
    return [dict(tool) if "function" in tool else {"type": "function", "function": dict(tool)} for tool in tools]


def _function_of(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    function = tool.get("function", tool)
    return function if isinstance(function, Mapping) else {}


def _unread(fields: Mapping[str, Any]) -> list[str]:
    said = next((name for name in _CONTENTS if name in fields), None)
    return [name for name in fields if name not in _READ and name != said]


def _has_content(fields: Mapping[str, Any]) -> bool:
    return any(name in fields for name in _CONTENTS)


def _content(fields: Mapping[str, Any], name: str) -> str:
    value = next((fields[name] for name in _CONTENTS if name in fields), None)
    if value is None:
        return str(fields.get("refusal", ""))
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return json.dumps(without_nulls(value), ensure_ascii=False)  # what a tool gave
    if hasattr(value, "__iter__"):
        return "\n".join(_part_text(part, name) for part in value)
    raise RowError(f"{name} is of type {type(value).__name__}, not text")


def _part_text(part: Any, name: str) -> str:
    """The text of a part of a message's content; parts are joined by line ends, as vLLM joins them."""
    if isinstance(part, str):
        return part
    kind = part.get("type", "text") if isinstance(part, Mapping) else type(part).__name__
    text = part.get(_TEXT_PARTS[kind]) if kind in _TEXT_PARTS else None
    if not isinstance(text, str):
        raise RowError(f"{name} has a part of the type {kind!r}; only parts of text can be learned from")
    return text


def _mark(fields: Mapping[str, Any], name: str) -> bool | None:
    """Whether the message's own mark says that it is learned; None without a mark."""
    if "train_detail" in fields or "training_detail" in fields:
        raise RowError(f"{name} marks parts of its text ('train_detail'), and a message is learned whole or not at all")
    for key in (*_LEARNED, *_HIDDEN):
        if key in fields:
            value = fields[key]
            if not isinstance(value, bool | int | float) or value not in (0, 1):
                raise RowError(f"{name} has {key!r} {value!r}; a message is learned (1, true) or not (0, false)")
            return bool(value) != (key in _HIDDEN)
    return None


def _calls(fields: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    calls = fields.get("tool_calls", [])
    if isinstance(calls, str):
        calls = _json_of(calls)
    if "function_call" in fields:
        calls = [*(calls or []), fields["function_call"]]
    if isinstance(calls, Mapping) or not isinstance(calls, Iterable):
        raise RowError(f"{name} has 'tool_calls' that are no list")
    return [_call(call, name) for call in calls]


def _call(call: Any, name: str) -> dict[str, Any]:
    """{id?, type, function: {name, arguments}}; arguments as a mapping where they are JSON, as templates want them."""
    call = _json_of(call) if isinstance(call, str) else call
    function = _function_of(call) if isinstance(call, Mapping) else {}
    if not isinstance(function.get("name"), str):
        raise RowError(f"{name} has a call without a function's name")
    arguments = function.get("arguments", function.get("parameters", {}))
    if isinstance(arguments, str) and isinstance(parsed := _json_of(arguments), dict):
        arguments = parsed
    own_id = {"id": call["id"]} if call.get("id") else {}
    called = {"name": function["name"], "arguments": without_nulls(arguments)}
    return {**own_id, "type": "function", "function": called}


def _parsed_calls(text: str) -> list[dict[str, Any]]:
    """ShareGPT's function_call: the text is a call as JSON, or a list of them; [] for other text."""
    value = _json_of(text)
    calls = value if isinstance(value, list) else [value]
    is_calls = bool(calls) and all(isinstance(call, Mapping) and _function_of(call).get("name") for call in calls)
    return [_call(call, "a function call") for call in calls] if is_calls else []


def _json_of(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
