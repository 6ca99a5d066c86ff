"""Lists of messages as files hold them: lists, text that tables write of them, or lists by field."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import Any

from ftsweep.domain.speakers import ROLES

_NUMPYS = re.compile(r"\}\s*\n\s*\{")
"""What numpy writes between two mappings."""

_LONGEST = 100_000
"""Characters of a written list of messages; Python's parser is slow on more."""


def messages_in(value: Any) -> list[Any] | None:
    """A column's messages as a list: one, a list as text, or lists by field; None of anything else."""
    if isinstance(value, str):
        value = written_messages(value)
    if isinstance(value, Mapping):
        value = _turned(value)
    return None if value is None or not hasattr(value, "__iter__") else list(value)


def text_of_parts(value: Any) -> str | None:
    """The text of a system message that stands as parts, `[{"text": "..."}]`, or as Gemini's `{"parts": [...]}`.

    Parts are joined by line ends; None for anything else, a part that is no text among them.
    """
    if isinstance(value, Mapping):
        value = value.get("parts", [value])
    if not isinstance(value, list | tuple):
        return None
    texts: list[Any] = [part.get("text") if isinstance(part, Mapping) else part for part in value]
    return "\n".join(texts) if all(isinstance(text, str) for text in texts) else None


def is_answered(value: Any) -> bool:
    """Whether a column's messages end with an answer, and so are no question."""
    last = (messages_in(value) or [None])[-1]
    speaker = last.get("role", last.get("from")) if isinstance(last, Mapping) else ""
    return ROLES.get(str(speaker).lower()) == "assistant"


def written_messages(text: str) -> list[Any] | None:
    """A list of messages that a table holds as text: JSON, or what pandas writes of one; None for other text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        if len(text) > _LONGEST or not text.lstrip().startswith("["):
            return None
        try:
            value = ast.literal_eval(_NUMPYS.sub("}, {", text.strip()))
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            return None
    return value if isinstance(value, list) else None


def _turned(fields: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Messages of lists by field, as `datasets` keeps a sequence of mappings; None for any other mapping."""
    said = [value for value in fields.values() if value is not None]
    if not all(isinstance(value, list | tuple) for value in said) or len({len(value) for value in said}) != 1:
        return None
    names = [name for name, value in fields.items() if value is not None]
    return [dict(zip(names, each, strict=True)) for each in zip(*said, strict=True)]
