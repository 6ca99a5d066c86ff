"""Rows to answer, one at a time: files read as the study read its own, lines that a person types, or a pipe's."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ftsweep.data.files.base import OpenedFile, ReadSettings
from ftsweep.data.files.found import find_files, saved_dataset
from ftsweep.data.files.inner import inner_columns, with_inner
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.reading import open_file
from ftsweep.data.files.tables import TableFile
from ftsweep.data.files.text import undecoded
from ftsweep.data.files.text_lists import TextLists
from ftsweep.data.sources.columns import Columns
from ftsweep.data.sources.dataset_rows import SavedRows
from ftsweep.domain.finding import Finding, Severity
from ftsweep.domain.paths import typed_path
from ftsweep.domain.transcripts import is_marked_question
from ftsweep.errors import DataError


class Asked(Protocol):
    """What reading needs of a task."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    @property
    def question_columns(self) -> tuple[str, ...]: ...

    def without_target(self, values: Mapping[str, Any]) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Question:
    """One row: its place, the values that the task reads, all that the file has, and why it cannot be read."""

    place: str
    values: Mapping[str, Any]
    original: Mapping[str, Any]
    problem: str = ""


class FileQuestions:
    """The rows of a file, a pattern or a folder, in the study's way: its columns, encoding, separator, quotes.

    Columns may have the study's names or the task's own. Iterating holds one row in memory, but of `.json`, which is
    parsed whole. `findings` say what was found out about the files.
    """

    def __init__(self, named: str, task: Asked, reading: Mapping[str, Any], *, keeps_columns: bool = False) -> None:
        mapping = reading.get("columns") or {}
        self._task = task
        self._mapping = {name: mapping[name] for name in task.question_columns if name in mapping}
        said = {key: value for key, value in reading.items() if key != "columns" and value is not None}
        answers_labels = not {"label", "labels"}.isdisjoint(task.columns)
        self._settings = ReadSettings(
            **said, wanted=task.question_columns, mapping=self._mapping, whole_texts=answers_labels
        )
        self._keeps_columns = keeps_columns
        self.findings: list[Finding] = []
        self._opened = self._all_opened(named)
        self._columns = [self._columns_of(opened) for opened in self._opened]
        self.findings += [note for each in self._opened for note in each.assumed]

    @property
    def columns(self) -> set[str]:
        """The columns of all files, as their beginnings show them; none where they are not kept."""
        return {name for each in self._opened for name in each.facts.columns if self._keeps_columns}

    @property
    def late_findings(self) -> list[Finding]:
        """What reading the rows showed; complete when all were read."""
        return [note for each in self._opened for note in each.seen]

    @property
    def num_lines(self) -> int | None:
        """Of all files, about as many as there are rows; None where that is not known."""
        counts = [opened.facts.num_lines for opened in self._opened]
        return sum(counts) if all(counts) else None

    def __iter__(self) -> Iterator[Question]:
        lists = TextLists()
        for opened, columns in zip(self._opened, self._columns, strict=True):
            for raw in opened:
                place = opened.place(raw)
                if raw.problem:
                    yield Question(place, {}, {}, raw.problem)
                    continue
                values, problem = columns.values(raw.values)
                problem = problem or lists.apply(values)
                original = raw.values if self._keeps_columns else {}
                yield Question(place, self._task.without_target(values), original, problem)

    def _all_opened(self, named: str) -> list[OpenedFile]:
        path = typed_path(named)
        if saved_dataset(path):
            return [SavedRows(path)]
        try:
            found = find_files(named)
        except DataError as error:  # it names the key of a sweep file, which nobody has written here
            place = (error.where or "").removeprefix("data.train").removeprefix("=")
            raise DataError(error.what, where=place or named, remedy=error.remedy) from None
        self.findings += found.findings
        files = [file for files in found.splits.values() for file in files]
        if self._settings.whole_texts and any(file.format == "txt" for file in files):
            self.findings.append(Finding("files", Severity.NOTE, f"each file of text in {path.name} is one row"))
        return [self._open(file) for file in files]

    def _open(self, file: DataFile) -> OpenedFile:
        """The file as the study reads its own; one that has none of the columns so is read as it seems to be."""
        opened = open_file(file, self._settings)
        if isinstance(opened, TableFile) and self._settings.delimiter and not self._is_asked(opened):
            other = open_file(file, replace(self._settings, delimiter=None))
            return other if self._is_asked(other) else opened
        return opened

    def _is_asked(self, opened: OpenedFile) -> bool:
        names = {*self._task.question_columns, *map(str, self._mapping.values())}
        return bool(names & set(opened.facts.columns))

    def _columns_of(self, opened: OpenedFile) -> Columns:
        """Which of the file's columns are asked. Raises DataError when none is, or the names are missing."""
        found = opened.facts.columns
        if isinstance(opened, TableFile) and opened.seems_headless:
            raise DataError(
                f"its first line looks like a row, not like names of columns: {', '.join(found[:4])}",
                where=f"{opened.file.where}:1",
                remedy=f"Write the columns' names above it: {wanted_text(self._task, self._mapping)}.",
            )
        by_number = {name for name, value in self._mapping.items() if isinstance(value, int) and value <= len(found)}
        mapping = {name: value for name, value in self._mapping.items() if value in found or name in by_number}
        columns = Columns(self._task.question_columns, mapping, None).resolved(found)
        if opened.file.format == "conll":
            return Columns(self._task.question_columns, {}, None)
        if not found and next(iter(opened), None) is None:
            raise DataError("there is no row in it", where=opened.file.where, remedy="Name a file that has rows.")
        if not columns.keep & set(found):
            raise DataError(
                f"none of its columns ({', '.join(found) or 'none'}) is one that the model reads",
                where=opened.file.where,
                remedy=f"It reads {wanted_text(self._task, self._mapping)}.",
            )
        return columns


class TypedQuestions:
    """Rows that a person types or pipes in: a line each, plain text for the task's first column, or a JSON object."""

    num_lines = None
    columns: Collection[str] = ()
    """What is typed has no columns before it is read."""

    def __init__(
        self,
        lines: Iterable[str],
        task: Asked,
        reading: Mapping[str, Any],
        *,
        name: str,
        findings: Sequence[Finding] = (),
    ) -> None:
        self.findings = findings
        mapping = reading.get("columns") or {}
        self._lines = lines
        self._task = task
        self._name = name
        self._mapping = {key: mapping[key] for key in task.question_columns if isinstance(mapping.get(key), str)}
        self._num_marked = self._num_empty = 0

    @property
    def late_findings(self) -> list[Finding]:
        """What reading the lines showed; complete when all were read."""
        return [*self._of_empty(), *self._of_marked()]

    def _of_empty(self) -> list[Finding]:
        if not self._num_empty:
            return []
        lines, have = ("1 line", "has") if self._num_empty == 1 else (f"{self._num_empty} lines", "have")
        what = f"{lines} between others {have} nothing to ask and no answer"
        return [Finding("lines", Severity.NOTE, what, self._num_empty)]

    def _of_marked(self) -> list[Finding]:
        if not self._num_marked:
            return []
        is_one = self._num_marked == 1
        lines, were = ("1 line begins", "was") if is_one else (f"{self._num_marked} lines begin", "were")
        what = (
            f"{lines} with marks of a conversation and {were} asked as one question, marks and all; to have the marks "
            'read, write {"messages": "..."} a line'
        )
        return [Finding("columns", Severity.NOTE, what, self._num_marked)]

    def __iter__(self) -> Iterator[Question]:
        number = num_empty = 0  # since the last question: those at the end are none between others
        try:
            for number, line in enumerate(self._lines, start=1):
                text = line.removeprefix("\ufeff").strip()
                num_empty += not text
                if text:
                    self._num_empty, num_empty = self._num_empty + num_empty, 0
                    yield self._question(text, f"{self._name}:{number}")
        except UnicodeDecodeError as error:
            where = f"{self._name}:{number + 1}"
            raise DataError(f"is not UTF-8 ({error.reason})", where=where, remedy="Save it as UTF-8.") from None

    def _question(self, text: str, place: str) -> Question:
        if (byte := undecoded(text)) is not None:
            return Question(place, {}, {}, f"this line cannot be decoded ({byte})")
        if not text.startswith("{"):
            column = self._task.question_columns[0]
            if "messages" in self._task.question_columns and is_marked_question(text):
                column = "messages" if "messages" in self._mapping else column
                self._num_marked += column != "messages"
            return Question(place, self._task.without_target({column: text}), {column: text})
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as error:
            return Question(place, {}, {}, f"this line is no JSON object: {error}; plain text does not begin with '{{'")
        row = with_inner(row, inner_columns(self._mapping.values(), list(row)))
        values = {name: row.get(self._mapping.get(name, name), row.get(name)) for name in self._task.question_columns}
        values = {name: value for name, value in values.items() if value is not None}
        if not values:
            problem = f"none of the columns {', '.join(sorted(row))} is one that the model reads; it reads "
            return Question(place, {}, row, problem + wanted_text(self._task, self._mapping))
        return Question(place, self._task.without_target(values), row)


def wanted_text(task: Asked, mapping: Mapping[str, Any]) -> str:
    """The columns that the model reads, with the study's names: `'text' (or 'tweet', as in the study's files)`."""
    told = []
    for name in task.question_columns:
        other = mapping.get(name)
        told.append(f"{name!r} (or {other!r}, as in the study's files)" if other is not None else repr(name))
    return ", ".join(told)
