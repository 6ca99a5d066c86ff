"""Messages whose content is in parts as Anthropic's API has them: calls of tools, their results, thoughts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_OWN = ("tool_use", "tool_result", "thinking")


def with_parts_told(raw: Sequence[Any]) -> Sequence[Any]:
    """The messages with such parts in the fields that OpenAI's have: `tool_calls`, messages of the tool, reasoning.

    A message without any stays as it is, and so does what a part of another kind says.
    """
    if not any(map(_has_own, raw)):
        return raw
    found: list[Any] = []
    for message in raw:
        found.extend(_told(message) if _has_own(message) else [message])
    return found


def with_parameters(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """A tool whose parameters stand under Anthropic's `input_schema`, under the usual name."""
    if "input_schema" not in tool or "parameters" in tool:
        return tool
    return {"parameters" if name == "input_schema" else name: value for name, value in tool.items()}


def _has_own(message: Any) -> bool:
    content = message.get("content") if isinstance(message, Mapping) else None
    return isinstance(content, list | tuple) and any(_kind(part) in _OWN for part in content)


def _kind(part: Any) -> Any:
    return part.get("type") if isinstance(part, Mapping) else None


def _told(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    parts = message["content"]
    results = [_result(part) for part in parts if _kind(part) == "tool_result"]
    calls = [
        {"id": part.get("id"), "function": {"name": part.get("name"), "arguments": part.get("input") or {}}}
        for part in parts
        if _kind(part) == "tool_use"
    ]
    thoughts = [str(part.get("thinking")) for part in parts if _kind(part) == "thinking"]
    others = [part for part in parts if _kind(part) not in _OWN]
    rest = {**message, "content": others}
    if calls:
        rest["tool_calls"] = [*(message.get("tool_calls") or []), *calls]
    if thoughts:
        rest["reasoning_content"] = "\n".join(thoughts)
    return [*results, rest] if others or calls or thoughts else results


def _result(part: Mapping[str, Any]) -> dict[str, Any]:
    """The message of a tool; that it failed stays a field, of which nothing but its being there is read and told."""
    content, failed = part.get("content"), {"is_error": True} if part.get("is_error") else {}
    return {
        "role": "tool",
        "tool_call_id": part.get("tool_use_id"),
        "content": "" if content is None else content,
        **failed,
    }
