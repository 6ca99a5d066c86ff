"""A row as two answers to one question, whatever the shape of its columns, and both as token ids with one prompt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ftsweep.domain.message_lists import written_messages
from ftsweep.domain.transcripts import is_transcript, transcript_in
from ftsweep.errors import DataError
from ftsweep.tasks.base import IGNORED, Example, RowError
from ftsweep.tasks.encoding.conversations import Conversation, conversation_of

COLUMNS = ("prompt", "chosen", "rejected", "system", "tools", "functions")
SIDES = ("chosen", "rejected")

_OTHER_NAMES = (("chosen_response", "rejected_response"), ("preferred", "dispreferred"), ("response_w", "response_l"))


class Pair(NamedTuple):
    """Two conversations that differ in their last message, which alone is learned."""

    chosen: Conversation
    rejected: Conversation


class Answer(NamedTuple):
    """A prompt and its answer as token ids; the answer's begin at `start` and go on to the end."""

    ids: list[int]
    start: int


def check_columns(available: Iterable[str]) -> None:
    """Raise DataError when there are no pairs in these columns, with the override that would name them."""
    found = set(available)
    if set(SIDES) <= found:
        return
    pair = next((pair for pair in _OTHER_NAMES if set(pair) <= found), None)
    remedy = "Name yours with data.columns, for example data.columns.chosen=<its name>"
    if pair is not None:
        remedy = f"Name yours: 'data.columns={{chosen: {pair[0]}, rejected: {pair[1]}}}'"
    raise DataError(
        "preference needs the columns 'chosen' and 'rejected', and 'prompt' unless both begin with the question; "
        f"found: {', '.join(sorted(found)) or 'none'}",
        remedy=remedy,
    )


def pair_of(values: Mapping[str, Any]) -> Pair:
    """A row's two conversations. Raises RowError when they are none, alike, or no answers to one question.

    Read are two texts or lists of messages behind a `prompt` (text or messages); two lists of messages that begin with
    the question, and two conversations in one text each (`Human: ...`, `Assistant: ...`, or other marks): a `prompt`
    beside those, with which the texts begin, is passed over.
    """
    found = Pair(*(_conversation(values, side) for side in SIDES))
    asked = [each.messages[:-1] for each in found]
    if asked[0] != asked[1]:
        raise RowError(
            "chosen and rejected do not answer the same question: what stands before their last answer differs"
        )
    if found.chosen.messages[-1] == found.rejected.messages[-1]:
        raise RowError("chosen and rejected are the same answer")
    return found


def read_as(values: Mapping[str, Any]) -> str:
    """The shape that a row's columns have, for people."""
    kinds = {name: "messages" if _is_list(values[name]) else "text" for name in COLUMNS[:3] if values.get(name)}
    return "preference pairs (" + ", ".join(f"{name}: {kind}" for name, kind in kinds.items()) + ")"


def cut_pair(answers: Sequence[Answer], max_length: int, bos_id: int | None) -> tuple[list[Answer], bool, bool]:
    """Both answers within `max_length` tokens, and whether their prompt or an answer was cut.

    The prompt loses its oldest tokens (never a start token), the same number for both; then an answer its end.
    """
    kept = 1 if answers[0].ids[0] == bos_id else 0
    excess = max(len(answer.ids) for answer in answers) - max_length
    # One token must stay before each answer: what predicts its first token.
    dropped = max(0, min(excess, min(answer.start for answer in answers) - max(kept, 1)))
    cut = [Answer(answer.ids[:kept] + answer.ids[kept + dropped :], answer.start - dropped) for answer in answers]
    ended = [Answer(answer.ids[:max_length], answer.start) for answer in cut]
    return ended, dropped > 0, any(len(answer.ids) > max_length for answer in cut)


def pair_example(answers: Sequence[Answer], unsaid: Sequence[str], *, cut: tuple[bool, bool]) -> Example | RowError:
    """One example: both sequences one behind the other; labels are the length of each and where its answer begins."""
    if any(answer.start >= len(answer.ids) for answer in answers):
        return RowError("the question leaves no room for an answer: no token of one is left")
    labels = [float(number) for answer in answers for number in (len(answer.ids), answer.start)]
    ids = [token for answer in answers for token in answer.ids]
    return Example(ids, labels, *cut, unsaid=tuple(dict.fromkeys(unsaid)))


def answer_of(ids: list[int], labels: Sequence[int]) -> Answer:
    """From the first token that is learned to the last one."""
    learned = [place for place, label in enumerate(labels) if label != IGNORED]
    if not learned:
        raise RowError("no token of an answer is left")
    return Answer(ids[: learned[-1] + 1], learned[0])


def _conversation(values: Mapping[str, Any], side: str) -> Conversation:
    beside = {name: values[name] for name in COLUMNS[3:] if values.get(name) is not None}
    answer, prompt = _parsed(values.get(side)), _parsed(values.get("prompt"))
    if answer is None or answer in ("", []):
        raise RowError(f"{side} is missing" if answer is None else f"{side} is empty")
    repeated = isinstance(answer, str) and isinstance(prompt, str) and answer.strip().startswith(prompt.strip())
    if _is_list(answer) and (prompt is None or any(_is_asked(message) for message in answer)):
        row: dict[str, Any] = {"messages": list(answer)}
    elif prompt is None or (repeated and is_transcript(answer)):
        row = {"messages": _transcript(answer, side)}
    else:
        row = {"prompt": prompt, "completion": answer}
    try:
        found = conversation_of({**row, **beside}, "last")
    except RowError as error:
        raise RowError(f"{side}: {error}") from error
    if "messages" in row and _parsed_last_is_asked(row["messages"]):
        raise RowError(f"{side} does not end with an answer")
    return found


def _transcript(text: Any, side: str) -> list[dict[str, str]]:
    try:
        found = transcript_in(text) if isinstance(text, str) else None
    except ValueError as error:
        raise RowError(f"{side} is a conversation in one text that cannot be read: {error}") from None
    if found is None:
        raise RowError(f"prompt is missing, and {side} does not begin with the question")
    return found.messages


def _parsed(value: Any) -> Any:
    """A list of messages that a table holds as text, or the one message that an answer is; anything else as it is."""
    if isinstance(value, str) and value.lstrip().startswith("[{"):
        return written_messages(value) or value
    return [value] if isinstance(value, Mapping) and value.keys() & {"role", "from"} else value


def _is_list(value: Any) -> bool:
    value = _parsed(value)
    return not isinstance(value, str | Mapping) and hasattr(value, "__iter__")


def _is_asked(message: Any) -> bool:
    return isinstance(message, Mapping) and message.get("role", message.get("from")) in ("user", "human")


def _parsed_last_is_asked(messages: Sequence[Any]) -> bool:
    return bool(messages) and _is_asked(messages[-1])
