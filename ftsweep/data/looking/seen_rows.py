"""Rows of files as a look at them sees them: counted by split, a draw of train's kept, what was odd about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from ftsweep.data.files.base import FileFacts, OpenedFile, ReadSettings
from ftsweep.data.files.inner import all_inner
from ftsweep.data.files.json_ways import by_label_way, way_of_value
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.reading import open_file
from ftsweep.data.files.shell import path_argument, python_command
from ftsweep.data.files.tables import TableFile
from ftsweep.data.files.text import excerpt
from ftsweep.data.looking.annotated import Doubt
from ftsweep.data.looking.apart import encoding_of, labels_way
from ftsweep.data.looking.columns import is_missing
from ftsweep.data.looking.guess import Guess
from ftsweep.data.looking.names import TO_LEARN
from ftsweep.data.sources.loaded import check_readable
from ftsweep.domain.commands import task_options
from ftsweep.domain.finding import Finding, Severity
from ftsweep.errors import DataError

NUM_LOOKED_AT = 5_000
"""Rows of train that columns are judged by."""
_RUN = 20
"""Rows behind each other that are drawn together."""
MOST_COUNTED = 1_000_000
_NUM_SHOWN = 4
_MOST_PARALLEL, _FEWEST_LINES = 3, 20
"""Files that belong to each other line by line, and lines that they have at least: fewer are poems."""
_PUT_TOGETHER = (
    "import csv, sys; csv.writer(sys.stdout).writerows([cell.rstrip() for cell in row] for row in "
    "zip(*(open(each, encoding=ENCODING) for each in sys.argv[1:]), strict=True))"
)

_MOSTLY = 0.9
"""Share of the files of text in folders of labels beyond which they are refused as lines of something else."""


@dataclass
class SeenRows:
    """What `read` has seen so far."""

    settings: ReadSettings
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    """Of train those that columns are judged by, in order, once `check` has taken them together.

    Of many an even draw, as labels and splits lie sorted; in runs, as rows of one group lie together.
    """
    num_rows: dict[str, int] = field(default_factory=dict)
    num_bad: int = 0
    is_headless: bool = False
    """Whether tables have no line of names."""
    columns: dict[DataFile, set[str]] = field(default_factory=dict)
    filled: dict[DataFile, set[str]] = field(default_factory=dict)
    """The columns that have a value in any of the rows that were looked at."""
    num_of_file: dict[DataFile, int] = field(default_factory=dict)
    formats: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    facts: dict[DataFile, FileFacts] = field(default_factory=dict)
    texts: list[tuple[str, int, int, str]] = field(default_factory=list)
    """Train's files of text: path, lines, rows and encoding."""
    twice: dict[str, list[int]] = field(default_factory=dict)
    """Names that stand above several columns of a table, and the numbers of these."""
    _kept: list[list[tuple[int, Mapping[str, Any]]]] = field(default_factory=list)
    """Runs of train's rows with their places among those that can be read."""
    _current: list[tuple[int, Mapping[str, Any]]] | None = None
    _num_readable: int = 0
    _draws: Random = field(default_factory=lambda: Random(0))  # noqa: S311
    _disguises: list[DataError] = field(default_factory=list)
    """Why texts that their folders label do not look like texts."""
    _first_problem: str = ""
    _remedy: str = ""

    def read(self, split: str, file: DataFile) -> None:
        """Look at one file of a split, or at as much of it as is counted."""
        self.num_rows.setdefault(split, 0)
        opened = self._opened(file)
        self._disguises += [opened.disguise] if opened.disguise else []
        self.columns[file], self.filled[file] = set(opened.facts.columns), set()
        self.facts[file] = opened.facts
        self.formats.add(opened.file.format)
        self.twice |= opened.twice if isinstance(opened, TableFile) else {}
        self._remedy = opened.remedy
        bad: list[str] = []
        before = self.num_rows[split]
        for row in opened:
            self.num_rows[split] += 1
            self.num_bad += bool(row.problem)
            if row.problem:
                bad.append(f"{opened.place(row)}: {row.problem}")
            if row.problem and not self._first_problem:
                self._first_problem = f"{opened.place(row)}: {row.problem}. {opened.remedy}"
            if self.num_rows[split] - before <= NUM_LOOKED_AT:
                values = all_inner(row.values)
                self.filled[file].update(name for name, value in values.items() if not is_missing(value))
            if split == "train" and not row.problem:
                self._keep(row.values)
            if self.num_rows[split] >= MOST_COUNTED:
                break
        self.num_of_file[file] = self.num_rows[split] - before
        self.findings += opened.findings
        if split == "train" and opened.file.format == "txt":
            encoding = "utf-8" if opened.encoding is None else opened.encoding.name
            self.texts.append((file.where, opened.facts.num_lines, self.num_rows[split] - before, encoding))
        if self._kept:  # of a file without any row that can be read `check` tells
            check_readable(bad, self.num_rows[split] - before, opened)

    def _keep(self, values: Mapping[str, Any]) -> None:
        """Keep a row if its run is drawn: each run so far with the same chance."""
        number, place = divmod(self._num_readable, _RUN)
        if place == 0 and number < NUM_LOOKED_AT // _RUN:
            self._current = []
            self._kept.append(self._current)
        elif place == 0:
            drawn = int(self._draws.random() * (number + 1))
            self._current = [] if drawn < len(self._kept) else None
            if self._current is not None:
                self._kept[drawn] = self._current
        if self._current is not None:
            self._current.append((self._num_readable, values))
        self._num_readable += 1

    def check(self, where: str) -> None:
        """Take the rows together; raise DataError without rows to look at."""
        self.rows = [all_inner(row) for run in sorted(self._kept, key=lambda run: run[0][0]) for _, row in run]
        if not self._kept and self._first_problem:
            raise DataError(f"no row of it can be read; the first is {self._first_problem}", where=where)
        if len(self._disguises) > _MOSTLY * len(self.columns):
            raise self._disguises[0]
        if not self._kept:
            raise DataError("has no rows", where=where, remedy="Check that the file was written whole.")
        told = next((each for each in self.findings if each.check == "lines" and each.severity is Severity.WARN), None)
        if self._num_readable == 1 and told is not None:
            raise DataError(told.message, where=where, remedy=f"{told.remedy}.")
        if sum(self.num_rows.values()) == 1:
            names = ", ".join(map(repr, list(self.rows[0])[:_NUM_SHOWN]))
            raise DataError(
                f"holds one row, with {len(self.rows[0])} columns: {names}",
                where=where,
                remedy=f"Of one row nothing can be learned and measured. {self._way() or f'{self._remedy}.'}",
            )

    def _way(self) -> str:
        """What writes the rows that the only row holds to a file of their own; "" where it holds none."""
        file = next(iter(self.columns))
        row = {name: value for name, value in self.rows[0].items() if "." not in name}
        return way_of_value(row, file) if file.format in ("json", "jsonl") else ""

    def with_labels(self, doubt: Doubt) -> Doubt:
        """The same doubt about columns of texts; of a file of JSON with what takes the columns' names for labels."""
        file = next(iter(self.columns))
        are_texts = all(isinstance(value, str) for row in self.rows for value in row.values())
        names = [name for name in self.rows[0] if name.lower() not in TO_LEARN]
        if len(self.columns) > 1 or file.format != "json" or not are_texts or len(names) < max(2, len(self.rows[0])):
            return doubt
        if not any(each.message.endswith("holds a list per column") for each in self.findings):
            return doubt
        return Doubt(doubt.what, f"{by_label_way(names, file)}. {doubt.remedy}")

    def doubt_of_lines(self) -> Doubt | None:
        """The doubt about files of text with as many lines each and no blank ones: texts, and what is said of them."""
        sizes = {num_lines for _, num_lines, *_ in self.texts}
        are_parallel = 2 <= len(self.texts) <= _MOST_PARALLEL and len(sizes) == 1 and max(sizes) >= _FEWEST_LINES
        if not are_parallel or any(rows != 1 for _, _, rows, _ in self.texts):
            return None
        paths = [path for path, *_ in self.texts]
        arguments = f"{' '.join(path_argument(Path(path)) for path in paths)} > NEW.csv"
        encodings = [encoding for *_, encoding in self.texts]
        made = python_command(_PUT_TOGETHER.replace("ENCODING", encoding_of(paths, encodings)), arguments)
        return Doubt(
            f"the {len(self.texts)} files have {max(sizes)} lines each, as texts and what is said of them have",
            f"Write them as one table, a line of each a row: {made}. "
            f"{labels_way(paths, encodings)}If each line is a text of its own, put a blank line behind each: "
            "sed G OLD.txt > NEW.txt",
        )

    def doubt_of_twice(self, guess: Guess | None) -> Doubt | None:
        """The doubt about a guess that reads a column whose name stands there several times."""
        read = set() if guess is None else set(map(str, guess.columns.values()))
        name = next((each for each in self.twice if each in read), None)
        if guess is None or name is None:
            return None
        columns = {key: self.twice[name][0] if value == name else value for key, value in guess.columns.items()}
        return Doubt(
            f"the name {name!r} stands above the columns {', '.join(map(str, self.twice[name]))}",
            f"Say which is meant by its number, or another column: {task_options(guess.task, **columns)}.",
        )

    def without_columns(self, split: str, file: DataFile, needed: Sequence[Sequence[str]]) -> list[str]:
        """The columns that this file lacks, or of a held-out split: has no value in; of several for one the first.

        Args:
            needed: for each column of the task those of the rows, one of which must be there.
        """
        there = self.filled[file] | (self.columns[file] if split == "train" else set())
        return [names[0] for names in needed if not there & set(names)]

    def _opened(self, file: DataFile) -> OpenedFile:
        opened = open_file(file, self.settings)
        if isinstance(opened, TableFile) and (self.is_headless or opened.seems_headless):
            if self._kept and not self.is_headless:
                raise DataError(
                    "its first line looks like a row, and other files name their columns: "
                    f"{', '.join(excerpt(name) for name in opened.facts.columns[:4])}",
                    where=f"{opened.file.where}:1",
                    remedy="Write the names above the rows of this file as they stand in the others.",
                )
            self.is_headless = True
            return open_file(file, replace(self.settings, header=False))
        return opened
