"""What reading a file promises: rows with their places, what was found out about the file, and what was odd."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

from ftsweep.data.files.encodings import Encoding, checked_encoding
from ftsweep.data.files.inner import Read, constant, inner_columns
from ftsweep.data.files.kinds import Compression, DataFile, Format
from ftsweep.domain.finding import Finding, Severity
from ftsweep.errors import ConfigError, DataError

Quotes = Literal["check", "trust", "none"]

_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " ", "\\t": "\t"}
DELIMITER_NAMES = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "pipe", " ": "space"}


class RawRow(NamedTuple):
    """One row under the file's own names. `number` is its line, or in json and parquet its row's number, from 1."""

    values: Mapping[str, Any]
    number: int
    problem: str = ""
    """Why it cannot be read; then it has no values."""


class Batch(NamedTuple):
    """Rows that follow each other and are all whole, column by column."""

    first: int
    """The number of the first row; the others have the next ones."""
    columns: Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class ReadSettings:
    """What a user says of the files; None is to be found out."""

    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    quotes: Quotes = "check"
    wanted: tuple[str, ...] = ()
    """Names that a header is likely to have: those that the task reads."""
    mapping: Mapping[str, Any] = field(default_factory=dict)
    """The task's name of a column to the file's name or number, or a list of names."""
    keep: frozenset[str] | None = None
    """The file's columns that rows are to have; None for all."""
    whole_texts: bool = False
    """Whether each file of text is one row; else those are whose folder names their label, where one is learned."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "encoding", checked_encoding(self.encoding))
        object.__setattr__(self, "delimiter", _checked_delimiter(self.delimiter))
        if self.quotes not in get_args(Quotes):
            known = ", ".join(get_args(Quotes))
            raise ConfigError(f"{self.quotes!r} is not possible", where="data.quotes", remedy=f"Use {known}.")
        if self.header is not None and not isinstance(self.header, bool):
            raise ConfigError(
                f"{self.header!r} is not possible", where="data.header", remedy="Use true, false, or null."
            )

    @property
    def asked_names(self) -> set[str]:
        """The file's columns that the user names, numbers as text."""
        return {
            str(name) for names in self.mapping.values() for name in (names if isinstance(names, list) else [names])
        }


@dataclass
class FileFacts:
    """What was found out about a file. `columns` of tables is the header; of others what the first rows have."""

    format: Format
    compression: Compression
    encoding: str = ""
    delimiter: str = ""
    has_header: bool | None = None
    """Of tables; None where there is no such thing."""
    columns: tuple[str, ...] = ()
    class_names: dict[str, list[str]] = field(default_factory=dict)
    """Names that the file gives to the numbers of a column."""
    num_lines: int = 0


class OpenedFile(ABC):
    """A file of rows, to be read once or several times. Made by `ftsweep.data.files.reading.open_file`.

    Iterating raises DataError for what no row can be read from. `findings` and `num_bad` are complete after it.
    """

    remedy = ""
    """What to do about lines that cannot be read."""

    def __init__(self, file: DataFile, settings: ReadSettings, encoding: Encoding | None) -> None:
        self.file = file
        self.settings = settings
        self.encoding = encoding
        self.facts = FileFacts(file.format, file.compression)
        if encoding is not None:
            self.facts.encoding = encoding.name.removesuffix("-sig")
            self.facts.num_lines = encoding.num_lines
        self.assumed: list[Finding] = []
        """What was taken for granted when the file was opened."""
        self.seen: list[Finding] = []
        """What reading its rows showed."""
        self.num_bad = 0
        self.disguise: DataError | None = None
        """Why the lines of a text that its folder labels would be refused as those of a text without one."""
        self._inner: dict[str, Read] = {}

    def _has_columns(self, names: Iterable[str]) -> None:
        """Keep the names of the columns, with those within them that are asked for: `data.text`."""
        columns = tuple(names)
        asked = [*self.settings.asked_names, *(self.settings.keep or ())]
        self._inner = inner_columns(asked, columns)
        self._inner |= {name: constant(value) for name, value in self.file.parts if name not in columns}
        self.facts.columns = (*columns, *self._inner)

    @property
    def findings(self) -> list[Finding]:
        return [*self.assumed, *self.seen]

    def __iter__(self) -> Iterator[RawRow]:
        """All rows, those that cannot be read with their problem."""
        self.num_bad = 0
        self.seen = []
        for row in self.rows():
            if row.problem:
                self.num_bad += 1
            yield row

    @abstractmethod
    def rows(self) -> Iterator[RawRow]:
        """The rows, in order."""

    def batches(self) -> Iterator[Batch | RawRow]:
        """The same rows; those that are whole may come many at a time."""
        return iter(self)

    def place(self, row: RawRow) -> str:
        """Where a person finds a row."""
        return f"{self.file.name}:{row.number}"

    def note(self, check: str, message: str, *, count: int = 0, examples: tuple[str, ...] = ()) -> Finding:
        return Finding(check, Severity.NOTE, f"{self.file.name} {message}", count=count, examples=examples)

    def warn(
        self,
        check: str,
        message: str,
        *,
        count: int = 0,
        examples: tuple[str, ...] = (),
        remedy: str = "",
        override: str = "",
    ) -> Finding:
        message = f"{self.file.name} {message}"
        return Finding(check, Severity.WARN, message, count=count, examples=examples, remedy=remedy, override=override)


def _checked_delimiter(delimiter: str | None) -> str | None:
    if delimiter is None:
        return None
    found = _DELIMITERS.get(delimiter, delimiter) if isinstance(delimiter, str) else ""
    if len(found) != 1 or found in '"\r\n':
        raise ConfigError(
            f"{delimiter!r} does not separate cells",
            where="data.delimiter",
            remedy="Use one character, or a name: comma, semicolon, tab, pipe, space.",
        )
    return found
