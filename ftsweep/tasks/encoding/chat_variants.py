"""Ways to write one conversation for templates that do not take it as it is; each is told with the row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from ftsweep.tasks.encoding.conversations import Conversation
from ftsweep.tasks.encoding.messages import Message


def variants_of(conversation: Conversation, template: str) -> Iterator[Conversation]:
    """The conversation as it is, then changed step by step until the template may take it.

    A developer's message is a system message to templates that know no developer.
    """
    current = conversation if "developer" in template else _with_system_role(conversation)
    yield current
    if any("tool_calls" in message for message in current.messages):
        yield _with_argument_texts(current)
    for change in (_tools_as_text, _joined, _system_in_question):
        changed = change(current)
        if changed is not current:
            current = changed
            yield current


def _with_system_role(conversation: Conversation) -> Conversation:
    messages = [{**each, "role": "system"} if each["role"] == "developer" else each for each in conversation.messages]
    return replace(conversation, messages=messages)


def _with_argument_texts(conversation: Conversation) -> Conversation:
    """Arguments of calls as JSON text: some templates add them to other text."""
    messages = []
    for message in conversation.messages:
        calls = [
            {**call, "function": {**call["function"], "arguments": _as_json(call["function"]["arguments"])}}
            for call in message.get("tool_calls", ())
        ]
        messages.append({**message, "tool_calls": calls} if calls else message)
    return replace(conversation, messages=messages)


def _tools_as_text(conversation: Conversation) -> Conversation:
    """Tools in the system message, calls in the answers, and what tools gave as the user's messages."""
    has_tools = conversation.tools or any(
        "tool_calls" in message or message["role"] == "tool" for message in conversation.messages
    )
    if not has_tools:
        return conversation
    messages = [_without_tools(message) for message in conversation.messages]
    learned = list(conversation.learned)
    if conversation.tools:
        listed = "\n".join(_as_json(tool) for tool in conversation.tools)
        if messages[0]["role"] == "system":
            messages[0] = {**messages[0], "content": f"{messages[0]['content']}\n\n{listed}"}
        else:
            messages, learned = [{"role": "system", "content": listed}, *messages], [False, *learned]
    note = (
        "the chat template writes no tools: they stand in the system message, calls in the answers, results in "
        "messages of the user, as text"
    )
    return Conversation(messages, learned, (), (*conversation.unsaid, note))


def _without_tools(message: Message) -> Message:
    kept = {key: value for key, value in message.items() if key not in ("tool_calls", "tool_call_id")}
    if message["role"] == "tool":
        return {**kept, "role": "user"}
    calls = [_as_json(call["function"]) for call in message.get("tool_calls", ())]
    return {**kept, "content": "\n".join([message["content"]] * bool(message["content"]) + calls)}


def _joined(conversation: Conversation) -> Conversation:
    """Messages of one role in a row as one message, with an empty line between their texts."""
    messages: list[Message] = []
    learned: list[bool] = []
    for message, is_learned in zip(conversation.messages, conversation.learned, strict=True):
        is_same = bool(messages) and messages[-1]["role"] == message["role"] and learned[-1] == is_learned
        if is_same and _is_text(messages[-1]) and _is_text(message):
            messages[-1] = {**messages[-1], "content": f"{messages[-1]['content']}\n\n{message['content']}"}
        else:
            messages.append(message)
            learned.append(is_learned)
    if len(messages) == len(conversation.messages):
        return conversation
    note = "the chat template refuses messages of one role in a row: they are joined"
    return replace(conversation, messages=messages, learned=learned, unsaid=(*conversation.unsaid, note))


def _system_in_question(conversation: Conversation) -> Conversation:
    """A first system message at the head of the first question, as Gemma's makers advise."""
    first, *rest = conversation.messages
    if first["role"] != "system" or not rest or rest[0]["role"] != "user":
        return conversation
    merged = {**rest[0], "content": f"{first['content']}\n\n{rest[0]['content']}"}
    note = "the chat template refuses a system message: its text stands at the head of the first question"
    learned = list(conversation.learned)[1:]
    return Conversation([merged, *rest[1:]], learned, conversation.tools, (*conversation.unsaid, note))


def _is_text(message: Message) -> bool:
    return not message.keys() - {"role", "content"}


def _as_json(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
