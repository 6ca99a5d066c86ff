"""Rows as programs and people annotate them: what they rejected, marks and labels over several columns, deep labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftsweep.data.files.spans import are_spans
from ftsweep.data.looking.columns import ColumnFacts, column_named
from ftsweep.data.looking.guess import Guess
from ftsweep.data.looking.names import LABELS, LISTS, NUMBERS, TO_LEARN
from ftsweep.domain.commands import task_options

ELSE = "To learn something else of these rows, say so with --task and --columns."
_MARKS = {"x", "✓", "✔", "1", "1.0", "yes", "y", "true", "*", "+"}
_VERDICTS = {"accept", "reject", "ignore"}
_PRODIGYS = {"_input_hash", "_task_hash", "_session_id", "_view_id", "_annotator_id", "spans", "options", "label"}
"""Columns that stand beside Prodigy's answers."""
_NUMBERED = re.compile(r"(.+?)[ _.-]?([1-9][0-9]?)?")
_MOST_CLASSES = 200
_FEW_WORDS = 5
_DEEPEST = 8
_MOST_ROWS = 0.9
_HALF = 0.5
"""Share of the rows that must have an answer, and of answers that must differ."""
_OPTIONS = {"choices", "options", "endings", "alternatives", "candidates"}
_RIGHT_ONES = ("answer", "answers", "answerkey", "correct", "gold", *LABELS)
"""Names of columns that say which choice is right."""
_WHICH = re.compile(r"(?i)\(?([a-h]|-?\d+(\.0)?)[).]?")
"""What says which choice is right, by its place."""
_OPTION = re.compile(r"(?i)(choice|option|opt|ending|alternative|candidate|answer)[ _-]?[0-9a-e]|op[a-e]|sol[12]")
_ABOUT = (
    "id",
    "from_name",
    "to_name",
    "type",
    "user_id",
    "created_at",
    "updated_at",
    "completed_by",
    "status",
    "origin",
)
"""Keys of what programs write about an annotation."""


@dataclass(frozen=True)
class Doubt:
    """What speaks against every guess, and what to do about it."""

    what: str
    remedy: str


def of_rejected(guess: Guess, facts: Mapping[str, ColumnFacts]) -> Doubt | None:
    """Prodigy's rows, of which a column says whether the annotation was accepted."""
    each = facts.get("answer")
    said = set() if each is None else set(each.counts)
    if each is None or not said <= _VERDICTS or not said - {"accept"}:
        return None
    if guess.columns.get("label") == "answer" and ("ignore" not in said or not _PRODIGYS & facts.keys()):
        return None  # whether one label is right is what is learned, or what somebody did
    counts = ", ".join(f"{value} ({count})" for value, count in each.counts.most_common())
    return Doubt(
        f"'answer' says of each row whether its annotation was accepted, {counts}, and all of them would be learned",
        "Leave out the rows whose answer is not accept; to learn accept and reject themselves, leave out those with "
        f"ignore. {ELSE}",
    )


def of_several_columns(guess: Guess, facts: Mapping[str, ColumnFacts]) -> Doubt | None:
    """Labels in columns that are numbered, of which one would be learned: `label1`, `label2`."""
    label = guess.columns.get("label")
    match = _NUMBERED.fullmatch(label) if guess.task == "classification" and isinstance(label, str) else None
    if match is None or not isinstance(label, str) or match[1].lower() not in {*LABELS, *LISTS}:
        return None
    others = [
        name
        for name, each in facts.items()
        if name != label
        and (other := _NUMBERED.fullmatch(name))
        and other[1].lower() == match[1].lower()
        and each.kind in ("text", "number")
        and not each.has_fractions
        and each.num_distinct <= _MOST_CLASSES
        and each.mean_words < _FEW_WORDS
    ]
    if not others:
        return None
    columns = [name for name in facts if name in (label, *others)]
    return Doubt(
        f"the columns {', '.join(map(repr, columns))} all seem to hold labels, and one of them alone would be learned",
        "To learn all of a row's, write them to one column named labels, with | between them. To learn one alone: "
        f"{task_options('classification', text=guess.columns['text'], label=columns[0])}.",
    )


def of_several_numbers(guess: Guess, facts: Mapping[str, ColumnFacts]) -> Doubt | None:
    """Columns of numbers of which one would be learned, and no name says which."""
    label = guess.columns.get("label")
    if guess.task != "regression" or not isinstance(label, str) or column_named({label: facts[label]}, NUMBERS):
        return None
    alike = [name for name, each in facts.items() if each.kind == "number" and each.has_fractions]
    if len(alike) < 2:
        return None
    return Doubt(
        f"the columns {', '.join(map(repr, alike[:5]))} hold numbers, and one of them alone would be learned",
        f"Say which: {task_options('regression', text=guess.columns['text'], label=label)}. Where they say how sure "
        "each label is, write 1 for those that hold and 0 for others: the columns are read as labels then.",
    )


def of_marks(guess: Guess, facts: Mapping[str, ColumnFacts]) -> Doubt | None:
    """Columns in which some rows have a mark and the others nothing: labels as people write them in sheets."""
    marked = [
        name
        for name, each in facts.items()
        if each.num_missing and each.counts and {value.lower() for value in each.counts} <= _MARKS
    ]
    alike = Counter(frozenset(map(str.lower, facts[name].counts)) for name in marked)
    marked = [name for name in marked if alike[frozenset(map(str.lower, facts[name].counts))] > 1]
    is_learned = guess.columns.get("label") in (None, *marked)
    if guess.task not in ("text", "classification") or len(marked) < 2 or not is_learned:
        return None
    shown = next(iter(facts[marked[0]].counts))
    return Doubt(
        f"the columns {', '.join(map(repr, marked))} have {shown!r} in some rows and nothing in the others, as labels "
        "have that a row may have several of",
        f"Write 1 for {shown!r} and 0 for nothing: the columns are read as labels then. {ELSE}",
    )


def of_capitals(guess: Guess | None, facts: Mapping[str, ColumnFacts]) -> Doubt | None:
    """Columns that differ in capitals alone, each of them in some of the rows: files that name them in several ways.

    Those that nobody learns, such as ids, are none of it.
    """
    used = {*TO_LEARN, *(() if guess is None else _lowered(guess.columns.values()))}
    by_name: dict[str, list[str]] = {}
    for name in facts:
        if (plain := name.strip().lower()) in used:
            by_name.setdefault(plain, []).append(name)
    several = [names for names in by_name.values() if len(names) > 1 and all(facts[name].num_missing for name in names)]
    if not several:
        return None
    told = "; ".join(" and ".join(map(repr, names)) for names in several)
    return Doubt(
        f"columns have names that differ in capitals alone, and each is in some of the rows: {told}",
        f"Write the names alike in all files. {ELSE}",
    )


def _lowered(columns: Iterable[Any]) -> Iterator[str]:
    """The names of columns, and of those in lists of them, without capitals."""
    for each in columns:
        for name in each if isinstance(each, list | tuple) else [each]:
            yield str(name).strip().lower()


def of_choices(guess: Guess, facts: Mapping[str, ColumnFacts]) -> Doubt | None:
    """Label Studio's tables, in which several labels of a row are JSON and one is plain."""
    label = guess.columns.get("label")
    counts = facts[label].counts if isinstance(label, str) and label in facts else {}
    found = next((value for value in counts if value.startswith('{"choices"')), None)
    if found is None:
        return None
    return Doubt(
        f"{label!r} holds one label in some rows and several as JSON in others, as Label Studio writes them: {found}",
        f"Write | between them, a|b, and say {task_options('multi_label', text=guess.columns['text'], labels=label)}. "
        f"{ELSE}",
    )


def of_options(guess: Guess, facts: Mapping[str, ColumnFacts]) -> Doubt | None:
    """Questions with choices beside them, of which a label says the number: without the choices it says nothing."""
    if guess.task not in ("classification", "multi_label", "regression"):
        return None
    lists = [
        name
        for name, each in facts.items()
        if _OPTIONS & set(name.lower().split(".")) and (each.kind == "list" or (each.kind == "other" and "." in name))
    ]
    numbered = [name for name, each in facts.items() if each.kind in ("text", "number") and _OPTION.fullmatch(name)]
    found = [name for name in lists or numbered if not _is_the_same(facts[name])]  # else they are names of classes
    if not lists and len(found) < 2:
        return None
    label = guess.columns.get("label", guess.columns.get("labels"))
    others = {name: each for name, each in facts.items() if name not in (*found, guess.columns["text"])}
    if not found or (label in found and not column_named(others, _RIGHT_ONES)):
        return None
    if isinstance(label, str) and label not in found:
        choices = {value for name in found for value in (name, *facts[name].counts)}
        if not all(value in choices or _WHICH.fullmatch(value) for value in facts[label].counts):
            return None
    return Doubt(
        f"the choices of each question stand in {', '.join(map(repr, found[:5]))}, and the answer is one of them: a "
        "label that says which tells nothing without them",
        "Write each question with its choices as one text, and the right choice as the answer, to the columns prompt "
        f"and completion. {ELSE}",
    )


def _is_the_same(each: ColumnFacts) -> bool:
    """Whether all rows have the same value, or the same items in their lists."""
    return all(count == each.num_values for count in each.counts.values())


def spans_path(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """The part of a column of objects that holds spans of characters: `annotations.0.result`; "" without one.

    A text without an entity has an empty list there, which speaks for the part and not against it.
    """
    found = Counter(path for row in rows for path in _spans_within(name, row.get(name), _DEEPEST))
    for path, count in found.items():
        num_empty = sum(_part(row, path) == [] for row in rows)
        if count + num_empty >= _MOST_ROWS * len(rows):
            return path
    return ""


def _part(row: Mapping[str, Any], path: str) -> Any:
    """What stands at a path within a row; None where it leads nowhere."""
    value: Any = row
    for key in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(key)
        else:
            value = value[int(key)] if isinstance(value, list) and key.isdigit() and int(key) < len(value) else None
    return value


def _spans_within(path: str, value: Any, depth: int) -> Iterator[str]:
    if are_spans(value):
        yield path
    elif isinstance(value, Mapping) and depth:
        for key, inner in value.items():
            yield from _spans_within(f"{path}.{key}", inner, depth - 1)
    elif isinstance(value, list | tuple) and depth and value:
        yield from _spans_within(f"{path}.0", value[0], depth - 1)


def label_path(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """The part of a column of objects that tells rows apart as a label does: `annotations.0.value`; "" without one."""
    found = _texts_within(name, rows)
    few = {path: counts for path, counts in found.items() if 2 <= len(counts) <= min(_MOST_CLASSES, len(rows) / 2)}
    return min(few, key=lambda path: len(few[path]), default="")


def answer_path(name: str, rows: Sequence[Mapping[str, Any]]) -> tuple[str, int]:
    """The part of a column of objects that is another text in most rows, `answers.text.0`, and how many have none.

    "" without one. Questions without an answer have an empty list.
    """
    found = _texts_within(name, rows, _HALF)
    many = {path: len(counts) for path, counts in found.items() if len(counts) > _HALF * counts.total()}
    path = max(many, key=lambda path: many[path], default="")
    return path, len(rows) - found[path].total() if path else 0


def _texts_within(name: str, rows: Sequence[Mapping[str, Any]], share: float = _MOST_ROWS) -> dict[str, Counter[str]]:
    """Texts within a column's objects, by where they are, that this share of the rows has, each with its number."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        value = row.get(name)
        for path, text in _leaves(name, value, _DEEPEST) if not isinstance(value, str) else ():
            found.setdefault(path, Counter())[text] += 1
    return {path: counts for path, counts in found.items() if counts.total() >= share * len(rows)}


def _leaves(path: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    """The texts within a value, by where they are; of lists that of the first item."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping) and depth:
        for key, inner in value.items():
            if key not in _ABOUT:
                yield from _leaves(f"{path}.{key}", inner, depth - 1)
    elif isinstance(value, list | tuple) and depth and value:
        yield from _leaves(f"{path}.0", value[0], depth - 1)
