"""A column that holds whole conversations: a list of messages, text that a table writes of one, or text with marks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftsweep.domain.message_lists import messages_in
from ftsweep.domain.transcripts import transcript_in
from ftsweep.tasks.base import RowError
from ftsweep.tasks.encoding.messages import role_of


def messages_of(value: Any, column: str, *, is_question: bool = False) -> list[Any]:
    """The column's messages, as the row has them. Raises RowError for what is no conversation, or not a whole one.

    A question may have no mark of an answer behind it.
    """
    found = messages_in(value)
    if found is not None:
        return found
    try:
        transcript = transcript_in(value, is_question=is_question) if isinstance(value, str) else None
    except ValueError as error:
        raise RowError(f"{column!r} is a conversation in one text that cannot be read: {error}") from None
    if transcript is None:
        more = ", nor a text with marks before its messages" if isinstance(value, str) and value.strip() else ""
        raise RowError(f"{column!r} is not a list of {{role, content}}{more}")
    return list(transcript.messages)


def without_answers(messages: Any) -> Any:
    """A conversation's messages without the assistant's at its end; what is none as it is."""
    try:
        kept = messages_of(messages, "messages", is_question=True)
    except RowError:
        return messages
    while kept and isinstance(kept[-1], Mapping) and role_of(kept[-1]) == "assistant":
        kept.pop()
    return kept


def form_of(value: Any) -> str:
    """The form of a conversation in one text, for people: `Guanaco's (### Human:, ### Assistant:)`; "" of others."""
    try:
        found = transcript_in(value) if isinstance(value, str) and messages_in(value) is None else None
    except ValueError:
        return ""
    return "" if found is None else f"{found.form} ({', '.join(found.marks)})"
