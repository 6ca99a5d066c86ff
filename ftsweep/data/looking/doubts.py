"""Why a guess is not made: rows that look like a task's and are written in a way that would be learned wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from ftsweep.data.files.conll_layout import TAG
from ftsweep.data.files.text import excerpt
from ftsweep.data.looking.annotated import (
    ELSE,
    Doubt,
    answer_path,
    label_path,
    of_capitals,
    of_choices,
    of_marks,
    of_options,
    of_rejected,
    of_several_columns,
    of_several_numbers,
    spans_path,
)
from ftsweep.data.looking.columns import ColumnFacts, column_named
from ftsweep.data.looking.composed import (
    of_chunks,
    of_repeated_prompts,
    of_solutions,
    of_two_conversations,
    of_two_lists,
    of_unnamed_choices,
)
from ftsweep.data.looking.guess import Guess
from ftsweep.data.looking.labels import is_named_as_id, separator_of_joined
from ftsweep.data.looking.message_rows import of_messages
from ftsweep.data.looking.names import PLURALS, TEXTS
from ftsweep.data.looking.unsure import (
    of_annotators,
    of_answers,
    of_paragraphs,
    of_turns,
    of_unanswered,
    of_unread_text,
)
from ftsweep.domain.commands import task_options

_ANSWERS = {
    "label", "labels", "class", "classes", "category", "categories", "sentiment", "emotion", "emotions", "intent",
    "target", "targets", "y", "score", "rating", "tag", "tags", "ner", "entities", "entity", "spans", "annotations",
    "annotation", "answer", "answers", "gold", "genres", "output", "completion", "completions", "response", "responses",
    "messages", "solutions",
    "translation", "summary", "highlights", "paragraphs", "qa", "qas", "winner", "preference",
    "price", "stars", "grade", "similarity", "cost",
}  # fmt: skip
"""Words in the name of a column that hardly any row would have for nothing."""
_CLASSES = {"label", "labels", "class", "category", "sentiment", "target"}
_SENTENCE = 4  # words of a text
_ALIKE = 0.5
"""Share of the words of one text that another has, at least, to be one as well."""
_SIGNED = re.compile(r"[^\w.,]?\s?[+-]?[\d.]*,\d+([.,]\d+)?\s*[^\w.,]?|[^\w.,]?\s?[+-]?\d+([.,]\d+)?\s*[^\w.,]?")
"""A number with a comma, or with a sign before or behind it."""
_REPLY = re.compile(r"(?i).*(response|answer|completion|output|reply|ref|summary|generation).*")


def doubt_of(
    guess: Guess | None, facts: Mapping[str, ColumnFacts], rows: Sequence[Mapping[str, Any]] = ()
) -> Doubt | None:
    """The doubt that a guess of columns alone leaves; None without one."""
    is_pair = guess is not None and guess.task == "preference"
    found = of_capitals(guess, facts) or of_messages(facts) or (None if is_pair else _of_two_answers(facts))
    found = found or of_two_conversations(facts) or of_solutions(facts) or of_two_lists(rows, facts)
    found = found or of_turns(guess, facts, rows) or of_paragraphs(facts, rows)
    found = found or (of_chunks(rows, facts) if guess is None or guess.task == "text" else None)
    if found or guess is None:
        return found
    return (
        of_unnamed_choices(guess, facts)
        or of_repeated_prompts(guess, facts)
        or _of_words(guess, facts)
        or _of_rated(guess, facts)
        or of_rejected(guess, facts)
        or _of_joined(guess, facts)
        or of_several_columns(guess, facts)
        or of_several_numbers(guess, facts)
        or of_marks(guess, facts)
        or of_choices(guess, facts)
        or of_options(guess, facts)
        or _of_text(guess, facts, rows)
        or of_unanswered(guess, facts, rows)
        or of_annotators(guess, facts)
        or of_answers(guess, facts, rows)
        or of_unread_text(guess, facts, rows)
    )


def _of_two_answers(facts: Mapping[str, ColumnFacts]) -> Doubt | None:
    """Two answers to a prompt of which another column says the better one."""
    texts = [name for name, each in facts.items() if each.kind in ("text", "messages") and _REPLY.fullmatch(name)]
    for first, second in combinations(texts, 2):
        if (first[:-1].lower(), first[-1:].lower(), second[-1:].lower()) in (
            (second[:-1].lower(), *ends) for ends in ("ab", "12", "01")
        ):
            return Doubt(
                f"{first!r} and {second!r} are two answers of each row, and which is the better one stands elsewhere",
                "Write them to the columns chosen and rejected, the better one first, and leave ties out: that is a "
                f"pair of --task preference. {ELSE}",
            )
    return None


def _of_words(guess: Guess, facts: Mapping[str, ColumnFacts]) -> Doubt | None:
    """A word and its tag a row, in a table: labels that are tags."""
    label = guess.columns.get("label")
    counts = facts[label].counts if isinstance(label, str) and label in facts else {}
    text = facts.get(str(guess.columns.get("text")))
    is_word = text is not None and text.most_words == 1  # then types alone are tags as well
    if len(counts) < 2 or "O" not in counts or not (is_word or all(map(TAG.fullmatch, counts))):
        return None
    return Doubt(
        f"each row is a word with its tag ({label!r} holds {', '.join(list(counts)[:4])}), and must be a sentence",
        "Write a word and its tag a line, 'London B-LOC' (types without B- as I-LOC), and a blank line behind each "
        "sentence, to a .conll file; or "
        f"a row per sentence with lists in the columns tokens and tags. {ELSE}",
    )


def _of_joined(guess: Guess, facts: Mapping[str, ColumnFacts]) -> Doubt | None:
    """One label a row by its column's name, and several in some of the cells: `3` and `3,5`."""
    label = guess.columns.get("label")
    each = facts.get(label) if guess.task == "classification" and isinstance(label, str) else None
    if each is None or each.name.strip().lower() in PLURALS or (separator := separator_of_joined(each)) is None:
        return None  # of a name of several labels a finding tells how it is read
    shown = next(text for text in each.counts if separator in text)
    text = guess.columns["text"]
    return Doubt(
        f"{label!r} holds several labels in some rows, {excerpt(repr(shown), 40)}, which stand alone in others",
        f"To learn all of a row's labels: {task_options('multi_label', text=text, labels=label)}. To learn each cell "
        f"as one label: {task_options('classification', text=text, label=label)}.",
    )


def _of_rated(guess: Guess, facts: Mapping[str, ColumnFacts]) -> Doubt | None:
    """Answers of which another column says whether they are good ones."""
    label = next((name for name, each in facts.items() if name.lower() == "label" and each.is_binary), None)
    if guess.task != "instruction" or label is None:
        return None
    return Doubt(
        f"{label!r} says of each answer whether it is a good one, and all of them would be learned",
        "Leave the bad ones out, and then the column; or write pairs, chosen and rejected, for --task preference. "
        f"{ELSE}",
    )


def _of_text(guess: Guess, facts: Mapping[str, ColumnFacts], rows: Sequence[Mapping[str, Any]]) -> Doubt | None:
    """Text alone, where a column is named like an answer and no task can read it."""
    if guess.task != "text":
        return None
    for name, each in facts.items():
        words = set(re.split(r"[\W_]+", name.lower()))
        is_constant = each.kind != "other" and each.num_distinct < 2 and name.lower() not in _CLASSES
        is_passed = each.kind == "empty" or is_constant or is_named_as_id(name)
        if name == guess.columns["text"] or is_passed or not words & _ANSWERS:
            continue
        shown, text = excerpt(next(iter(each.counts)), 80), str(guess.columns["text"])
        return Doubt(
            f"the column {name!r} is named like something to learn, and no task reads what it holds: "
            f"{_held(each, shown)}",
            f"{_remedy(each, shown, facts, rows, text)} To learn the texts alone: {task_options('text', text=text)}.",
        )
    return _of_two_texts(str(guess.columns["text"]), facts)


def _of_two_texts(text: str, facts: Mapping[str, ColumnFacts]) -> Doubt | None:
    """Another column of texts as long and as different, where no name says which is the text."""
    own = facts[text]
    if column_named({text: own}, TEXTS) or own.mean_words < _SENTENCE:
        return None
    found = [
        name
        for name, each in facts.items()
        if name == text or (each.kind == "text" and each.is_unique and each.mean_words >= _ALIKE * own.mean_words)
    ]
    if len(found) < 2:
        return None
    return Doubt(
        f"{' and '.join(map(repr, found[:3]))} are texts of each row, and {text!r} alone would be learned",
        f"To learn one from the other: {task_options('instruction', prompt=found[0], completion=found[1])}. To learn "
        f"one alone: {task_options('text', text=text)}.",
    )


def _held(each: ColumnFacts, shown: str) -> str:
    if each.kind in ("text", "number") and each.num_distinct < 2:
        return f"{shown} in every row"
    return (
        f"{shown}, and {each.num_distinct} different values in {each.num_values} rows" if each.kind == "text" else shown
    )


def _remedy(
    each: ColumnFacts, shown: str, facts: Mapping[str, ColumnFacts], rows: Sequence[Mapping[str, Any]], text: str
) -> str:
    inner = [name for name, other in facts.items() if name.startswith(f"{each.name}.") and other.kind == "text"]
    if len(inner) == 2 and each.kind == "other":
        return f"To learn one from the other: {task_options('instruction', prompt=inner[0], completion=inner[1])}."
    is_plain = re.fullmatch(r"-?\d+(\.\d+)?", shown)
    if not is_plain and _SIGNED.fullmatch(shown):
        return "Write numbers with a point and no other sign, such as 3.5."
    if each.kind in ("text", "number"):
        return (
            "Classes are two or more, and have several rows each; answers of their own are learned by "
            f"{task_options('instruction', completion=each.name)}, with the prompt's column."
        )
    if path := spans_path(each.name, rows):
        return (
            f"Its part {path} holds entities as spans of characters: "
            f"{task_options('token_classification', tokens=text, tags=path)}."
        )
    if path := label_path(each.name, rows):
        return f"Its part {path} seems to be a label: {task_options('classification', text=text, label=path)}."
    path, num_without = answer_path(each.name, rows)
    if path:
        without = (
            f" {num_without} of {len(rows)} rows have none: leave them out, or write there what is to be answered."
        )
        learned = f"Its part {path} is text: {task_options('instruction', prompt=text, completion=path)} learns it."
        return learned + without * (num_without > 0)
    if shown.startswith(('{"', '[{"')):
        return "It is JSON within text: write the label itself to the column."
    return (
        "A label is text or a whole number, several are a list of them: write it so, or name the part of an object "
        "that is one, such as label.name, or annotations.0.label of a list's first object, with --columns."
    )
