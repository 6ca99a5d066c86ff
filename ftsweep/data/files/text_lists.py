"""Lists that a table wrote as text: `['a', 'b']` of pandas, `a|b`, words and tags with spaces between them."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from typing import Any

from ftsweep.data.files.spans import are_spans, cut_words, words_and_tags
from ftsweep.data.files.tag_scheme import TagScheme
from ftsweep.domain.finding import Finding, Severity

LISTS = ("labels", "tokens", "tags")
"""Columns of tasks that hold lists."""

_SEPARATORS = ("\n", "|", ";", ",")
"""What parts labels, the first that any cell has; line ends where more cells have them than any of the others."""
_QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")
_ARRAY = re.compile(r"(?s)^(?:array\()?(\[.*\])(?:,\s*dtype=[\w.'<>]+)?\)?$")
_MOST_NAMES = 2_000
"""Different texts of labels that are remembered: more of them are no names."""
_LONGEST = 100_000
"""Characters of a written list; Python's parser is slow and deep on more."""
_BETWEEN = re.compile(r"[\s/+&#<>]+")
"""What may stand between labels, and as well be a part of one: it parts nothing, and is told."""
_MOST_ALONE, _LEAST_ALONE = 0.9, 10  # share of rows that are one word; the least of them
_MOST_BEGUN, _MOST_SHORT = 0.05, 0.5
"""Shares of entities that begin within a word, and that lack its last letter, above which they are none of a language
that joins words: it has endings behind names (`Budapesten`)."""
_VECTOR = re.compile(r"\[[01.,\s]+\]")


class TextLists:
    """What cells of text in a column of lists mean, decided by all of them: `add` each, then `apply`."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._names: Counter[str] = Counter()
        self.scheme = TagScheme()
        self._num_lists = self._num_vectors = 0
        self._sizes: set[int] = set()
        self._num_words = self._num_alone = 0  # cells of text with words, and those with one
        self._num_spans = self._num_within = 0  # entities as characters, and those that are parts of words
        self._num_begun = self._num_short = 0  # of those: that begin within a word, and that lack its last letter
        self._within: list[str] = []
        self._is_one_hot = False  # a 0 or 1 stands twice in a row, which labels do not

    def add(self, values: dict[str, Any]) -> None:
        """Look at one row's labels and tags."""
        tags = values.get("tags")
        if tags is not None:
            self.scheme.add(tags_in(tags) if isinstance(tags, str) else tags)
            if isinstance(words := values.get("tokens"), str):
                self._num_words += 1
                self._num_alone += len(words.split()) == 1 and not is_written_list(words)
                self._add_spans(words, tags_in(tags) if isinstance(tags, str) else tags)
        labels = values.get("labels")
        if isinstance(labels, str) and not is_written_list(labels.strip()):
            for separator in _SEPARATORS:
                if separator in labels.strip():
                    self._counts[separator] += 1
            if len(self._names) < _MOST_NAMES:
                self._names[" ".join(labels.split())] += 1
        elif labels is not None and labels != "":
            self._add_list(labels)

    def _add_spans(self, text: str, spans: Any) -> None:
        if are_spans(spans):
            within, num_spans = cut_words(text, spans)
            self._num_spans += num_spans
            self._num_within += len(within)
            self._num_begun += sum(each.num_before > 0 for each in within)
            self._num_short += sum(each.num_behind == 1 for each in within)
            self._within = self._within or [each.told for each in within[:1]]

    def _add_list(self, labels: Any) -> None:
        self._num_lists += 1
        is_text = isinstance(labels, str)
        vector = written_list(labels) if is_text and _VECTOR.fullmatch(labels.strip()) else labels
        if isinstance(vector, list | tuple) and len(vector) > 1 and all(_is_flag(value) for value in vector):
            self._num_vectors += 1
            self._sizes.add(len(vector))
            self._is_one_hot |= len(set(vector)) < len(vector)

    @property
    def vector_size(self) -> int:
        """How many labels there are where every list is a 0 or 1 for each of them; else 0."""
        is_one_hot = self._is_one_hot and self._num_vectors == self._num_lists and not self._names
        return next(iter(self._sizes)) if is_one_hot and len(self._sizes) == 1 else 0

    @property
    def separator(self) -> str | None:
        """What separates labels: line ends where most cells have them, `|` where any cell has one, else `;`, else `,`.

        A cell of labels with commas between may be broken into lines as well, and is no other cell's measure.
        """
        others = max(self._counts[separator] for separator in _SEPARATORS[1:])
        found = _SEPARATORS if self._counts["\n"] >= others else _SEPARATORS[1:]
        return next((separator for separator in found if self._counts[separator]), None)

    @property
    def findings(self) -> list[Finding]:
        """What a person should know of how lists are written."""
        found = []
        if self.separator is not None:
            message = f"labels are separated by {self.separator!r} in {self._counts[self.separator]} cells of text"
            found.append(Finding("labels", Severity.NOTE, message))
        elif spaced := self._spaced:
            first = next(iter(spaced))
            message = f"{sum(spaced.values())} cells of several words are one label each, such as {first!r}"
            remedy = "Their words stand in other cells, too: if they are several labels, write | between them"
            found.append(Finding("labels", Severity.WARN, message, count=sum(spaced.values()), remedy=remedy))
        if size := self.vector_size:
            message = f"labels are lists of {size} zeros and ones; a label is called by its place, 0 to {size - 1}"
            found.append(Finding("labels", Severity.NOTE, message))
        if self._num_alone > _MOST_ALONE * max(self._num_words, _LEAST_ALONE):
            message = f"{self._num_alone} of {self._num_words} rows are one word with its tag, and no sentence"
            remedy = "If each row is a word, write them to a .conll file with a blank line behind each sentence"
            found.append(Finding("tags", Severity.WARN, message, count=self._num_alone, remedy=remedy))
        if self._num_within:
            message = f"{self._num_within} of {self._num_spans} entities begin or end within a word, {self._within[0]}"
            remedy = (
                "Places count the characters of the text from 0, and an end is the character behind the entity: mend "
                "them where they count bytes, UTF-16 units or line ends of two characters, or end at the last character"
            )
            num_spans = self._num_spans
            is_much = self._num_begun > _MOST_BEGUN * num_spans or self._num_short > _MOST_SHORT * num_spans
            severity = Severity.WARN if is_much else Severity.NOTE
            share = self._num_within / self._num_spans
            found.append(Finding("tags", severity, message, self._num_within, share, remedy=remedy))
        if self.scheme.name != "BIO":
            message = f"tags are written in {self.scheme.name}, and were read as BIO"
            found.append(Finding("tags", Severity.NOTE, message))
        return found

    @property
    def _spaced(self) -> dict[str, int]:
        """Texts of several words, if half of them seem to be several labels: `a b c` beside `a`, or `c b` and `a c`."""
        words_of = {text: {word for word in _BETWEEN.split(text) if word} for text in self._names}
        texts_with = Counter(word for words in words_of.values() for word in words)
        names = {text.strip("#") for text in self._names}
        spaced = {text: count for text, count in self._names.items() if len(words_of[text]) > 1}
        doubtful = [
            text for text in spaced if words_of[text] & names or all(texts_with[word] > 1 for word in words_of[text])
        ]
        return spaced if spaced and len(doubtful) >= len(spaced) / 2 else {}

    def _parted(self, text: str) -> list[str]:
        parts = [text] if self.separator is None else text.split(self.separator)
        return [part.strip() for part in parts if part.strip()]

    def apply(self, values: dict[str, Any]) -> str:
        """Turn a row's cells of text into lists, in place; what is wrong with one, or ""."""
        for name in LISTS:
            value = values.get(name)
            if not isinstance(value, str):
                continue
            text = value.strip()
            if is_written_list(text):
                found = written_list(text)
                if found is None:
                    return f"{name!r} looks like a list and cannot be read as one: {text[:60]}"
                values[name] = found
            elif name == "labels":
                values[name] = self._parted(text)
            elif name == "tags" and isinstance(values.get("tokens"), str | list):
                values["tags"] = tags_in(text)
                if isinstance(values["tokens"], str) and not values["tokens"].lstrip().startswith("["):
                    values["tokens"] = values["tokens"].split()
        words, tags = values.get("tokens"), values.get("tags")
        if isinstance(words, str) and isinstance(tags, list) and (are_spans(tags) or not tags):
            tagged = words_and_tags(words, tags)
            values["tokens"], values["tags"] = tagged.words, tagged.tags
            if tagged.problem:
                return tagged.problem
        elif isinstance(words, str) and isinstance(tags, list):
            values["tokens"] = words.split()  # a text, and a tag for each of its words
        if "tags" in values:
            values["tags"] = self.scheme.apply(values["tags"])
        if self.vector_size and isinstance(flags := values.get("labels"), list | tuple):
            values["labels"] = [str(place) for place, flag in enumerate(flags) if flag]
        return ""


def is_written_list(text: str) -> bool:
    """Whether a text begins and ends as a list, a tuple or a set does."""
    begins = text.startswith(("[", "array("))
    return begins or (text.startswith(("(", "{", "set(", "frozenset(")) and text.endswith((")", "}")))


def _is_flag(value: Any) -> bool:
    return isinstance(value, int | float) and value in (0, 1)


def tags_in(text: str) -> list[Any]:
    """The tags that a text has: as a written list, or with white space, commas or both between them."""
    if text.lstrip().startswith(("[", "array(")):
        return written_list(text) or []
    parts = text.split()
    has_commas = "," in text and all(part.endswith(",") for part in parts[:-1])
    return [part.strip() for part in text.split(",")] if has_commas else parts


def written_list(text: str) -> list[Any] | None:
    """The list that a text spells in JSON, in Python, or as numpy prints one (`['a' 'b']`); None for none.

    A set is a list in the order of its values.
    """
    match = _ARRAY.match(text) if len(text) <= _LONGEST else None
    body = match[1] if match else text.removeprefix("frozenset(").removesuffix(")") if text[:1] == "f" else text
    if len(body) > _LONGEST:
        return None
    if re.search(r"""['"]\s+['"]""", body):  # Python would join the two
        return [single or double for single, double in _QUOTED.findall(body)]
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(body)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
        if isinstance(value, set | frozenset):
            return sorted(value, key=str)
        return list(value) if isinstance(value, list | tuple) else None
    if body.startswith("[") and body.endswith("]") and "'" not in body and '"' not in body:
        return [part.strip() for part in body[1:-1].split(",") if part.strip()]  # [joy, anger]
    return None
