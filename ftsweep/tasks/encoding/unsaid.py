"""What of a conversation its text does not hold: a system message that a template ignores, cut thoughts, tools."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ftsweep.tasks.base import RowError
from ftsweep.tasks.encoding.conversations import Conversation
from ftsweep.tasks.encoding.messages import Message

_END_OF_THOUGHT = "</think>"


def unsaid_in(text: str, conversation: Conversation) -> list[str]:
    """What the text lacks, in clauses, each once.

    Raises RowError where that is an answer, a part of the last one, or something of tools.
    """
    answers = [place for place, is_learned in enumerate(conversation.learned) if is_learned]
    last = answers[-1] if answers else -1
    found: dict[str, None] = {}
    for place, message in enumerate(conversation.messages):
        is_learned = conversation.learned[place]
        if not _holds(text, message["content"]):
            found[_missing_content(text, message, is_learned=is_learned, is_last=place == last)] = None
        for what in _missing_calls(text, message):
            raise RowError(f"the chat template leaves {what} out")
        for key, what in (("reasoning_content", "thoughts (reasoning_content)"), ("name", "names (name)")):
            if not _holds(text, message.get(key, "")):
                found[f"{what} of messages are not in the text that the model reads"] = None
    names = [tool["function"].get("name", "") for tool in conversation.tools]
    if not all(_holds(text, name) for name in names):
        raise RowError("the chat template leaves the tools out")
    return list(found)


def _missing_content(text: str, message: Message, *, is_learned: bool, is_last: bool) -> str:
    """As a clause; raises RowError where an answer is cut."""
    role, content = message["role"], message["content"]
    if role == "tool":
        raise RowError("the chat template leaves the results of tools out")
    if not is_learned:
        return f"{role} messages are not in the text that the model reads"
    said = content.rpartition(_END_OF_THOUGHT)[2]
    is_thought = _END_OF_THOUGHT in content and said.strip() != "" and _holds(text, said)
    if is_thought and not is_last:
        return "the chat template cuts the thoughts (<think>) out of answers before the last"
    if is_thought:
        raise RowError(
            "the chat template cuts the thoughts (<think>) out of the answer to learn; take them out of the rows, or "
            "use a model whose template keeps them"
        )
    raise RowError("the chat template leaves an answer to learn out, or changes its text")


def _missing_calls(text: str, message: Message) -> Iterator[str]:
    for call in message.get("tool_calls", ()):
        function = call["function"]
        leaves = [function["name"], *_leaves(function["arguments"])]
        if not all(_holds(text, leaf) for leaf in leaves):
            yield f"the call of {function['name']!r}"


def _leaves(arguments: Any) -> Iterator[str]:
    """The texts among a call's arguments."""
    if isinstance(arguments, str):
        yield from _leaves(_parsed(arguments))
    elif isinstance(arguments, Mapping):
        yield from (value for value in arguments.values() if isinstance(value, str))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _holds(text: str, part: str) -> bool:
    """Whether the text has this part, as it is or as templates write it in JSON."""
    part = part.strip()
    if part in text:
        return True
    return any(json.dumps(part, ensure_ascii=is_ascii)[1:-1] in text for is_ascii in (False, True))
