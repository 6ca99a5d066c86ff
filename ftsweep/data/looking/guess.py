"""Which task rows seem to be for, by their columns: names first, and what is in them where names say nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftsweep.data.files.conll_layout import TAG
from ftsweep.data.files.spans import hold_spans
from ftsweep.data.files.text_lists import tags_in
from ftsweep.data.looking.columns import ColumnFacts, as_list, column_named, is_id, tells_rows_apart
from ftsweep.data.looking.labels import MOST_CLASSES, is_joined, label_column
from ftsweep.data.looking.names import (
    ABOUT_CHATS,
    ALPACA,
    ANNOTATORS,
    ASKED_AND_ANSWERED,
    BESIDE,
    CHATS,
    COMPLETIONS,
    FIRSTS,
    LABELS,
    LISTS,
    LONG_TEXTS,
    NOT_DATA,
    NUMBERS,
    PLACES,
    PLURALS,
    PROMPTS,
    SECONDS,
    SHORT_TEXTS,
    SYSTEMS,
    TAGS,
    TEXTS,
    TOKENS,
)
from ftsweep.domain.message_lists import is_answered

TASKS = ("classification", "multi_label", "regression", "token_classification", "instruction", "preference", "text")


@dataclass(frozen=True)
class Guess:
    """A task, the task's names of columns to the rows' own, and why."""

    task: str
    columns: Mapping[str, Any]
    why: str


def guess_task(
    facts: Mapping[str, ColumnFacts], rows: Sequence[Mapping[str, Any]], said: Mapping[str, Any], task: str | None
) -> Guess | None:
    """What the rows seem to be for; with a `task` the columns for it; None when nothing fits.

    `said` are columns as the user names them: they stand, and the rest is guessed.
    """
    looks = {
        "preference": _preference,
        "instruction": _instruction,
        "token_classification": _tagged,
        "multi_label": _multi_label,
        "classification": _classification,
        "regression": _regression,
        "text": _text,
    }
    taken = {str(name) for names in said.values() for name in (names if isinstance(names, list) else [names])}
    free = {name: each for name, each in facts.items() if name not in taken and each.kind != "empty"}
    fitting = _tasks_of(said) if said and task is None else TASKS
    for name, look in looks.items():
        if name != task and (task is not None or name not in fitting):
            continue
        found = look({**free, **{key: facts[key] for key in taken & facts.keys()}}, rows, said)
        if found is not None:
            return Guess(name, {**found[0], **said}, found[1])
    return None


def _tasks_of(said: Mapping[str, Any]) -> set[str]:
    """The tasks whose columns these are."""
    own = {
        "classification": {"text", "text_pair", "label"},
        "regression": {"text", "text_pair", "label"},
        "multi_label": {"text", "text_pair", "labels"},
        "token_classification": {"tokens", "tags", "text"},
        "instruction": {"prompt", "completion", *CHATS, *ALPACA, *BESIDE},
        "preference": {"prompt", "chosen", "rejected", *BESIDE},
        "text": {"text"},
    }
    return {task for task, columns in own.items() if said.keys() <= columns}


_Found = tuple[dict[str, Any], str] | None
_Facts = Mapping[str, ColumnFacts]
_Rows = Sequence[Mapping[str, Any]]


def _preference(facts: _Facts, rows: _Rows, said: Mapping[str, Any]) -> _Found:
    answers = {name: each for name, each in facts.items() if each.kind in ("text", "messages", "message")}
    chosen = said.get("chosen") or column_named(answers, ("chosen", "preferred_output"))
    rejected = said.get("rejected") or column_named(answers, ("rejected", "non_preferred_output"))
    if chosen is None or rejected is None:
        return None
    others = {name: each for name, each in answers.items() if name not in (chosen, rejected)}
    chats = {name: each for name, each in others.items() if each.kind == "messages"}
    chats = {name: each for name, each in chats.items() if not any(is_answered(row.get(name)) for row in rows)}
    prompt = said.get("prompt") or column_named(others, PROMPTS) or column_named(chats, CHATS)
    beside = _beside(facts)
    asked = {} if prompt is None else {"prompt": prompt}
    return {**asked, "chosen": chosen, "rejected": rejected, **beside}, f"{chosen!r} is better than {rejected!r}"


def _instruction(facts: _Facts, rows: _Rows, said: Mapping[str, Any]) -> _Found:
    beside = _beside(facts)
    chats = [name for name, each in facts.items() if each.kind == "messages" and name not in BESIDE]
    if {"prompt", "completion"} <= facts.keys() and {"prompt", "completion"} & set(chats):
        return {"prompt": "prompt", "completion": "completion", **beside}, "prompt and completion hold messages"
    if named := next((name for name in CHATS if name in said), None):
        return {**beside}, f"{said[named]!r} is named as the messages"
    if chats and not {"prompt", "completion"} & said.keys():
        name = next((each for each in chats if each in CHATS), chats[0])
        own = name if name in CHATS else "conversations" if _is_sharegpt(rows, name) else "messages"
        return {own: name, **beside}, f"{name!r} holds messages"
    if {"instruction", "output"} <= facts.keys() and not said:
        columns = {name: name for name in ALPACA if name in facts}
        return {**columns, **beside}, "the columns are Alpaca's"
    texts = {name: each for name, each in facts.items() if each.kind == "text"}
    prompt = said.get("prompt") or column_named(texts, PROMPTS)
    completion = said.get("completion") or column_named(
        {key: each for key, each in texts.items() if key != prompt}, COMPLETIONS
    )
    if completion is None and not said and label_column(facts) is None:
        prompt = column_named(texts, (*PROMPTS, *LONG_TEXTS))
        completion = column_named({key: each for key, each in texts.items() if key != prompt}, SHORT_TEXTS)
    if (prompt is None or completion is None) and not said:
        pair = next((pair for pair in ASKED_AND_ANSWERED if set(pair) <= texts.keys()), None)
        if prompt is not None and _is_asked(texts.get(prompt), pair):
            pair = None  # two answers to a question
        if pair is None or column_named({key: each for key, each in facts.items() if key not in pair}, LABELS):
            return _transcripts(facts, rows, beside)
        prompt, completion = pair
    if prompt is None or completion is None:
        return None
    answer = facts.get(completion)
    if (
        answer is not None
        and not said
        and answer.num_distinct <= max(2, 0.2 * answer.num_values)
        and answer.mean_words < 4
    ):
        return None  # a few short answers, again and again: classes
    has_context = "context" in texts and "context" not in (prompt, completion) and not said
    columns = {"prompt": prompt, "completion": completion, **({"input": "context"} if has_context else {})}
    return {**columns, **beside}, f"{prompt!r} asks and {completion!r} answers"


def _beside(facts: _Facts) -> dict[str, str]:
    """What stands beside a conversation of any shape; a system message may have another name."""
    found = {name: name for name in BESIDE if name in facts}
    named = next((name for name in SYSTEMS if name in facts and facts[name].kind in SYSTEMS[name]), None)
    return found if "system" in found or named is None else {"system": named, **found}


def _is_asked(each: ColumnFacts | None, pair: Sequence[str] | None) -> bool:
    """Whether a column holds questions of its own beside a pair, and not where rows are from."""
    return each is not None and each.name not in (pair or ()) and each.is_unique and each.mean_words > 1


def _transcripts(facts: _Facts, rows: _Rows, beside: dict[str, str]) -> _Found:
    """A column of whole conversations, each in one text, where no column seems to be a label of them."""
    name = next((name for name, each in facts.items() if each.is_transcripts), None)
    if name is None:
        return None
    others = {key: each for key, each in facts.items() if key != name and not column_named({key: each}, ABOUT_CHATS)}
    said = {"text": name}
    if any(look({name: facts[name], **others}, rows, said) for look in (_multi_label, _classification, _regression)):
        return None
    why = f"{name!r} holds conversations in one text, in the form of {facts[name].marks}, which are read as messages"
    return {"messages": name, **beside}, why


def _is_sharegpt(rows: _Rows, name: str) -> bool:
    """Whether turns say `from` and `value`."""
    return any("from" in turn for row in rows[:20] for turn in row.get(name) or () if isinstance(turn, Mapping))


def _tagged(facts: _Facts, rows: _Rows, said: Mapping[str, Any]) -> _Found:
    lists = {name: each for name, each in facts.items() if each.kind == "list"}
    tokens = said.get("tokens") or column_named(lists, TOKENS)
    tags = said.get("tags") or column_named({key: each for key, each in lists.items() if key != tokens}, TAGS)
    if (tokens is None or tags is None) and not said:
        return _words_and_tags(facts, rows)
    if tokens is None or tags is None:
        return None
    same = sum(len(as_list(row.get(tokens))) == len(as_list(row.get(tags))) > 0 for row in rows)
    if not said and same < 0.9 * len(rows):
        return None
    return {"tokens": tokens, "tags": tags}, f"{tags!r} has a tag for each of {tokens!r}"


def _words_and_tags(facts: _Facts, rows: _Rows) -> _Found:
    """A text, and beside it a tag for each of its words: as a list, or with spaces between."""
    text = _text_column({name: each for name, each in facts.items() if each.kind == "text"}, {})
    for name, each in facts.items():
        words = {str(word) for value in each.counts for word in tags_in(value)}
        if text is None or name == text:
            continue
        if hold_spans([as_list(row.get(name)) for row in rows]):
            return {"tokens": text, "tags": name}, f"{name!r} holds spans of the characters of {text!r}"
        if each.kind not in ("list", "text") or not words - {"O"}:
            continue
        pairs = [(str(row.get(text)), as_list(row.get(name)) or tags_in(str(row.get(name) or ""))) for row in rows]
        same = sum(len(said.split()) == len(tags) > 0 for said, tags in pairs)
        if all(map(TAG.fullmatch, words)) and same >= 0.9 * len(rows):
            return {"tokens": text, "tags": name}, f"{name!r} has a tag for each word of {text!r}"
    return None


def _multi_label(facts: _Facts, rows: _Rows, said: Mapping[str, Any]) -> _Found:
    text = _text_column(facts, said)
    if text is None:
        return None
    if "labels" in said:
        return {**_texts(facts, text, said), "labels": said["labels"]}, "the columns are named"
    lists = {
        name: each
        for name, each in facts.items()
        if each.kind == "list"
        and name != text
        and each.num_distinct <= MOST_CLASSES
        and tells_rows_apart(each)
        and not column_named({name: each}, (*ANNOTATORS, *PLACES))
    }
    name = column_named(lists, LISTS) or next(iter(lists), None)
    if name is None:
        joined = [key for key, each in facts.items() if key != text and each.kind == "text" and is_joined(each)]
        name = column_named({key: facts[key] for key in joined}, LISTS)
    if name is not None:
        return {**_texts(facts, text, said), "labels": name}, f"{name!r} holds several labels"
    flags = [key for key, each in facts.items() if each.is_binary and key != text and key.lower() not in LABELS]
    parts = [key for key in flags if key.rpartition(".")[0].lower() in PLURALS]
    if len(flags) >= 3 or (len(parts) >= 2 and (flags := parts)):
        return {**_texts(facts, text, said), "labels": flags}, f"{len(flags)} columns are 0 or 1 each"
    return None


def _classification(facts: _Facts, rows: _Rows, said: Mapping[str, Any]) -> _Found:
    text = _text_column(facts, said)
    if text is None:
        return None
    label = said.get("label") or label_column({key: each for key, each in facts.items() if key != text})
    if label is None:
        return None
    num = facts[label].num_distinct if label in facts else 0
    return {**_texts(facts, text, said), "label": label}, f"{label!r} has {num} different values"


def _regression(facts: _Facts, rows: _Rows, said: Mapping[str, Any]) -> _Found:
    text = _text_column(facts, said)
    numbers = {
        key: each
        for key, each in facts.items()
        if each.kind == "number" and key != text and key.lower() not in NOT_DATA and each.num_distinct > 2
    }
    label = (
        said.get("label")
        or column_named(numbers, NUMBERS)
        or next((key for key, each in numbers.items() if each.has_fractions), None)
    )
    if text is None or label is None:
        return None
    return {**_texts(facts, text, said), "label": label}, f"{label!r} is a number"


def _text(facts: _Facts, rows: _Rows, said: Mapping[str, Any]) -> _Found:
    text = _text_column(facts, said)
    return None if text is None else ({"text": text}, f"{text!r} is all the text there is to learn")


def _texts(facts: _Facts, text: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """The text, and the second one of a pair."""
    others = {key: each for key, each in facts.items() if each.kind == "text" and key != text}
    if text.lower() == "sentence" and "text" not in said and (asked := column_named(others, ("question",))):
        return {"text": asked, "text_pair": text}  # QNLI's
    second = column_named(others, SECONDS)
    is_pair = second is not None and text.lower() in (*FIRSTS, "text")
    return {"text": text, **({"text_pair": second} if is_pair and "text" not in said else {})}


def _text_column(facts: _Facts, said: Mapping[str, Any]) -> str | None:
    if isinstance(said.get("text"), str):
        return str(said["text"])
    texts = {name: each for name, each in facts.items() if each.kind == "text" and not is_id(each) and each.tells}
    named = column_named(texts, TEXTS) or column_named(texts, FIRSTS)
    if named is not None:
        return named
    return max(texts, key=lambda name: texts[name].mean_words, default=None)
