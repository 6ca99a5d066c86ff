"""What a column of somebody's rows seems to hold."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ftsweep.data.files.text_lists import is_written_list, written_list
from ftsweep.data.looking.names import LISTS, NOT_DATA
from ftsweep.domain.message_lists import messages_in
from ftsweep.domain.transcripts import is_transcript, marks_in

Kind = Literal["text", "number", "list", "messages", "message", "other", "empty"]

_SHARE = 0.95
"""Of a column's values that must be of a kind for the column to be it."""
_MOST_DISTINCT = 5_000
_LANGUAGE_CHARACTERS = 4_000
_LEAST_CHARACTERS = 200
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Letters of Thai, Lao, Burmese, Khmer, Japanese and Chinese."""
_LETTERS_A_WORD = 3
_CLEAR_LEAD = 0.1  # of the share of letters that come in the language's order of frequency


@dataclass
class ColumnFacts:
    """Of the rows that were looked at."""

    name: str
    kind: Kind = "empty"
    num_values: int = 0
    num_missing: int = 0
    mean_words: float = 0.0
    """Words of a text, items of a list."""
    most_words: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    """How often each value stands there, a list's items each by themselves; the first 5,000 values."""
    has_fractions: bool = False
    """Of numbers: whether any is not whole."""
    sample: str = ""
    """The beginning of the column's text."""
    num_transcripts: int = 0
    """Of text: values that are a whole conversation each, with marks before its messages."""
    marks: str = ""
    """The form of most of them and its marks."""

    @property
    def num_distinct(self) -> int:
        return len(self.counts)

    @property
    def tells(self) -> bool:
        """Whether not every row has the same value."""
        return self.num_values < 2 or self.num_distinct > 1

    @property
    def is_unique(self) -> bool:
        """Whether hardly any value stands there twice."""
        return self.num_distinct >= min(_MOST_DISTINCT, 0.9 * self.num_values)

    @property
    def is_transcripts(self) -> bool:
        """Whether nearly every value is a whole conversation."""
        return 0 < _SHARE * self.num_values <= self.num_transcripts

    @property
    def is_binary(self) -> bool:
        """Whether all there is are zeros and ones, or yes and no."""
        values = {text.lower().removesuffix(".0") for text in self.counts}
        return any(values == pair for pair in ({"0", "1"}, {"true", "false"}, {"yes", "no"}))


def column_facts(name: str, rows: Sequence[Mapping[str, Any]]) -> ColumnFacts:
    """Look at one column of the rows."""
    values = [row.get(name) for row in rows]
    present = [value for value in values if not is_missing(value)]
    facts = ColumnFacts(name, num_values=len(present), num_missing=len(values) - len(present))
    if not present:
        return facts
    kinds = Counter(map(_kind_of, present))
    numeric = kinds["number"] + kinds["numeric"]
    most, count = kinds.most_common(1)[0]
    if numeric >= _SHARE * len(present):
        facts.kind = "number"
    elif kinds["text"] + numeric >= _SHARE * len(present):
        facts.kind = "text"
    elif count >= _SHARE * len(present):
        facts.kind = most  # type: ignore[assignment]  # no "numeric" is left here
    else:
        facts.kind = "other"
    lengths = [_length(value) for value in present]
    facts.mean_words, facts.most_words = sum(lengths) / len(lengths), max(lengths)
    for value in present:
        for item in as_list(value) if facts.kind == "list" else [value]:
            if len(facts.counts) < _MOST_DISTINCT or str(item) in facts.counts:
                facts.counts[str(item).strip()] += 1
    if facts.kind == "number":
        facts.has_fractions = any(not number.is_integer() for number in map(_number, present) if number is not None)
    if facts.kind == "text":
        facts.sample = " ".join(map(str, present[:200]))[:_LANGUAGE_CHARACTERS]
        transcripts = [value for value in present if isinstance(value, str) and is_transcript(value)]
        facts.num_transcripts, facts.marks = len(transcripts), marks_in(transcripts)
    return facts


def as_list(value: Any) -> list[Any]:
    """A list as it is, or what a text writes as one; nothing for anything else."""
    if isinstance(value, str):
        return written_list(value.strip()) or []
    return list(value) if isinstance(value, list | tuple) else []


def column_named(facts: Mapping[str, ColumnFacts], names: Sequence[str]) -> str | None:
    """The column that has one of the names, or has it as a word of its name; the first name counts most."""
    plain = {re.sub(r"[ .-]", "_", name.strip().lower()): name for name in facts}
    for name in names:
        if name in plain:
            return plain[name]
    for name in names:
        if len(name) > 3:
            for each, own in plain.items():
                if name in each.split("_"):
                    return own
    return None


def tells_rows_apart(each: ColumnFacts) -> bool:
    """Whether lists are not all empty or all alike, as the choices of a question, and hold names that come again.

    Numbers with fractions are no names: they are those of an embedding.
    """
    numbers = [number for value in each.counts if (number := _number(value)) is not None]
    if any(not number.is_integer() for number in numbers):
        return False
    comes_again = each.name.lower() in LISTS or each.num_distinct <= max(1, each.counts.total() / 2)
    return comes_again and any(count != each.num_values for count in each.counts.values())


def is_id(each: ColumnFacts) -> bool:
    """Whether a column's values name rows, and say nothing of them."""
    return each.name.lower() in NOT_DATA or (each.is_unique and each.mean_words <= 1.05 and each.num_values > 3)


def language_of(text: str) -> str:
    """The language that a text seems to be in, by its letters' frequencies; "" where it is short or others are near."""
    from charset_normalizer.cd import coherence_ratio

    if len(text) < _LEAST_CHARACTERS:
        return ""
    found = [*coherence_ratio(text.lower()), ("", 0.0), ("", 0.0)]
    (language, ratio), (_, next_ratio) = found[:2]
    return language if ratio - next_ratio >= _CLEAR_LEAD else ""


def is_missing(value: Any) -> bool:
    """Whether a cell has no value: null, not a number, or white space alone."""
    return (
        value is None
        or (isinstance(value, str) and not value.strip())
        or (isinstance(value, float) and math.isnan(value))
    )


def _kind_of(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return "number"
    if isinstance(value, Mapping) and _are_messages([value]):
        return "message"
    if isinstance(value, Mapping | str) and (turns := messages_in(value)) and _are_messages(turns):
        return "messages"
    if isinstance(value, str):
        text = value.strip()
        if is_written_list(text) and (found := written_list(text)) is not None:
            return _kind_of(found)
        return "numeric" if _is_number(text) else "text"
    if isinstance(value, list | tuple):
        return (
            "messages"
            if _are_messages(value)
            else "list"
            if not any(isinstance(v, dict | list) for v in value)
            else "other"
        )
    return "other"


def _are_messages(value: Iterable[Any]) -> bool:
    turns = list(value)
    keys = ({"role", "content"}, {"from", "value"}, {"role", "text"}, {"role", "parts"})
    return bool(turns) and all(
        isinstance(turn, Mapping) and any(pair <= turn.keys() for pair in keys) for turn in turns
    )


def _is_number(value: Any) -> bool:
    return _number(value) is not None


def _number(value: Any) -> float | None:
    """A finite number, or a text that is one."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _length(value: Any) -> int:
    """Words of a text, items of a list; in scripts without spaces between words three letters count as one."""
    if isinstance(value, str):
        return len(value.split()) + len(_UNSPACED.findall(value)) // _LETTERS_A_WORD
    return len(value) if isinstance(value, list | tuple) else 1
