"""Conversations that stand in one text, with a mark before each message: which form it is, and the messages in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from ftsweep.domain.speakers import ROLES

Message = dict[str, str]

_ROLES = ROLES | {"instruction": "user", "input": "user", "response": "assistant"}
_START = re.compile(r"\s*(?:<s>|<bos>|<\|begin_of_text\|>|<\|startoftext\|>)?\s*")
_ENDS = ("</s>", "<|end|>", "<|endoftext|>", "<|eot_id|>", "<eos>", "<s>")
_LINE_MARKS = re.compile(r"(?m)^(?:Human|Assistant):")
_BLANK_LINES = re.compile(r"\A(?:[^\S\n]*\n)+")
_LLAMA_2_SYSTEM = re.compile(r"\A\s*<<SYS>>\n?(.*?)\n?<</SYS>>\s*", re.DOTALL)


class Transcript(NamedTuple):
    """A conversation in one text."""

    form: str
    """Whose form it is: `ChatML`."""
    marks: tuple[str, ...]
    """The marks of it that the text has, each once, in order."""
    messages: list[Message]
    """`role` and `content`, white space around it taken away; all of the text is a mark or in one of them."""


@dataclass(frozen=True)
class _Form:
    """How the messages of one form are marked."""

    name: str
    mark: re.Pattern[str]
    """With the group `role`."""
    end: str = ""
    """What must end each message but the last; "" where the next mark does."""
    alternates: bool = True
    """Whether a user and an assistant must speak in turn: a mark that stands inside of a message is told so."""
    lead: str = ""
    """What all texts have of which a system's message may stand before the first mark; "" where none may.

    Most texts lack it, and a pattern need not be looked for in them."""


_MARKED = [
    _Form("ChatML", re.compile(r"<\|im_start\|>(?P<role>\w+)[^\S\n]*(?=\n)"), "<|im_end|>", alternates=False),
    _Form(
        "Llama 3's",
        re.compile(r"<\|start_header_id\|>(?P<role>\w+)<\|end_header_id\|>"),
        "<|eot_id|>",
        alternates=False,
    ),
    _Form("Gemma's", re.compile(r"<start_of_turn>(?P<role>user|model)(?=\n)"), "<end_of_turn>", alternates=False),
    _Form("Zephyr's", re.compile(r"<\|(?P<role>system|user|prompter|assistant)\|>")),
]
_WRITTEN = [
    _Form("Guanaco's", re.compile(r"### ?(?P<role>Human|User|Assistant|System) ?:"), lead="###"),
    _Form("Alpaca's", re.compile(r"(?m)^### ?(?P<role>Instruction|Input|Response) ?:"), lead="###"),
    _Form("Vicuna's", re.compile(r"(?:(?<!\S)|(?<=</s>))(?P<role>SYSTEM|USER|ASSISTANT):(?!\S)"), lead="USER:"),
    _Form("OpenChatKit's", re.compile(r"(?m)^<(?P<role>human|bot)>: ?")),
    _Form("HH-RLHF's", re.compile(r"(?:\A|\n\n)(?P<role>Human|Assistant):")),
    _Form("lines of speakers", re.compile(r"(?m)^(?P<role>System|User|Human|Assistant|Bot|AI): ?")),
]


def transcript_in(text: str, *, is_question: bool = False) -> Transcript | None:
    """The conversation that a text holds; None of a text that does not begin like one.

    A question may have no mark of an answer behind it.

    Raises:
        ValueError: it begins like one, and a mark or a message in it is missing, or stands where none can be.
    """
    start = _START.match(text)
    body = text[start.end() if start else 0 :]
    if body.startswith("[INST]"):
        return _llama_2(text)
    for form in _MARKED:
        if form.mark.match(body):
            return _read(form, body)
    for form in _WRITTEN:
        found = form.mark.match(body) or (form.mark.search(body) if form.lead and form.lead in body else None)
        if found and _begins(form, body, found, is_question):
            return _read(form, body)
    return None


def is_transcript(text: str) -> bool:
    """Whether a text is a whole conversation, a question and its answer at least."""
    try:
        found = transcript_in(text)
    except ValueError:
        return False
    roles = [] if found is None else [message["role"] for message in found.messages if message["content"]]
    return "user" in roles and "assistant" in roles


def is_marked_question(text: str) -> bool:
    """Whether a text begins with a conversation's marks, and has a question; an answer may be missing."""
    try:
        found = transcript_in(text, is_question=True)
    except ValueError:
        return False
    return found is not None and any(message["role"] == "user" for message in found.messages)


def marks_in(texts: Iterable[str]) -> str:
    """The commonest form of conversations in one text and its marks, for people: `Guanaco's (### Human:, ...)`."""
    found = [transcript_in(text) for text in texts if is_transcript(text)]
    counts = Counter(each.form for each in found if each is not None)
    if not counts:
        return ""
    form = counts.most_common(1)[0][0]
    marks = dict.fromkeys(mark for each in found if each is not None and each.form == form for mark in each.marks)
    return f"{form} ({', '.join(marks)})"


def _begins(form: _Form, body: str, first: re.Match[str], is_question: bool) -> bool:
    """Whether this first mark is one that a conversation of the form begins with, and an answer's mark follows.

    Of a question the mark that it begins with is enough; others may stand in any text.
    """
    if is_question and first.start() == 0 and _role(first) == "user":
        return True
    if _role(first) == "assistant" and not body[: first.start()].strip():
        return False  # a greeting, or an answer alone: nothing says which
    roles = {_role(mark) for mark in form.mark.finditer(body)}
    return {"user", "assistant"} <= roles


def _read(form: _Form, body: str) -> Transcript:
    marks = list(form.mark.finditer(body))
    if form.name == "lines of speakers":
        marks = _of_two_speakers(marks)
    lead = body[: marks[0].start()].strip()
    messages: list[Message] = [{"role": "system", "content": lead}] if lead else []
    for place, mark in enumerate(marks):
        is_last = place == len(marks) - 1
        said = body[mark.end() : len(body) if is_last else marks[place + 1].start()]
        content = _tidy(_unended(form, said, place + 1, is_last=is_last))
        if is_last and not content:
            break  # the mark behind which a model answers
        messages.append({"role": _role(mark), "content": content})
    if form.name == "Alpaca's":
        _check_inputs(marks)
        messages = _with_inputs(messages)
    if form.name == "HH-RLHF's" and len(marks) != len(list(_LINE_MARKS.finditer(body))):
        raise ValueError(
            "a line begins with Human: or Assistant: without a blank line before it, so that it may be either"
        )
    if form.alternates:
        _check_turns(messages, form)
    return Transcript(form.name, tuple(dict.fromkeys(mark.group().strip() for mark in marks)), messages)


def _unended(form: _Form, said: str, number: int, *, is_last: bool) -> str:
    """A message without what ends it. Raises ValueError where the end is missing, or text stands behind it."""
    if not form.end:
        return _without_ends(said)
    content, end, behind = said.partition(form.end)
    if not end and not is_last:
        raise ValueError(f"{form.end} is missing behind message {number} of {form.name}")
    if _without_ends(behind).strip():
        raise ValueError(f"text stands behind the {form.end} of message {number}, and in no message")
    return content if end else _without_ends(content)


def _check_inputs(marks: list[re.Match[str]]) -> None:
    for before, mark in pairwise(marks):
        if mark["role"] == "Input" and before["role"] != "Instruction":
            raise ValueError("### Input: stands behind something else than ### Instruction:")


def _check_turns(messages: list[Message], form: _Form) -> None:
    turns = [message["role"] for message in messages]
    first = next((place for place, role in enumerate(turns) if role != "system"), len(turns))
    for place in range(first, len(turns)):
        wanted = ("user", "assistant")[(place - first) % 2]
        if turns[place] != wanted:
            raise ValueError(
                f"message {place + 1} is the {turns[place]}'s by its mark ({form.name}), where the {wanted}'s has to be"
                ": a mark is missing, or stands inside of a message"
            )


def _of_two_speakers(marks: list[re.Match[str]]) -> list[re.Match[str]]:
    """The marks of the two who speak first, and of a system: `Bot:` in a text of User and Assistant is text."""
    speakers: dict[str, str] = {}
    for mark in marks:
        speakers.setdefault(_role(mark), mark["role"])
    return [mark for mark in marks if speakers[_role(mark)] == mark["role"]]


def _with_inputs(messages: list[Message]) -> list[Message]:
    """Alpaca's input behind its instruction, as one message of the user."""
    found: list[Message] = []
    for message in messages:
        if found and found[-1]["role"] == message["role"] == "user":
            found[-1]["content"] = f"{found[-1]['content']}\n{message['content']}".strip()
        else:
            found.append(message)
    return found


def _llama_2(text: str) -> Transcript:
    messages: list[Message] = []
    marks = ["[INST]", "[/INST]"]
    turns = text.split("[INST]")[1:]
    for place, turn in enumerate(turns):
        asked, end, answer = turn.partition("[/INST]")
        if not end or "[/INST]" in answer:
            raise ValueError("[INST] and [/INST] are not in pairs")
        if place == 0 and (system := _LLAMA_2_SYSTEM.match(asked)):
            marks[1:1] = ["<<SYS>>", "<</SYS>>"]
            messages.append({"role": "system", "content": system[1].strip()})
            asked = asked[system.end() :]
        messages.append({"role": "user", "content": _tidy(asked)})
        answer = _tidy(_without_ends(answer))
        if answer or place < len(turns) - 1:
            messages.append({"role": "assistant", "content": answer})
    return Transcript("Llama 2's", tuple(marks), messages)


def _without_ends(text: str) -> str:
    """The text without the tokens of an end, and white space, that it ends with; no copy is made of each step."""
    end = len(text)
    while True:
        stop = end
        while stop and text[stop - 1].isspace():
            stop -= 1
        token = next((token for token in _ENDS if text.endswith(token, 0, stop)), "")
        if not token:
            return text[:end]
        end = stop - len(token)


def _role(mark: re.Match[str]) -> str:
    said = mark["role"].lower()
    return _ROLES.get(said, said)


def _tidy(text: str) -> str:
    """Without blank lines before it and white space around it; a line that is not the mark's keeps its indent."""
    found = _BLANK_LINES.sub("", text)
    return (found if found != text else text.lstrip()).rstrip()
