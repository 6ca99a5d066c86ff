"""`data: files`: rows from jsonl, json, csv, tsv, parquet, txt and conll files, or folders that `datasets` saved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from ftsweep.data.base import SPLITS, DataSource, Row, check_fractions, check_limit, sampled
from ftsweep.data.sources.columns import check_mapping, rename_rows
from ftsweep.data.sources.readers import RawRows, read_rows
from ftsweep.domain.commands import override
from ftsweep.domain.paths import typed_path
from ftsweep.errors import ConfigError, DataError

_SAVED_DATASET = "state.json"
_SAVED_DICT = "dataset_dict.json"


class Files(DataSource):
    """Rows from files, with the splits the user names; what is missing of them ftsweep takes from `train`.

    Args:
        train: a file or a saved data set's folder. A saved DatasetDict brings its other splits along.
        validation: the validation split's file; null takes `validation_fraction` of train.
        test: the test split's file; null takes `test_fraction` of train, but only if validation is null too.
        columns: the task's name of a column to the file's: `{text: tweet}`.
        group: a column whose equal values must stay in one split.
        limit: at most this many rows of each split, drawn from all over the file, before ftsweep makes a split.
        validation_fraction: share of train for a split that ftsweep makes.
        test_fraction: the same for test; 0 for none.
    """

    def __init__(
        self,
        *,
        train: str,
        validation: str | None = None,
        test: str | None = None,
        columns: Mapping[str, str] | None = None,
        group: str | None = None,
        limit: int | None = None,
        validation_fraction: float = 0.1,
        test_fraction: float = 0.1,
    ) -> None:
        self.paths: dict[str, Path] = {}
        for split, path in zip(SPLITS, (train, validation, test), strict=True):
            if path is None:
                continue
            if not isinstance(path, str) or not path.strip():
                raise ConfigError(f"{path!r} is not a file's name", where=f"data.{split}", remedy="Write its path.")
            self.paths[split] = typed_path(path)
        check_fractions(validation_fraction, test_fraction)
        self.columns = check_mapping(columns)
        self.group = group
        self.limit = check_limit(limit)
        self.validation_fraction = validation_fraction
        self.test_fraction = test_fraction

    def fingerprint(self) -> str:
        """Hash of the files' contents and of what is taken from them; where they lie does not matter."""
        digest = hashlib.sha256(json.dumps(["files", self.columns, self.group, self.limit], sort_keys=True).encode())
        for split, path in self.paths.items():
            self._check_exists(split, path)
            digest.update(f"\0{split}{path.suffix}".encode())
            files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
            try:
                for file in files:
                    with file.open("rb") as opened:
                        digest.update(hashlib.file_digest(opened, "sha256").digest())
            except OSError as error:
                raise DataError(f"cannot be read: {error.strerror or error}", where=str(path)) from error
        return digest.hexdigest()[:32]

    def load(self, columns: Iterable[str]) -> dict[str, list[Row]]:
        """Rows by split. A file that cannot be parsed is refused with all it is wrong with, by file and line."""
        wanted = tuple(columns)
        splits: dict[str, list[Row]] = {}
        for split, (raw, where) in self._read().items():
            rows = rename_rows(raw, wanted=wanted, mapping=self.columns, group=self.group, where=where)
            splits[split] = sampled(rows, self.limit)
        return splits

    def _read(self) -> dict[str, tuple[RawRows, str]]:
        found: dict[str, tuple[RawRows, str]] = {}
        for split, path in self.paths.items():
            self._check_exists(split, path)
            name = self._place_name(path)
            if (path / _SAVED_DATASET).exists() or (path / _SAVED_DICT).exists():
                found |= {key: (raw, str(path)) for key, raw in self._read_saved(split, path, name).items()}
            else:
                found[split] = (read_rows(path, name), str(path))
        return {split: found[split] for split in SPLITS if split in found}

    def _read_saved(self, split: str, path: Path, name: str) -> dict[str, RawRows]:
        """Of a saved Dataset its rows; of a saved DatasetDict this split, and with `train` those not named apart."""
        from datasets import DatasetDict, load_from_disk

        from ftsweep.data.sources.dataset_rows import named_split, raw_rows

        try:
            saved = load_from_disk(str(path))
        except (OSError, ValueError, KeyError) as error:
            raise DataError(
                f"the saved data set cannot be read: {error}",
                where=str(path),
                remedy="Save it again with save_to_disk.",
            ) from error
        if not isinstance(saved, DatasetDict):
            return {split: raw_rows(saved, name)}
        asked = [other for other in SPLITS if other == split or (split == "train" and other not in self.paths)]
        rows = {}
        for other in asked:
            saved_name = named_split(saved, other)
            if saved_name is not None:
                rows[other] = raw_rows(saved[saved_name], f"{name}/{saved_name}")
        if split not in rows:
            raise DataError(
                f"the saved data set has no split {split!r}, only {', '.join(saved)}",
                where=str(path),
                remedy="Name one split's folder instead, such as "
                f"{override(f'data.{split}', str(path / next(iter(saved))))}.",
            )
        return rows

    def _place_name(self, path: Path) -> str:
        """The file's name; with its folder when another split's file has the same name."""
        is_shared = sum(other.name == path.name for other in self.paths.values()) > 1
        return f"{path.parent.name}/{path.name}" if is_shared else path.name

    def _check_exists(self, split: str, path: Path) -> None:
        if path.is_file() or path.is_dir():
            return
        if path.exists():
            raise DataError("is neither a file nor a folder", where=f"data.{split}={path}", remedy="Name a file.")
        near = sorted(file.name for file in path.parent.glob("*") if file.suffix == path.suffix)[:5]
        remedy = f"Beside it there are: {', '.join(near)}." if near else "Paths are relative to where the command runs."
        raise DataError("there is no such file", where=f"data.{split}={path}", remedy=remedy)
