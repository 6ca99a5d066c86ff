"""More doubts about a guess: what it would leave unread, answers that are missing, labels of several people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ftsweep.data.looking.annotated import ELSE, Doubt, answer_path, label_path
from ftsweep.data.looking.columns import ColumnFacts, column_named
from ftsweep.data.looking.guess import Guess
from ftsweep.data.looking.labels import is_named
from ftsweep.data.looking.names import CHATS, COMPLETIONS, TEXTS
from ftsweep.domain.commands import task_options
from ftsweep.domain.message_lists import messages_in
from ftsweep.domain.speakers import ROLES

_MESSAGE = '{"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}'
_ONE_OF_SEVERAL = re.compile(r"(.*[^\W\d_])[ _.-]*(\d{1,2}|[a-e])")
"""A name with a number or a letter behind it: `annotator_1`, `coder a`."""
_DEEPEST = 12
_NUM_SHOWN = 5
_QUESTIONS = (
    "import json, pathlib, sys; found = json.loads(pathlib.Path(sys.argv[1]).read_bytes()); [print(json.dumps({"
    "'question': asked['question'], 'context': part['context'], 'answer': (asked.get('answers') or [{'text': 'no "
    "answer'}])[0]['text']})) for page in (found if isinstance(found, list) else found['data']) for part in "
    "page['paragraphs'] for asked in part['qas']]"
)
_MORE = 2
"""So many times as many words as the text has are too many to be passed over."""
_ASKED, _ANSWERED = ("input", "question", "user", "human", "prompt"), ("output", "answer", "assistant", "response")
_SPEAKERS = ("sender", "author", "speaker", "name", "user", "role", "from")
_MOST_SPEAKERS = 10


def of_unanswered(guess: Guess, facts: Mapping[str, ColumnFacts], rows: Sequence[Mapping[str, Any]]) -> Doubt | None:
    """Conversations of which none has an answer behind a question."""
    column = next((guess.columns[name] for name in CHATS if name in guess.columns), None)
    if guess.task != "instruction" or not isinstance(column, str) or any(_has_answer(row.get(column)) for row in rows):
        return None
    if facts[column].num_transcripts:
        return None  # in one text, which is read in another way
    texts = {name: each for name, each in facts.items() if each.kind in ("text", "number")}
    beside = column_named(texts, (*COMPLETIONS, "reference", "reference_answer"))
    told = f", such as that in {beside!r}," if beside else ""
    return Doubt(
        f"no conversation in {column!r} has an answer of the assistant's behind a question, and there is nothing to "
        "learn",
        f"Write each answer{told} as the last message of its conversation: "
        f'{{"role": "assistant", "content": "..."}}. Questions alone are for `ftsweep predict`. {ELSE}',
    )


def _has_answer(value: Any) -> bool:
    speakers = [_speaker(each) for each in messages_in(value) or ()]
    return "user" in speakers and "assistant" in speakers[speakers.index("user") :]


def _speaker(message: Any) -> str:
    said = message.get("role", message.get("from")) if isinstance(message, Mapping) else ""
    return ROLES.get(str(said).strip().lower(), "")


def of_annotators(guess: Guess, facts: Mapping[str, ColumnFacts]) -> Doubt | None:
    """The same classes in columns whose names differ in a number or a letter: what several people said of each row."""
    label = guess.columns.get("label")
    if guess.task != "classification" or not isinstance(label, str) or is_named(facts[label]):
        return None
    if (match := _ONE_OF_SEVERAL.fullmatch(label)) is None:
        return None
    others = [
        name
        for name, each in facts.items()
        if name != label
        and (other := _ONE_OF_SEVERAL.fullmatch(name))
        and other[1] == match[1]
        and each.counts.keys() & facts[label].counts.keys()
    ]
    if not others:
        return None
    columns = [name for name in facts if name in (label, *others)]
    shown = ", ".join(map(repr, columns[:_NUM_SHOWN])) + ", ..." * (len(columns) > _NUM_SHOWN)
    return Doubt(
        f"the columns {shown} hold the same classes, as several people give them to a row, and "
        f"{label!r} alone would be learned",
        "Write the class that is to be learned, such as the one most of them gave, to a column named label. To learn "
        f"one alone: {task_options('classification', text=guess.columns['text'], label=columns[0])}.",
    )


def of_answers(guess: Guess, facts: Mapping[str, ColumnFacts], rows: Sequence[Mapping[str, Any]]) -> Doubt | None:
    """A label without a name of labels, while another column is named like answers, or holds labels in objects."""
    label = guess.columns.get("label")
    if guess.task != "classification" or not isinstance(label, str) or is_named(facts[label]):
        return None
    kinds = ("list", "other", "messages")
    others = {name: each for name, each in facts.items() if each.kind in kinds and name not in guess.columns.values()}
    text = guess.columns["text"]
    classes = task_options("classification", text=text, label=label)
    named = next(
        (each for each in others if each.lower() in ("labels", "label") and others[each].kind == "other"), None
    )
    if named is not None and (path := label_path(named, rows)):
        return Doubt(
            f"the column {named!r} holds objects and is named like labels, and {label!r} would be learned",
            f"Its part {path} seems to be a label: {task_options('classification', text=text, label=path)}. To learn "
            f"{label!r}: {classes}.",
        )
    name = column_named(others, ("answers", "answer", "completions", "responses", "outputs", "response", "completion"))
    if name is None:
        return None
    inner = f"{name}.0" if others[name].kind == "list" else answer_path(name, rows)[0] or f"{name}.PART"
    answers = task_options("instruction", prompt=text, completion=inner)
    return Doubt(
        f"the column {name!r} is named like answers, and {label!r} would be learned, which has "
        f"{facts[label].num_distinct} different values",
        f"To learn the answers: {answers}. To learn the classes: {classes}.",
    )


def of_turns(guess: Guess | None, facts: Mapping[str, ColumnFacts], rows: Sequence[Mapping[str, Any]]) -> Doubt | None:
    """Conversations of objects with other keys than messages have, where nothing or a text alone would be learned."""
    if guess is not None and guess.task != "text":
        return None
    for name in _larger(guess, facts, rows):
        if turns := _turns_in(name, rows):
            return Doubt(
                f"the column {name!r} holds conversations, as objects with {turns}, and no task reads them",
                f"Write each as messages, to a row {_MESSAGE}. {ELSE}",
            )
    return None


def of_paragraphs(facts: Mapping[str, ColumnFacts], rows: Sequence[Mapping[str, Any]]) -> Doubt | None:
    """Articles of SQuAD's layout: each holds paragraphs, and these the questions about them."""
    first = rows[0].get("paragraphs") if rows and "paragraphs" in facts else None
    part = first[0] if isinstance(first, list) and first else None
    if not isinstance(part, Mapping) or not {"context", "qas"} <= part.keys():
        return None
    return Doubt(
        "each row is an article with its 'paragraphs', and these hold the questions ('qas'), as SQuAD's files do",
        f'Write a row per question: `python -c "{_QUESTIONS}" OLD.json > NEW.jsonl`. {ELSE}',
    )


def of_unread_text(guess: Guess, facts: Mapping[str, ColumnFacts], rows: Sequence[Mapping[str, Any]]) -> Doubt | None:
    """Objects with more text than the text that would be learned, or a text that is something else in some rows."""
    if guess.task not in ("text", "classification"):
        return None
    text = guess.columns["text"]
    mixed = next((name for name, each in facts.items() if name.lower() in TEXTS and each.kind == "other"), None)
    if mixed is not None and text != mixed and not any(name.startswith(f"{mixed}.") for name in facts):
        return Doubt(
            f"the column {mixed!r} is text in some rows and something else in others, and would not be read",
            f"Write one text to it in every row. {ELSE}",
        )
    name = next(_larger(guess, facts, rows), None) if guess.task == "text" else None
    if name is None:
        return None
    return Doubt(
        f"the column {name!r} holds objects with more text than {text!r}, which alone would be learned",
        "Write what is to be learned to columns of its own. "
        f"To learn {text!r} alone: {task_options('text', text=text)}.",
    )


def _larger(guess: Guess | None, facts: Mapping[str, ColumnFacts], rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Columns of objects that hold twice as many words as the text that would be learned, or any where none would."""
    text = "" if guess is None else str(guess.columns["text"])
    words = facts[text].mean_words if text in facts else 0.0
    for name, each in facts.items():
        if each.kind != "other" or "." in name or name == text:
            continue
        if mean_words(name, rows) >= max(_MORE * words, 1):
            yield name


def _turns_in(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """How a column's lists of objects are turns of a conversation: their keys; "" where they are none."""
    items = [item for row in rows if isinstance(row.get(name), list | tuple) for item in row[name]]
    if not items or not all(isinstance(item, Mapping) for item in items):
        return ""
    keys = set.intersection(*({str(key) for key in item} for item in items))
    lowered = {key.lower(): key for key in keys}
    pair = [next((lowered[each] for each in names if each in lowered), "") for names in (_ASKED, _ANSWERED)]
    if all(pair):
        return f"{pair[0]!r} and {pair[1]!r}"
    for key in (lowered[each] for each in _SPEAKERS if each in lowered):
        if 2 <= len({str(item[key]) for item in items}) <= _MOST_SPEAKERS:
            said = max(keys - {key}, key=lambda other: sum(_num_words(item[other], 1) for item in items), default="")
            return f"{key!r} and {said!r}" if said else ""
    return ""


def mean_words(name: str, rows: Sequence[Mapping[str, Any]]) -> float:
    """Words of a column's texts in a row, at any depth, but for names and codes of one word."""
    return sum(_num_words(row.get(name), _DEEPEST) for row in rows) / max(len(rows), 1)


def _num_words(value: Any, depth: int) -> int:
    """Words in a value's texts, at any depth; words of one text alone are none of names and codes."""
    if isinstance(value, str):
        number = len(value.split())
        return number if number > 1 else 0
    if depth and isinstance(value, Mapping):
        return sum(_num_words(inner, depth - 1) for inner in value.values())
    if depth and isinstance(value, list | tuple):
        return sum(_num_words(inner, depth - 1) for inner in value)
    return 0
