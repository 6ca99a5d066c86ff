"""Files to answer that have a row a line: which they are, and their lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from ftsweep.data.files.archives import split_member
from ftsweep.data.files.base import ReadSettings
from ftsweep.data.files.disguised import SAMPLE_LINES, holds_words_and_tags, refuse_disguised
from ftsweep.data.files.encodings import find_encoding
from ftsweep.data.files.foreign import refuse_foreign
from ftsweep.data.files.found import is_pattern
from ftsweep.data.files.kinds import data_file, format_of, is_known_kind, is_spreadsheet, lines_file
from ftsweep.data.files.made_readable import is_in_a_language
from ftsweep.data.files.reading import encoding_findings
from ftsweep.data.files.text import opened_text
from ftsweep.domain.finding import Finding, Severity
from ftsweep.domain.paths import typed_path
from ftsweep.errors import UsageError


def has_format(name: str) -> bool:
    """Whether a file's name says how its rows are written; others, and .txt, have a row a line."""
    if format_of(name)[0] not in (None, "txt") or is_spreadsheet(name):
        return True
    return typed_path(name).is_dir() or split_member(typed_path(name))[0] is not None or is_pattern(name)


def has_words_and_tags(name: str, encoding: str | None) -> bool:
    """Whether a file named .txt has a word and its tag a line, and is read as a .conll file is."""
    path = typed_path(name)
    return format_of(name)[0] == "txt" and path.is_file() and holds_words_and_tags(_first_lines(path, encoding))


@contextmanager
def opened_lines(
    name: str, encoding: str | None, wanted: Sequence[str]
) -> Iterator[tuple[Iterable[str], list[Finding]]]:
    """The lines of a file whose name says no format, packed or not, and what a person should know of its encoding.

    It is the one that is said, or what the bytes seem to be. Bytes that it does not have are half characters, which
    `TypedQuestions` finds. `wanted` are the columns of the task.

    Raises:
        DataError: its name or its first bytes are of a file that has no rows, or its lines are rows of a table.
        UsageError: it cannot be opened.
    """
    path = typed_path(name)
    try:
        if path.is_file():
            _check_kind(path)
            file = lines_file(path)
            refuse_foreign(file)
            lines = _first_lines(path, encoding)
            looked_for = tuple(wanted) if _may_be_cells(lines, wanted) else ("text",)
            found = find_encoding(file, encoding)
            refuse_disguised(file, lines, ReadSettings(wanted=looked_for), found.name, reads_objects=True)
            with opened_text(file, found) as text:
                yield text, [*encoding_findings(file, found, ReadSettings(encoding)), *_paragraphs_told(path, lines)]
        else:  # a pipe, which can be read only once
            with path.open(encoding="utf-8") as text:
                yield text, []
    except OSError as error:
        raise UsageError(
            f"cannot be read: {error.strerror or error}", where=name, remedy="Name a file that is there."
        ) from error


def _may_be_cells(lines: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether lines are told to be a table's: questions of any kind often have one ; or | each, but no tab."""
    return not {"label", "labels"}.isdisjoint(wanted) or any("\t" in line.rstrip() for line in lines)


def _paragraphs_told(path: Path, lines: Sequence[str]) -> list[Finding]:
    """A note where blank lines part the text of a file of which each line is a row."""
    written = "".join(line if line.strip() else "\n" for line in lines).strip()
    if "\n\n" not in written:
        return []
    what = (
        f"each line of {path.name} is a row, although blank lines part it; name its folder to have files read as "
        "training does"
    )
    return [Finding("lines", Severity.NOTE, what)]


def _check_kind(path: Path) -> None:
    """Raise DataError for a name with an extension of something else than rows, as training does.

    One that nothing is known of, such as that of `tmp.x8Fq2`, says nothing.
    """
    if format_of(path.name)[0] is None and is_known_kind(path.name) and not is_in_a_language(path):
        data_file(path, path.name)


def _first_lines(path: Path, encoding: str | None) -> list[str]:
    file = lines_file(path)
    with opened_text(file, find_encoding(file, encoding)) as text:
        return list(islice(text, SAMPLE_LINES))
