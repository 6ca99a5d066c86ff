"""One split's rows as a source reads them: renamed, stored, counted; and what was odd about its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ftsweep.data.files.base import Batch, OpenedFile, RawRow
from ftsweep.data.files.row_store import RowStore
from ftsweep.data.files.tables import TableFile
from ftsweep.data.files.text import excerpt
from ftsweep.data.files.text_lists import TextLists
from ftsweep.data.sources.columns import Columns
from ftsweep.domain.finding import Finding, Severity
from ftsweep.errors import DataError

MAX_UNREADABLE = 0.1
"""Share of a file's rows that may be unreadable; the guard `unusable_rows` judges fewer."""

NUM_SHOWN = 5
_MAX_KNOWN = 1000  # sets of columns that are remembered of a file
_FILES_TOLD = 3
"""Files of which one kind of finding is told; of more the number."""


def check_readable(bad: Sequence[str], num_rows: int, opened: OpenedFile) -> None:
    """Raise DataError for a file of which more than a tenth of the rows cannot be read."""
    if len(bad) > MAX_UNREADABLE * num_rows:
        more = f"; and {len(bad) - NUM_SHOWN} more" if len(bad) > NUM_SHOWN else ""
        lines = "line" if len(bad) == 1 else "lines"
        shown = "; ".join(bad[:NUM_SHOWN])
        remedy = f"{opened.remedy}."
        raise DataError(f"{len(bad)} {lines} cannot be read: {shown}{more}", where=opened.file.where, remedy=remedy)


def few_of_many(findings: Sequence[Finding], where: str) -> list[Finding]:
    """Of many findings alike only the first few, with the number of the others."""
    counts = Counter((finding.check, finding.severity) for finding in findings)
    seen: Counter[tuple[str, Severity]] = Counter()
    told = []
    for finding in findings:
        kind = (finding.check, finding.severity)
        seen[kind] += 1
        if seen[kind] <= _FILES_TOLD:
            told.append(finding)
        elif seen[kind] == _FILES_TOLD + 1:
            more = counts[kind] - _FILES_TOLD
            told.append(Finding(finding.check, Severity.NOTE, f"{more} more of this kind in the files of {where}"))
    return told


class SplitReader:
    """Reads the files of one split into a store."""

    def __init__(self, columns: Columns, lists: TextLists, where: str) -> None:
        """`lists` sees the cells of all splits: what separates labels is decided by all of them."""
        self._columns = columns
        self._lists = lists
        self._where = where
        self._found: dict[str, None] = {}
        self._by_file: dict[str, tuple[str, ...]] = {}
        self._findings: list[Finding] = []
        self._has_lists = "labels" in columns.names or "tags" in columns.names
        self._honoured: tuple[str, ...] = ()
        self.store = RowStore(columns.names)

    def read_file(self, opened: OpenedFile) -> None:
        """All rows of a file. Raises DataError when more than a tenth of them cannot be read."""
        if isinstance(opened, TableFile) and opened.seems_headless:
            raise DataError(
                "its first line looks like a row, not like names of columns: "
                f"{', '.join(excerpt(name) for name in opened.facts.columns[:4])}",
                where=f"{opened.file.where}:1",
                remedy=_headless_remedy(self._columns, opened),
            )
        columns = self._columns if opened.file.format == "conll" else self._columns.resolved(opened.facts.columns)
        if opened.file.format == "conll":  # the file itself honours the columns that are named by number
            columns = Columns(self._columns.names, {}, None)
            self._honoured = ("tokens", "tags")
        bad: list[str] = []
        before = len(self.store)
        self._found |= dict.fromkeys(opened.facts.columns)  # in the file's order, which numbers count in
        self._read(opened.batches() if self._is_plain(columns) else opened, columns, opened.file.name, bad)
        num_rows = len(self.store) - before
        self._note_columns(opened)
        self._findings += opened.findings
        check_readable(bad, num_rows, opened)

    def read_rows(self, rows: Iterable[RawRow], name: str, names: Iterable[str]) -> None:
        """Rows of something that is no file; `names` are its columns."""
        self._found |= dict.fromkeys(names)
        self._read(rows, self._columns, name, [])

    def end(self) -> RowStore:
        """The rows. Raises DataError for a column that is asked for and that no row has, or without any row."""
        self.store.file_columns = tuple(self._found)
        if not len(self.store):
            raise DataError("has no rows", where=self._where, remedy="Check that the file was written whole.")
        self._columns.resolved(list(self._found)).check(self._found, self._where, but=self._honoured)
        if self._has_lists:
            self.store.finish = self._lists.apply
        return self.store

    @property
    def findings(self) -> list[Finding]:
        """What the files showed, of many alike only the first few."""
        return few_of_many(self._findings, self._where) + self._unequal_columns()

    def _read(self, rows: Iterable[RawRow | Batch], columns: Columns, name: str, bad: list[str]) -> None:
        add, values_of = self.store.add, columns.values
        add_from, plain = self.store.add_from, columns.plain if self._is_plain(columns) else None
        self.store.add_file(name)
        known: set[tuple[str, ...]] = set()
        for raw in rows:
            if isinstance(raw, Batch):
                self.store.add_columns(raw.columns, plain or (), raw.first)
                self._found |= dict.fromkeys(raw.columns)
                continue
            if raw.problem:
                bad.append(f"{name}:{raw.number}: {raw.problem}")
                add({}, raw.number, raw.problem)
                continue
            names = tuple(raw.values)
            if names not in known:
                known = {names} if len(known) > _MAX_KNOWN else {*known, names}
                self._found |= dict.fromkeys(names)
            if plain is not None:
                add_from(raw.values, plain, raw.number)
                continue
            values, problem = values_of(raw.values)
            if self._has_lists and not problem:
                self._lists.add(values)
            add(values, raw.number, problem)

    def _is_plain(self, columns: Columns) -> bool:
        """Whether cells are kept as they are."""
        return not self._has_lists and columns.plain is not None

    def _note_columns(self, opened: OpenedFile) -> None:
        self._by_file[opened.file.name] = opened.facts.columns
        self._found |= dict.fromkeys(opened.facts.columns)

    def _unequal_columns(self) -> list[Finding]:
        """Files of one split whose columns differ in those that are read."""
        read = {name: set(columns) & self._columns.keep for name, columns in self._by_file.items()}
        every = set().union(*read.values()) if read else set()
        short = {name: every - columns for name, columns in read.items() if columns != every}
        if not short or len(read) < 2:
            return []
        name, missing = next(iter(short.items()))
        names = ", ".join(sorted(missing))
        what = f"{len(short)} of {len(read)} files lack columns that others have: {name} has no {names}"
        remedy = "Their rows go without; write the files alike if that is not meant"
        return [Finding("columns", Severity.WARN, what, len(short), len(short) / len(read), remedy=remedy)]


def _headless_remedy(columns: Columns, table: TableFile) -> str:
    """What to add to the command: columns by number, the label where few values stand, the text where long ones do.

    Of words and tags it is another name for the file.
    """
    if "tokens" in columns.names:
        return "A file with a word and its tag a line, and a blank line behind each sentence, must be named .conll."
    names = [name for name in columns.names if name not in ("text_pair",)][: max(len(table.facts.columns), 1)]
    places = {name: place for place, name in enumerate(names, start=1)}
    if names[:1] == ["text"]:
        text, target = table.likely_places
        places = {name: text if name == "text" else target for name in names[:2]}
    numbered = ", ".join(f"{name}: {place}" for name, place in places.items())
    return (
        f"If it is one, say so and name the columns by number: data.header=false 'data.columns={{{numbered}}}'. "
        "If it is not, say data.header=true."
    )
