"""`data: hub`: a data set on the Hugging Face hub, by name. Code that a data set brings along is never run."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ftsweep.data.base import SPLITS, DataSource, Row, check_fractions, check_limit, sampled
from ftsweep.data.files.text_lists import TextLists
from ftsweep.data.sources.columns import Columns, FileColumns, check_mapping, check_names
from ftsweep.data.sources.loaded import SplitReader
from ftsweep.errors import ConfigError, DataError, suggest

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

_COMMIT = re.compile(r"[0-9a-f]{40}")


class Hub(DataSource):
    """Rows of a hub data set. Class numbers become their names.

    Args:
        name: owner and name on the hub: `cardiffnlp/tweet_eval`.
        config: the data set's configuration (subset), where it has several: `emotion`.
        splits: ours to the data set's: `{train: train, validation: dev}`; null takes those with the usual names.
        columns: the task's name of a column to the data set's; `labels` may be made of several columns of 0 and 1.
        group: a column whose equal values must stay in one split.
        limit: at most this many rows of each split, drawn from all over it.
        validation_fraction: share of train for a split that ftsweep makes, where none is named.
        test_fraction: the same for test; 0 for none.
        revision: branch, tag or commit; a full commit hash makes the study repeatable.
    """

    def __init__(
        self,
        *,
        name: str,
        config: str | None = None,
        splits: Mapping[str, str] | None = None,
        columns: Mapping[str, FileColumns] | None = None,
        group: str | None = None,
        limit: int | None = None,
        validation_fraction: float = 0.1,
        test_fraction: float = 0.1,
        revision: str = "main",
    ) -> None:
        if not isinstance(name, str) or not name.strip():
            raise ConfigError(f"{name!r} is not a data set's name", where="data.name", remedy="Such as owner/name.")
        self.splits = check_names(splits, key="data.splits")
        for split in self.splits:
            if split not in SPLITS:
                raise ConfigError(f"{split!r} is not a split", where="data.splits", remedy=suggest(split, SPLITS))
        if self.splits and "train" not in self.splits:
            raise ConfigError(
                "no train split is named", where="data.splits", remedy="Add train: <the data set's name of it>."
            )
        check_fractions(validation_fraction, test_fraction)
        self.name = name
        self.config = config
        self.columns = check_mapping(columns)
        self.group = group
        self.limit = check_limit(limit)
        self.validation_fraction = validation_fraction
        self.test_fraction = test_fraction
        self.revision = revision

    def fingerprint(self) -> str:
        """Hash of the name and of the data's state; with a commit hash as revision nothing is loaded for it."""
        facts = [self.name, self.config, self.revision, self.splits, self.columns, self.group, self.limit]
        if not _COMMIT.fullmatch(self.revision):
            # datasets' own hash of a split: it covers the files' addresses with their commit on the hub
            facts += [f"{split}:{dataset._fingerprint}" for split, dataset in self._chosen().items()]
        return hashlib.sha256(json.dumps(["hub", *facts], sort_keys=True).encode()).hexdigest()[:32]

    def load(self, columns: Iterable[str]) -> dict[str, Sequence[Row]]:
        """Rows by split; places read `owner/name/train:17`, counted from 1."""
        from ftsweep.data.sources.dataset_rows import raw_rows

        wanted, lists = Columns(columns, self.columns, self.group), TextLists()
        readers: dict[str, SplitReader] = {}
        for split, dataset in self._chosen().items():
            where = f"{self.name}/{self.splits.get(split, split)}"
            resolved = wanted.resolved(dataset.column_names)
            readers[split] = SplitReader(resolved, lists, where)
            readers[split].read_rows(raw_rows(dataset, resolved.keep), where, dataset.column_names)
        loaded = {split: reader.end() for split, reader in readers.items()}
        self.findings = lists.findings
        return {split: rows if self.limit is None else sampled(rows, self.limit) for split, rows in loaded.items()}

    def first_rows(self, count: int) -> tuple[list[dict[str, Any]], dict[str, int]]:
        """The first rows of train under the data set's own names, and the number of rows by split."""
        from ftsweep.data.sources.dataset_rows import raw_rows

        chosen = self._chosen()
        first = chosen["train"].select(range(min(count, len(chosen["train"]))))
        rows = [dict(row.values) for row in raw_rows(first, None)]
        return rows, {split: len(dataset) for split, dataset in chosen.items()}

    def _chosen(self) -> dict[str, Dataset]:
        from ftsweep.data.sources.dataset_rows import named_split

        found = _load(self.name, self.config, self.revision)
        names = self.splits or {split: name for split in SPLITS if (name := named_split(found, split))}
        if "train" not in names:
            raise DataError(
                "the data set has no split named train",
                where=self.name,
                remedy=f"Say which to use with data.splits; it has: {', '.join(found)}.",
            )
        for split, name in names.items():
            if name not in found:
                raise DataError(
                    f"there is no split {name!r}", where=f"data.splits.{split}", remedy=suggest(name, found)
                )
        return {split: found[names[split]] for split in SPLITS if split in names}


@functools.lru_cache(maxsize=4)
def _load(name: str, config: str | None, revision: str) -> DatasetDict:
    """All splits, memory-mapped from the local cache; downloaded before if they are not there."""
    import datasets

    try:
        return datasets.load_dataset(name, config, revision=revision)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            f"the data set cannot be loaded (configuration {config or 'default'}, revision {revision}): {first_line}",
            where=f"data.name={name}",
            remedy="Check the name and the network; without one use data=files with files of yours, or data=pydocs.",
        ) from error
