"""What a person should know of a guess: columns that may be the label as well, labels that are missing or alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ftsweep.data.looking.columns import ColumnFacts, as_list, is_missing
from ftsweep.data.looking.guess import Guess
from ftsweep.data.looking.labels import label_column, may_be_labels
from ftsweep.data.looking.names import LABELS, LISTS, PARTS_OF_ROWS
from ftsweep.data.looking.unsure import mean_words
from ftsweep.domain.commands import task_options
from ftsweep.domain.finding import Finding, Severity

_NUM_SHOWN = 4
_SCORES = {
    *("score", "scores", "rating", "reward", "quality", "helpfulness", "correctness", "coherence", "honesty", "rank"),
    *("overall", "upvotes", "votes", "stars", "grade"),
}
"""Words in the names of columns that say how good an answer is."""
_SENTENCE = 4  # words
_MUCH = 0.1
"""Share of the rows without a label from which on it is told."""


def told_of(
    guess: Guess | None, facts: Mapping[str, ColumnFacts], rows: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    """The findings of a guess that was made from the columns alone."""
    if guess is None:
        return
    if guess.task == "classification" and isinstance(label := guess.columns["label"], str) and label in facts:
        yield from _of_label(guess, label, facts, rows)
    if guess.task == "multi_label":
        yield from _of_single(guess, rows)
    if guess.task == "instruction":
        yield from _of_unread_context(guess, facts, rows)
        yield from _of_scores(guess, facts)
    yield from _of_missing_texts(guess, rows)
    if guess.task in ("classification", "regression", "multi_label"):
        yield from _of_other_text(guess, facts)
    if guess.task == "text":
        yield from _of_classes(guess, facts, len(rows))
        for name, each in facts.items():
            if each.kind == "empty" and name.strip().lower() in (*LABELS, *LISTS):
                remedy = "To learn labels: bring rows that have them"
                yield Finding("labels", Severity.WARN, f"the column {name!r} has nothing in any row", remedy=remedy)


def _of_label(
    guess: Guess, label: str, facts: Mapping[str, ColumnFacts], rows: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    text = guess.columns["text"]
    left = {name: other for name, other in facts.items() if name not in guess.columns.values() or name == label}
    if others := may_be_labels(left, label):
        shown = ", ".join(f"{name!r} ({facts[name].num_distinct} different values)" for name in others[:_NUM_SHOWN])
        what = f"{label!r} is taken for the label, and by what they hold these columns may be it as well: {shown}"
        remedy = f"If one is meant: {task_options('classification', text=text, label=others[0])}"
        yield Finding("labels", Severity.WARN, what, remedy=remedy)
    texts = [row for row in rows if isinstance(text, str) and row.get(text) not in (None, "")]
    missing = [row for row in texts if row.get(label) in (None, "")]
    if len(missing) > _MUCH * len(texts):
        what = f"{label!r} has nothing in {len(missing)} of {len(texts)} rows with a text, which cannot be learned"
        remedy = "Leave these rows out; they are for `ftsweep predict`"
        if texts[0] is not missing[0]:
            remedy += ". Where a cell stands for the rows below it, as merged cells of a sheet do, fill it down first"
        yield Finding("labels", Severity.WARN, what, count=len(missing), remedy=remedy)


def _of_missing_texts(guess: Guess, rows: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Rows that have nothing where the text is read: of another shape than the others, as files put together have."""
    name = guess.columns.get("text", guess.columns.get("prompt"))
    missing = [row for row in rows if isinstance(name, str) and is_missing(row.get(name))]
    if len(missing) > _MUCH * len(rows):
        what = f"{len(missing)} of {len(rows)} rows have nothing in {name!r}, and cannot be learned"
        others = [other for other in missing[0] if not is_missing(missing[0][other])]
        shown = ", ".join(map(repr, others[:_NUM_SHOWN]))
        remedy = (
            f"If they have the text elsewhere (the first has {shown}), write it there" if others else "Leave them out"
        )
        yield Finding("texts", Severity.WARN, what, count=len(missing), remedy=remedy)


def _of_unread_context(
    guess: Guess, facts: Mapping[str, ColumnFacts], rows: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    """Lists and objects with more text than the prompt: what a question is about."""
    prompt = guess.columns.get("prompt")
    if not isinstance(prompt, str) or not prompt or prompt not in facts:
        return
    read = {str(name).partition(".")[0] for name in guess.columns.values()}
    for name, each in facts.items():
        if each.kind not in ("other", "list") or "." in name or name in read:
            continue
        if mean_words(name, rows) >= 2 * facts[prompt].mean_words:
            what = f"{name!r} holds more text than {prompt!r} does, and is not read: questions are asked without it"
            remedy = "If answers need it, write it as one text to a column named context, which is read with the prompt"
            yield Finding("texts", Severity.WARN, what, remedy=remedy)


def _of_scores(guess: Guess, facts: Mapping[str, ColumnFacts]) -> Iterator[Finding]:
    """Numbers that say how good an answer is, which is learned whatever they say."""
    used = {str(name) for name in guess.columns.values()}
    found = [
        name
        for name, each in facts.items()
        if name not in used and each.kind == "number" and each.num_distinct > 1 and _SCORES & {*name.lower().split("_")}
    ]
    if found:
        shown = ", ".join(map(repr, found[:_NUM_SHOWN]))
        what = f"{shown} may say how good each answer is, and are not read: all answers are learned, the bad ones, too"
        remedy = "To learn the good ones alone, leave the others out of the file"
        yield Finding("columns", Severity.WARN, what, remedy=remedy)


def _of_other_text(guess: Guess, facts: Mapping[str, ColumnFacts]) -> Iterator[Finding]:
    """Sentences beside the text that nothing reads: a title, a second sentence."""
    text = guess.columns["text"]
    used = {str(name) for name in guess.columns.values()}
    others = [
        name
        for name, each in facts.items()
        if name not in used
        and "." not in name
        and each.kind == "text"
        and each.is_unique
        and each.mean_words >= _SENTENCE
    ]
    if "text_pair" in guess.columns or not isinstance(text, str) or not others:
        return
    shown = ", ".join(map(repr, others[:_NUM_SHOWN])) + ", ..." * (len(others) > _NUM_SHOWN)
    columns = {**guess.columns, "text": text, "text_pair": others[0]}
    what = f"{text!r} is taken for the text, and these columns hold sentences that are not read: {shown}; "
    what += f"to read one with it, as a pair: {task_options(guess.task, **columns)}"
    yield Finding("texts", Severity.NOTE, what)


def _of_classes(guess: Guess, facts: Mapping[str, ColumnFacts], num_rows: int) -> Iterator[Finding]:
    """Columns with a few values that are no labels by their name, or by the rows that have none."""
    text = guess.columns["text"]
    for name, each in facts.items():
        if name.lower() not in PARTS_OF_ROWS and each.num_values >= each.num_missing:
            continue
        plain = replace(each, name="label", num_missing=0)
        if name == text or label_column({"label": plain}) is None:
            continue
        why = "is named like a part that a row is in"
        if name.lower() not in PARTS_OF_ROWS:
            why = f"has nothing in {each.num_missing} of {num_rows} rows"
        what = f"{name!r} has {each.num_distinct} different values, {why}, and is not taken for the label"
        remedy = f"If it is one: {task_options('classification', text=text, label=name)}"
        yield Finding("labels", Severity.WARN, what, remedy=remedy)


def _of_single(guess: Guess, rows: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Several labels by their form, of which every row has exactly one."""
    labels, text = guess.columns["labels"], guess.columns["text"]
    if isinstance(labels, list):
        flags = [[str(row.get(name)).strip().lower() in ("1", "1.0", "true", "yes") for name in labels] for row in rows]
        if all(sum(each) == 1 for each in flags):
            shown = ", ".join(map(repr, labels[:_NUM_SHOWN]))
            what = (
                f"every row has a 1 in exactly one of {shown}; where no row can have several, write the column's name "
            )
            yield Finding("labels", Severity.NOTE, f"{what}to a column label, which is learned as one")
        return
    lists = [as_list(row.get(labels)) for row in rows]
    is_alone = all(len(each) == 1 and isinstance(each[0], str) for each in lists)
    if rows and is_alone and isinstance(rows[0].get(labels), list):
        what = f"every list in {labels!r} holds exactly one label; where no row can have several: "
        what += task_options("classification", text=text, label=f"{labels}.0")
        yield Finding("labels", Severity.NOTE, what)
