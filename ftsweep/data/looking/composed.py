"""More doubts: texts in parts, questions and answers in two lists, choices without a name, prompts that say nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from ftsweep.data.files.shell import python_command
from ftsweep.data.looking.annotated import ELSE, Doubt
from ftsweep.data.looking.columns import ColumnFacts, column_named
from ftsweep.data.looking.guess import Guess
from ftsweep.data.looking.names import LABELS
from ftsweep.domain.commands import task_options

_MOST_ROWS = 0.9
_KINDS = ("entity", "slot_name", "alias", "meta")
"""Keys that say what a part of a text is."""
_CHUNKED = (
    "import json, pathlib, sys; [print(json.dumps({'text': ''.join(part['text'] for part in row['COLUMN']), "
    "'entities': [[len(''.join(each['text'] for each in row['COLUMN'][:place])), len(''.join(each['text'] for each in "
    "row['COLUMN'][:place + 1])), part['KIND']] for place, part in enumerate(row['COLUMN']) if part.get('KIND')], "
    "'intent': name})) for each in sys.argv[1:] for found in [FOUND] for name, rows in (found if isinstance(found, "
    "dict) else {pathlib.Path(each).stem: found}).items() for row in rows]"
)
_TURNS = (
    "import json, pathlib, sys; found = next(FOUND for each in sys.argv[1:]); [print(json.dumps({"
    "'messages': [said for place, (one, two) in enumerate(zip(row['ASKED'], row['ANSWERED'])) for said in ({'role': "
    "'user', 'content': (row['TEXT'] + chr(10) * 2) * (place == 0) + one['KEY']}, {'role': 'assistant', 'content': "
    "two['KEY']})]})) for row in (found if isinstance(found, list) else found['data'])]"
)
_SOLUTIONS = (
    "import json, sys; [print(json.dumps({'prompt': chr(10).join([row['TEXT'], row['ONE'], row['TWO']]), 'completion': "
    "row[('ONE', 'TWO')[int(which)]]})) for row, which in zip(map(json.loads, open(sys.argv[1], 'rb')), "
    "open(sys.argv[2]), strict=True)]"
)
_FOUND = (
    "json.loads(pathlib.Path(each).read_bytes()) if each.endswith('.json') else "
    "[json.loads(line) for line in open(each, 'rb') if line.strip()]"
)
"""Python for the value of a .json file, or the rows of one of lines."""
_CHUNKED, _TURNS = (code.replace("FOUND", _FOUND) for code in (_CHUNKED, _TURNS))
_LETTER = re.compile(r"[A-H]")
_REPEATED = 5
"""Rows for each different prompt from which on prompts say little."""


def of_chunks(rows: Sequence[Mapping[str, Any]], facts: Mapping[str, ColumnFacts]) -> Doubt | None:
    """Texts in a list of parts, some of which are entities: `[{"text": "play "}, {"text": "x", "entity": "song"}]`."""
    for name, each in facts.items():
        if each.kind != "other" or "." in name:
            continue
        lists = [row[name] for row in rows if isinstance(row.get(name), list) and row[name]]
        parts = [part for value in lists for part in value]
        if len(lists) < _MOST_ROWS * len(rows) or not all(
            isinstance(part, Mapping) and isinstance(part.get("text"), str) for part in parts
        ):
            continue
        kind = next((key for key in _KINDS if any(key in part for part in parts)), "")
        is_parted = kind and sum(part["text"][-1:] == " " or part["text"][:1] == " " for part in parts) > 0
        if is_parted or all(part.keys() <= {"text", "userDefined", *_KINDS} for part in parts):
            code = _CHUNKED.replace("COLUMN", name).replace("KIND", kind or "entity")
            return Doubt(
                f"the column {name!r} holds each text in parts, and no task reads it",
                "Write the texts whole, with their entities and the name of the list or the file they are in: "
                f"{python_command(code, 'OLD.json > NEW.jsonl')}. {ELSE}",
            )
    return None


def of_two_lists(rows: Sequence[Mapping[str, Any]], facts: Mapping[str, ColumnFacts]) -> Doubt | None:
    """A text with its questions in one list of objects and their answers in another, as CoQA has them."""
    if not {"questions", "answers"} <= facts.keys():
        return None
    pairs = [(row.get("questions"), row.get("answers")) for row in rows]
    if not all(isinstance(one, list) and isinstance(two, list) and len(one) == len(two) > 0 for one, two in pairs):
        return None
    items = [item for pair in pairs for value in pair for item in value or () if isinstance(item, Mapping)]
    keys = set.intersection(*({key for key, value in item.items() if isinstance(value, str)} for item in items or [{}]))
    texts = [name for name, each in facts.items() if each.kind == "text" and each.mean_words > 1]
    if not keys or not texts:
        return None
    text = max(texts, key=lambda name: facts[name].mean_words)
    code = _TURNS.replace("KEY", sorted(keys)[0]).replace("ASKED", "questions").replace("ANSWERED", "answers")
    return Doubt(
        "each row holds its questions in one list and their answers in another",
        "Write a conversation of each row, with its text before the first question: "
        f"{python_command(code.replace('TEXT', text), 'OLD.json > NEW.jsonl')}. {ELSE}",
    )


def of_two_conversations(facts: Mapping[str, ColumnFacts]) -> Doubt | None:
    """Two conversations of each row of which one would be learned: `conversation_a` and `conversation_b`."""
    chats = [name for name, each in facts.items() if each.kind == "messages"]
    for first, second in combinations(chats, 2):
        if first[:-1] == second[:-1] and (first[-1:].lower(), second[-1:].lower()) in (
            ("a", "b"),
            ("1", "2"),
            ("0", "1"),
        ):
            return Doubt(
                f"{first!r} and {second!r} are two conversations of each row, and one of them alone would be learned",
                "Where another column says the better one, write them to the columns chosen and rejected and leave "
                f"ties out: that is a pair of --task preference. {ELSE}",
            )
    return None


def of_solutions(facts: Mapping[str, ColumnFacts]) -> Doubt | None:
    """Two solutions of each row, of which a file beside says the right one, as PIQA has them."""
    if not {"goal", "sol1", "sol2"} <= facts.keys() or column_named(facts, LABELS) is not None:
        return None
    code = _SOLUTIONS.replace("TEXT", "goal").replace("ONE", "sol1").replace("TWO", "sol2")
    return Doubt(
        "'sol1' and 'sol2' are two solutions of each row, and no column says which is right",
        "Where a file has a line for each row, 0 or 1, write the right one as the answer: "
        f"{python_command(code, 'OLD.jsonl OLD-labels.lst > NEW.jsonl')}. {ELSE}",
    )


def of_unnamed_choices(guess: Guess, facts: Mapping[str, ColumnFacts]) -> Doubt | None:
    """A table without names, of a question, its choices, and the letter of the right one."""
    label, text = guess.columns.get("label"), guess.columns.get("text")
    if guess.task != "classification" or not isinstance(label, str) or not (label.isdigit() and str(text).isdigit()):
        return None
    letters = set(facts[label].counts)
    between = [name for name in facts if name.isdigit() and name not in (label, text)]
    if not all(map(_LETTER.fullmatch, letters)) or not 3 <= len(letters) <= len(between):
        return None
    return Doubt(
        f"the column {label} holds letters, {', '.join(sorted(letters))}, and the columns {', '.join(between)} seem to "
        "be the choices that they stand for: a label that says which tells nothing without them",
        "Write each question with its choices as one text, and the right choice as the answer, to the columns prompt "
        f"and completion. {ELSE}",
    )


def of_repeated_prompts(guess: Guess, facts: Mapping[str, ColumnFacts]) -> Doubt | None:
    """Answers to a few prompts again and again, beside a column that is named like a label."""
    prompt, answer = (guess.columns.get(name) for name in ("prompt", "completion"))
    if guess.task != "instruction" or not isinstance(prompt, str) or not isinstance(answer, str):
        return None
    if "input" in guess.columns:
        return None  # which tells the rows apart
    each = facts[prompt]
    few = {
        name: other
        for name, other in facts.items()
        if other.kind == "text" and 2 <= other.num_distinct <= other.num_values / 2 and other.mean_words < _REPEATED
    }
    label = column_named(few, ("label", "class", "category", "sentiment", "emotion", "intent"))
    if label is None or each.num_distinct * _REPEATED > each.num_values:
        return None
    return Doubt(
        f"{prompt!r} has {each.num_distinct} different values in {each.num_values} rows, and {label!r} is named like a "
        "label",
        f"To learn the label of {answer!r}: {task_options('classification', text=answer, label=label)}. To learn the "
        f"answers: {task_options('instruction', prompt=prompt, completion=answer)}.",
    )
