"""`data: files`: rows from files of every usual kind, packed or not, one or many; or folders that `datasets` saved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ftsweep.data.base import SPLITS, DataSource, Row, check_fractions, check_limit, sampled
from ftsweep.data.files.base import Quotes, ReadSettings
from ftsweep.data.files.found import FoundFiles, check_exists, find_files, saved_dataset
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.reading import open_file
from ftsweep.data.files.text_lists import TextLists
from ftsweep.data.sources.columns import Columns, FileColumns, check_mapping
from ftsweep.data.sources.label_columns import label_columns, told_of
from ftsweep.data.sources.loaded import SplitReader
from ftsweep.data.sources.split_column import checked_split_column, rows_by_column
from ftsweep.domain.commands import override
from ftsweep.domain.finding import Finding
from ftsweep.domain.paths import typed_path
from ftsweep.errors import ConfigError, DataError

Paths = str | list[str]


class Files(DataSource):
    """Rows from files, with the splits the user names; what is missing of them ftsweep takes from `train`.

    Args:
        train: a file, a pattern, a folder, a zip archive or a list of them; or a saved data set's folder. A folder
            whose files name their splits, and a saved DatasetDict, bring the other splits along.
        validation: the same for the validation split; null takes `validation_fraction` of train.
        test: the same for the test split; null takes `test_fraction` of train, but only if validation is null too.
        columns: the task's name of a column to the file's name or number: `{text: tweet, label: 3}`; `labels` may be
            made of several columns of 0 and 1, and are where the file has nothing else beside what is read.
        split: a column that says which split a row of `train` is of: train, validation (valid, val, dev) or test.
        group: a column whose equal values must stay in one split.
        limit: at most this many rows of each split, drawn from all over it, before ftsweep makes a split.
        validation_fraction: share of train for a split that ftsweep makes.
        test_fraction: the same for test; 0 for none.
        encoding: of all files of text; null finds it out, and says so.
        delimiter: what separates the cells of a table; null finds it out.
        header: whether a table's first line names its columns; null takes it for names unless it looks like a row.
        quotes: of a table: `check` reads quoted cells and tells where a quote mark is missing, `trust` takes every
            cell that closes, `none` takes quote marks as text.
    """

    def __init__(
        self,
        *,
        train: Paths,
        validation: Paths | None = None,
        test: Paths | None = None,
        columns: Mapping[str, FileColumns] | None = None,
        split: str | None = None,
        group: str | None = None,
        limit: int | None = None,
        validation_fraction: float = 0.1,
        test_fraction: float = 0.1,
        encoding: str | None = None,
        delimiter: str | None = None,
        header: bool | None = None,
        quotes: Quotes = "check",
    ) -> None:
        self.paths: dict[str, list[str]] = {}
        for each, named in zip(SPLITS, (train, validation, test), strict=True):
            if named is None:
                continue
            names = [named] if isinstance(named, str) else named
            is_list = isinstance(names, Sequence) and bool(names)
            if not is_list or not all(isinstance(name, str) and name.strip() for name in names):
                raise ConfigError(f"{named!r} is not a file's name", where=f"data.{each}", remedy="Write its path.")
            self.paths[each] = list(names)
        check_fractions(validation_fraction, test_fraction)
        self._said = check_mapping(columns)
        self.columns = self._said
        """As the user says; after `load` with the columns of labels that were found, too."""
        self.split = checked_split_column(split, self.paths)
        self.group = group
        self.limit = check_limit(limit)
        self.validation_fraction = validation_fraction
        self.test_fraction = test_fraction
        self.settings = ReadSettings(encoding, delimiter, header, quotes, mapping=self.columns)
        self.findings: Sequence[Finding] = ()

    def fingerprint(self) -> str:
        """Hash of the files' contents and of what is taken from them; where they lie does not matter."""
        said = [self.settings.encoding, self.settings.delimiter, self.settings.header, self.settings.quotes]
        by_column = [] if self.split is None else [self.split]
        facts = ["files", self._said, self.group, self.limit, *said, *by_column]
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        for split in self.paths:
            for path, kind in self._contents(split):
                digest.update(f"\0{split}{kind}".encode())
                try:
                    with path.open("rb") as opened:
                        digest.update(hashlib.file_digest(opened, "sha256").digest())
                except OSError as error:
                    raise DataError(f"cannot be read: {error.strerror or error}", where=str(path)) from error
        return digest.hexdigest()[:32]

    def load(self, columns: Iterable[str]) -> dict[str, Sequence[Row]]:
        """Rows by split. A file that cannot be parsed is refused with all that is wrong with it, by file and line."""
        findings: list[Finding] = []
        self.columns = self._said
        if found_labels := self._label_columns(columns := tuple(columns)):
            self.columns = {**self._said, "labels": found_labels}
            findings.append(told_of(found_labels))
        wanted = Columns((*columns, *([self.split] if self.split else [])), self.columns, self.group)
        self.settings = replace(self.settings, wanted=wanted.names, mapping=self.columns, keep=wanted.keep)
        lists = TextLists()
        readers: dict[str, SplitReader] = {}
        for split in self.paths:
            saved = self._saved_folder(split)
            if saved is not None:
                findings += self._read_saved(split, saved, wanted, lists, readers)
                continue
            found = self._find(split)
            findings += found.findings
            for other, files in found.splits.items():
                readers[other] = reader = SplitReader(wanted, lists, _where(files))
                for file in files:
                    reader.read_file(open_file(file, self.settings))
        loaded: dict[str, Sequence[Row]] = {split: readers[split].end() for split in SPLITS if split in readers}
        if self.split is not None:
            loaded = rows_by_column(loaded, self.split, self.paths["train"][0])
        told = [finding for reader in readers.values() for finding in reader.findings]
        self.findings = [*findings, *told, *lists.findings]
        return {split: rows if self.limit is None else sampled(rows, self.limit) for split, rows in loaded.items()}

    def _label_columns(self, columns: Sequence[str]) -> list[str]:
        """The columns of 0 and 1 that train's labels are, where the task wants labels and nothing says which."""
        if "labels" not in columns or "labels" in self._said or self._saved_folder("train") is not None:
            return []
        settings = replace(self.settings, wanted=tuple(columns), mapping=self._said, keep=None)
        read = Columns(columns, self._said, self.group)
        files = self._find("train").splits["train"]
        return label_columns(open_file(files[0], settings), read) if files else []

    def _find(self, split: str) -> FoundFiles:
        found = find_files(self.paths[split], split=split, shared=[other for other in self.paths if other != split])
        for other, files in found.splits.items():
            found.splits[other] = [self._named_apart(other, file) for file in files]
        return found

    def _named_apart(self, split: str, file: DataFile) -> DataFile:
        """The file with its folder's name before its own when another split's file has the same name."""
        others = [Path(name) for other, names in self.paths.items() if other != split for name in names]
        if all(other.name != file.path.name for other in others) or "/" in file.name:
            return file
        return replace(file, name=f"{file.path.parent.name}/{file.name}")

    def _contents(self, split: str) -> list[tuple[Path, str]]:
        """The files on disk that a split's rows come from, with what else decides how they are read."""
        saved = self._saved_folder(split)
        if saved is not None:
            return [(file, "") for file in sorted(saved.rglob("*")) if file.is_file()]
        found = self._find(split).splits
        return [
            (file.path, f"{other}{file.format}{file.member}{file.folder}{file.parts or ''}")
            for other, files in found.items()
            for file in files
        ]

    def _saved_folder(self, split: str) -> Path | None:
        paths = [typed_path(name) for name in self.paths[split]]
        saved = [path for path in paths if saved_dataset(path)]
        if saved and len(paths) > 1:
            raise DataError(
                "is a folder that datasets saved, which cannot stand in a list",
                where=f"data.{split}={saved[0]}",
                remedy="Name it alone, or save its rows as parquet.",
            )
        return saved[0] if saved else None

    def _read_saved(
        self, split: str, path: Path, columns: Columns, lists: TextLists, readers: dict[str, SplitReader]
    ) -> list[Finding]:
        """Of a saved Dataset its rows; of a saved DatasetDict this split, and with `train` those not named apart."""
        from datasets import DatasetDict, load_from_disk

        from ftsweep.data.sources.dataset_rows import named_split, not_read, raw_rows

        check_exists(split, path)
        try:
            saved = load_from_disk(str(path))
        except (OSError, ValueError, KeyError) as error:
            raise DataError(
                f"the saved data set cannot be read: {error}",
                where=str(path),
                remedy="Save it again with save_to_disk.",
            ) from error
        name = path.name
        if sum(Path(other).name == name for names in self.paths.values() for other in names) > 1:
            name = f"{path.parent.name}/{name}"
        if not isinstance(saved, DatasetDict):
            chosen = {split: (saved, name)}
        else:
            asked = [other for other in SPLITS if other == split or (split == "train" and other not in self.paths)]
            found = {other: saved_name for other in asked if (saved_name := named_split(saved, other)) is not None}
            if split not in found:
                raise DataError(
                    f"the saved data set has no split {split!r}, only {', '.join(saved)}",
                    where=str(path),
                    remedy="Name one split's folder instead, such as "
                    f"{override(f'data.{split}', str(path / next(iter(saved))))}.",
                )
            chosen = {other: (saved[each], f"{name}/{each}") for other, each in found.items()}
        for other, (dataset, place) in chosen.items():
            readers[other] = reader = SplitReader(columns.resolved(dataset.column_names), lists, str(path))
            keep = columns.resolved(dataset.column_names).keep
            reader.read_rows(raw_rows(dataset, keep), place, dataset.column_names)
        named = [] if split != "train" or not isinstance(saved, DatasetDict) else list(saved)
        return not_read(name, [each for each in named if not any(named_split({each}, other) for other in SPLITS)])


def _where(files: Sequence[DataFile]) -> str:
    more = f" and {len(files) - 1} more files" if len(files) > 1 else ""
    return f"{files[0].where}{more}" if files else "data"
