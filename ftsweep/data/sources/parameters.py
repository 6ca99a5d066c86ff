"""Parameter lists of numpy-style docstrings as running words with BIO tags: which words are names, which are types.

An entry of such a list reads

    order : {'C', 'F'}, optional
        Memory layout. Ignored if `copy` is false.

The colon, the indentation and the backquotes say what is what, so they are left out, and several entries follow one
another in a row: `order { ' C ' , ' F ' } , optional Memory layout . Ignored if copy is false .` Tagged are PARAM, the
name of an entry and the names in backquotes of parameters of the same list, and TYPE, what stands between the colon and
`optional` or a default. Entries that would make a wrong tag are passed over: a type that is a sentence, a name that the
description has without backquotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

PARAM, TYPE = "PARAM", "TYPE"

MAX_WORDS = 60
MIN_WORDS = 12
"""Words of one row: fewer say too little, more would be cut at 128 tokens."""
MAX_TYPE_WORDS = 14
MAX_DESCRIPTION_WORDS = 36

_SECTIONS = frozenset({"Parameters", "Other Parameters"})
_UNDERLINE = re.compile(r"-{3,}$")
_ENTRY = re.compile(r"(?P<names>\*{0,2}\w+(?:, ?\*{0,2}\w+)*) ?: (?P<type>.+)")
_TAIL = re.compile(r"[,;.]?\s*\(?\b(?:optional|default)\b|\.$", re.IGNORECASE)
_END = re.compile(r"\s*(?:[-*+] |\d+\. |\.\. |>>> |[-=]{4,})")  # of the first paragraph: a list, a directive, code
_ROLE = re.compile(r":[\w:+-]+:`~?\.?([^`<]+?)(?:\s*<[^>]*>)?`")
_PIECE = re.compile(r"`{1,2}(?P<quoted>[^`]+)`{1,2}|(?P<word>\*{0,2}\w+(?:[.'-]\w+)*|[^\w\s`])")
_WORD = re.compile(r"\*{0,2}\w+(?:[.'-]\w+)*|[^\w\s`]")
_EMPHASIS = re.compile(r"\*{1,2}(\w+)\*{1,2}")
_CITATION = re.compile(r"\s*\[\w+\]_")
_ENGLISH = frozenset({"a", "A", "I"})  # names of parameters that are also words of every sentence


@dataclass(frozen=True)
class TaggedWords:
    """Words with one BIO tag each, and the line of their source file."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    line: int

    def __add__(self, other: TaggedWords) -> TaggedWords:
        return TaggedWords(self.words + other.words, self.tags + other.tags, self.line)


@dataclass(frozen=True)
class _Entry:
    """An entry as it is written: names, type, first paragraph."""

    names: tuple[str, ...]
    kind: str
    description: str
    line: int


def tagged_rows(docstring: str, first_line: int, seen: set[tuple[str, ...]]) -> Iterator[TaggedWords]:
    """Rows of consecutive entries of each list; `seen` holds entries that earlier rows have, and is added to."""
    for entries in _lists(docstring.expandtabs().splitlines(), first_line):
        names = frozenset(name.lstrip("*") for entry in entries for name in entry.names)
        row: TaggedWords | None = None
        for entry in entries:
            tagged = _tagged(entry, names)
            if tagged is None or tagged.words in seen:
                continue
            seen.add(tagged.words)
            if row is not None and len(row.words) + len(tagged.words) > MAX_WORDS:
                yield from [row] if len(row.words) >= MIN_WORDS else []
                row = None
            row = tagged if row is None else row + tagged
        yield from [row] if row is not None and len(row.words) >= MIN_WORDS else []


def _lists(lines: list[str], first_line: int) -> Iterator[list[_Entry]]:
    for index, (heading, underline) in enumerate(pairwise(lines)):
        if heading.strip() in _SECTIONS and _UNDERLINE.match(underline.strip()):
            yield list(_entries(lines, index + 2, _indent(heading), first_line))


def _entries(lines: list[str], begin: int, indent: int, first_line: int) -> Iterator[_Entry]:
    """Entries from line `begin` to the next heading, or to a line further left."""
    heads: list[int] = []
    end = len(lines)
    for index in range(begin, len(lines)):
        if not lines[index].strip():
            continue
        is_heading = index + 1 < len(lines) and _UNDERLINE.match(lines[index + 1].strip())
        if _indent(lines[index]) < indent or is_heading:
            end = index
            break
        if _indent(lines[index]) == indent:
            heads.append(index)
    for head, following in pairwise([*heads, end]):
        match = _ENTRY.fullmatch(_ROLE.sub(r"\1", lines[head].strip()))
        if match:
            names = tuple(name.strip() for name in match["names"].split(","))
            yield _Entry(names, match["type"], _first_paragraph(lines[head + 1 : following]), first_line + head)


def _first_paragraph(lines: list[str]) -> str:
    kept: list[str] = []
    for line in lines:
        if _END.match(line) or (kept and not line.strip()):
            break
        kept.append(line.strip())
    return _CITATION.sub("", _EMPHASIS.sub(r"\1", _ROLE.sub(r"\1", " ".join(kept)))).strip()


def _tagged(entry: _Entry, names: frozenset[str]) -> TaggedWords | None:
    """The entry's words with their tags; None when a tag would be doubtful."""
    tail = _TAIL.search(entry.kind)
    kind = _WORD.findall(entry.kind[: tail.start()] if tail else entry.kind)
    rest = _WORD.findall(entry.kind[tail.start() :].rstrip(".")) if tail else []
    described = _described(entry.description, names)
    is_sentence = ". " in entry.kind[: tail.start() if tail else None]
    if described is None or is_sentence or not 0 < len(kind) <= MAX_TYPE_WORDS or "%(" in entry.kind:
        return None
    words: list[str] = []
    tags: list[str] = []
    for name in entry.names:
        words += [name] if not words else [",", name]
        tags += [f"B-{PARAM}"] if not tags else ["O", f"B-{PARAM}"]
    words += [*kind, *rest, *(word for word, _ in described)]
    tags += [f"B-{TYPE}", *[f"I-{TYPE}"] * (len(kind) - 1), *["O"] * len(rest), *(tag for _, tag in described)]
    return TaggedWords(tuple(words), tuple(tags), entry.line)


def _described(text: str, names: frozenset[str]) -> list[tuple[str, str]] | None:
    """Words of whole sentences, as many as fit, with their tags; None when a name stands there without backquotes."""
    if "%(" in text:
        return None
    found: list[tuple[str, str]] = []
    num_whole = 0
    for piece in _PIECE.finditer(text):
        quoted, word = piece["quoted"], piece["word"]
        if quoted is not None:
            is_name = quoted.strip() in names
            words = [quoted.strip()] if is_name else _WORD.findall(quoted)
            found += [(each, f"B-{PARAM}" if is_name else "O") for each in words]
        elif word in names - _ENGLISH:
            return None
        else:
            found.append((word, "O"))
        if len(found) > MAX_DESCRIPTION_WORDS:
            return found[:num_whole]
        if word in (".", "!", "?"):
            num_whole = len(found)
    return found[:num_whole] if text.endswith(":") else found  # of what would introduce a list nothing is kept


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
