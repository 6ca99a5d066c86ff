"""Rows of words and BIO tags: what they hold, and the examples that they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ftsweep.data.files.text_words import places_of, split_words
from ftsweep.tasks.base import IGNORED, Example, RowError
from ftsweep.tasks.encoding.bio import Entities, find_entities, type_of, types_of
from ftsweep.tasks.encoding.labels import folded
from ftsweep.tasks.encoding.words import SubWords

MISSED = -1000
"""In the labels of a row that max_length cut: MISSED - n at one unscored token says that n entities were cut off."""


def words_of(values: Mapping[str, Any], *, parts_signs: bool = False) -> list[str]:
    """A row's words: `tokens`, or `text` split on white space. Raises RowError when there are none.

    With `parts_signs` signs of a text are words of their own, as where entities are spans of its characters.
    """
    column = "text" if values.get("tokens") is None and values.get("text") is not None else "tokens"
    words = values.get(column)
    if isinstance(words, str):
        words = split_words(words) if parts_signs else words.split()
    if words is None:
        raise RowError("'tokens' is missing")
    if not isinstance(words, list | tuple):
        raise RowError(f"'tokens' is of type {type(words).__name__}, not a list of words")
    for place, word in enumerate(words, start=1):
        if not isinstance(word, str):
            raise RowError(f"word {place} of 'tokens' is {word!r}, not text")
    if not any(word.strip() for word in words):
        raise RowError(f"{column!r} is empty")
    return list(words)


def text_of(values: Mapping[str, Any]) -> str | None:
    """The text that a row has its words as; None where it has them as a list."""
    text = values.get("text") if values.get("tokens") is None else values["tokens"]
    return text if isinstance(text, str) else None


def words_and_tags_of(values: Mapping[str, Any], *, fold: bool = False) -> tuple[list[str], list[str]]:
    """A row's words and their BIO tags. Raises RowError for anything but two lists of text of one length.

    With `fold` types that differ in case, spaces or the form of their characters are one.
    """
    if isinstance(values.get("tokens"), str):
        raise RowError("'tokens' is of type str, not a list of words")
    words, tags = words_of({"tokens": values.get("tokens")}), values.get("tags")
    if tags is None:
        raise RowError("'tags' is missing")
    if not isinstance(tags, list | tuple):
        raise RowError(f"'tags' is of type {type(tags).__name__}, not a list of tags")
    if len(tags) != len(words):
        raise RowError(f"{len(words)} words in 'tokens' and {len(tags)} tags in 'tags'")
    for place, tag in enumerate(tags, start=1):
        if isinstance(tag, int) and not isinstance(tag, bool):
            raise RowError(
                "'tags' holds numbers, and nothing says their names: write tags such as O, B-person, I-person"
            )
        if not isinstance(tag, str):
            raise RowError(f"tag {place} of 'tags' is {tag!r}, not text")
        type_of(tag)
    return words, [f"{tag[:2]}{folded(tag[2:])}" if len(tag) > 2 else tag for tag in tags] if fold else list(tags)


def example_of(encoded: SubWords, ids: np.ndarray) -> Example | RowError:
    """A row's example; `ids` are the label ids of its words, as its tags say."""
    positions, cut = encoded.positions, set(encoded.cut)
    kept = [word for word, position in enumerate(positions) if position is not None]
    if len(kept) < len(ids) and len(kept) == len(encoded.input_ids):
        cut.update(kept[-1:])  # so that one token is free to tell of missed entities
        kept = kept[:-1]
    if not kept:
        return RowError("the tokenizer makes nothing of its words" if not cut else "max_length leaves no word of it")
    entities = find_entities(ids)
    learned = entities.write(len(ids))
    num_missed = 0
    for start, stop in zip(entities.starts, entities.stops, strict=True):
        shown = [word for word in range(start, stop) if positions[word] is not None]
        if not shown or not cut.isdisjoint(range(start, stop)):
            learned[start:stop] = IGNORED
            num_missed += 1
        else:  # its own first word may have no token
            learned[shown[0]] = learned[start]
    labels = [IGNORED] * len(encoded.input_ids)
    for word in kept:
        labels[positions[word]] = int(learned[word])  # type: ignore[index]  # kept words have a position
    if num_missed:
        free = set(range(len(labels))).difference(positions[word] for word in kept)
        labels[max(free)] = MISSED - num_missed
    return Example(encoded.input_ids, labels, was_cut=bool(cut), was_target_cut=bool(cut and num_missed))


def answer_of(
    words: Sequence[str], ids: np.ndarray, probabilities: np.ndarray, labels: Sequence[str], text: str | None
) -> dict[str, Any]:
    """One row's answer. `ids` has -1 for words without a token: one inside of an entity belongs to it.

    `text` is what the words are of, where that is known: entities then have its characters.
    """
    shown = np.flatnonzero(ids >= 0)
    found = find_entities(ids[shown])
    entities = Entities(found.types, shown[found.starts], shown[found.stops - 1] + 1)
    types = types_of(labels)
    places = [] if text is None else places_of(text, words)
    return {
        "tags": [labels[label] for label in entities.write(len(words))],
        "entities": [
            {
                "type": types[kind],
                "start": int(start),
                "end": int(stop),
                "text": " ".join(words[start:stop]) if text is None else text[places[start][0] : places[stop - 1][1]],
                "probability": float(np.prod(probabilities[start:stop])),
            }
            for kind, start, stop in zip(entities.types, entities.starts, entities.stops, strict=True)
        ],
    }
