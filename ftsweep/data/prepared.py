"""The prepared set: loaded, split, encoded, on disk once per (data, tokenizer, task settings), for all workers."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

import ftsweep
from ftsweep.data.base import SPLITS, DataSource, Row, TaskEncoding
from ftsweep.data.cut_lengths import cut_at_lengths
from ftsweep.data.encoded import EncodedSplit, write_split
from ftsweep.data.encoding import EncodingReport, encode_split
from ftsweep.data.inspection import DataView, Gate, Inspection
from ftsweep.data.row_files import read_flagged, read_rows, write_flagged, write_rows
from ftsweep.data.splitting.splitting import Split, SplitRows, refuse_unusable, split_rows
from ftsweep.domain.finding import Finding, most_severe_first
from ftsweep.errors import DataError
from ftsweep.store.atomic import read_json, remove, write_json, written_folder
from ftsweep.store.locks import locked

FORMAT = 8
"""Counts up when the folder's layout or meaning changes: old folders are then left alone and new ones are made."""


class PreparedSet:
    """A data set ready to train on: facts, encoded splits as memory maps, and the raw rows."""

    def __init__(self, folder: Path, meta: Mapping[str, Any]) -> None:
        self.folder = folder
        self.meta = meta
        """`schema`, `num_rows`, `num_groups`, `num_examples`, `fingerprint` (of the rows), `hash`, `split_source`,
        `findings`, `seconds`."""
        self._splits: dict[str, EncodedSplit] = {}

    @property
    def schema(self) -> dict[str, Any]:
        """What the task learned from train before encoding."""
        schema: dict[str, Any] = self.meta["schema"]
        return schema

    @property
    def findings(self) -> list[Finding]:
        return [Finding.from_dict(finding) for finding in self.meta["findings"]]

    def flagged(self, name: str) -> dict[str, list[int]]:
        """Rows of a held-out split that guards flagged, by the guard; places as in `rows`."""
        return read_flagged(self.folder, name)

    def has(self, name: str) -> bool:
        return name in self.meta["num_examples"]

    def split(self, name: str) -> EncodedSplit:
        """An encoded split; its file is opened when it is first asked for."""
        if not self.has(name):
            raise DataError(
                f"the data has no split {name!r}",
                where=str(self.folder),
                remedy=f"It has {', '.join(self.meta['num_rows'])}.",
            )
        if name not in self._splits:
            self._splits[name] = EncodedSplit(self.folder / f"{name}.arrow")
        return self._splits[name]

    def rows(self, name: str) -> list[Row]:
        """The raw rows of a split, in the order that `row_index` counts in."""
        if not self.has(name):
            return []
        return read_rows(self.folder / f"{name}.rows.jsonl")


def prepare(
    config: Mapping[str, Any],
    source: DataSource,
    task: TaskEncoding,
    tokenizer: Any,
    tokenizer_fingerprint: str,
    cache: Path,
    gate: Gate | None = None,
) -> PreparedSet:
    """The prepared set of a trial's configuration: opened when it is on disk and whole, else made.

    Several processes may ask for the same set at once: one makes it, the others wait and open it. A gate looks at the
    data and may have rows of train left out; it refuses nothing, its findings say what should be refused.

    Raises:
        DataError: the rows cannot be loaded, split or encoded; the message names places. Without a gate also: more than
            1 % of a split's rows cannot be used.
    """
    fingerprint = source.fingerprint()
    guards = None if gate is None else gate.settings
    content_hash = prepared_hash(config, fingerprint, tokenizer_fingerprint, task.loss_settings, guards)
    found = open_prepared(cache, content_hash)
    if found is not None:
        return found
    with _locked(cache, content_hash):
        found = open_prepared(cache, content_hash)  # another worker may have made it meanwhile
        if found is None:
            maker = _Maker(source, task, tokenizer, gate, seed=config["seed"]["data"])
            maker.make(_folder(cache, content_hash), fingerprint, content_hash)
            found = open_prepared(cache, content_hash)
    if found is None:
        raise DataError(
            "the prepared data is damaged right after it was written",
            where=str(_folder(cache, content_hash)),
            remedy="Check the disk that store.path lies on.",
        )
    return found


def prepared_hash(
    config: Mapping[str, Any],
    fingerprint: str,
    tokenizer_fingerprint: str,
    loss_settings: Collection[str] = (),
    guards: Mapping[str, Any] | None = None,
) -> str:
    """The content hash that names a prepared set's folder.

    It covers the rows (the source's fingerprint), the `data` and `task` nodes (without the task's settings of the
    loss), the tokenizer, `seed.data`, the guards of the data and the version of ftsweep, whose code encodes. Nothing
    else: trials that differ in training share one set.
    """
    facts = {
        "format": FORMAT,
        "ftsweep": ftsweep.__version__,
        "fingerprint": fingerprint,
        "tokenizer": tokenizer_fingerprint,
        "data": config["data"],
        "task": {key: value for key, value in config["task"].items() if key not in loss_settings},
        "seed": config["seed"]["data"],
        "guards": None if guards is None else dict(guards),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def open_prepared(cache: Path, content_hash: str) -> PreparedSet | None:
    """The prepared set of this hash; None when there is none, or none that is whole."""
    folder = _folder(cache, content_hash)
    try:
        meta = read_json(folder / "meta.json")
        if meta["format"] != FORMAT or meta["hash"] != content_hash:
            return None
        if any((folder / name).stat().st_size != size for name, size in meta["files"].items()):
            return None
        prepared = PreparedSet(folder, meta)
        opened = [name for name in SPLITS if name != "test" and prepared.has(name)]  # test: only when it is asked for
        if any(len(prepared.split(name)) != meta["num_examples"][name] for name in opened):
            return None
        with suppress(OSError):  # a cache that may only be read
            os.utime(folder / "meta.json")  # reading counts as use
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None
    return prepared


class _Maker:
    """Makes one prepared set."""

    def __init__(self, source: DataSource, task: TaskEncoding, tokenizer: Any, gate: Gate | None, *, seed: int) -> None:
        self._source = source
        self._task = task
        self._tokenizer = tokenizer
        self._gate = gate
        self._seed = seed

    def make(self, folder: Path, fingerprint: str, content_hash: str) -> None:
        """Load, split, learn the schema from train, encode, have it looked at, write. `meta.json` is the last file."""
        begin = time.monotonic()
        loaded = {name: list(rows) for name, rows in self._source.load(self._task.columns).items()}
        _check_columns(self._task, loaded)
        likeness, overlap = (None, None) if self._gate is None else (self._gate.likeness, self._gate.overlap)
        split = split_rows(loaded, self._source, self._task, seed=self._seed, likeness=likeness, overlap=overlap)
        with written_folder(folder) as temporary:
            schema, report = self._encode(split, temporary)
            inspection = self._inspect(split, schema, report)
            if inspection.leave_out:
                places = [split.rows["train"][place].place for place in sorted(inspection.leave_out)]
                fingerprint = _cleaned_fingerprint(fingerprint, places)
                split, fixed = split.without(inspection.leave_out), inspection.fixed
                schema, report = self._encode(split, temporary)
                inspection = self._inspect(split, schema, report)
                inspection.findings = [*fixed, *inspection.findings]
            for name, rows in split.rows.items():
                write_rows(temporary / f"{name}.rows.jsonl", rows)
            write_flagged(temporary, inspection.flagged)
            meta = {
                "format": FORMAT,
                "hash": content_hash,
                "fingerprint": fingerprint,
                "schema": schema,
                "num_rows": {name: len(rows) for name, rows in split.rows.items()},
                "num_groups": report.num_groups,
                "num_examples": report.num_examples,
                "split_source": split.source,
                "shown": report.shown,
                "findings": [finding.to_dict() for finding in self._all_findings(inspection, split)],
                "seconds": round(time.monotonic() - begin, 3),
                "files": {file.name: file.stat().st_size for file in sorted(temporary.iterdir())},
            }
            write_json(temporary / "meta.json", meta)

    def _all_findings(self, inspection: Inspection, split: Split) -> list[Finding]:
        """What the guards say, then what reading the files and splitting showed."""
        return [*inspection.findings, *most_severe_first(self._source.findings), *split.notes]

    def _encode(self, split: Split, folder: Path) -> tuple[dict[str, Any], EncodingReport]:
        """Write every split's examples; the schema they were made with, and what encoding showed."""
        # through JSON, so that whoever makes the set sees what whoever opens it sees
        learned = self._task.learn_schema([row.values for row in split.rows["train"]])
        schema: dict[str, Any] = json.loads(json.dumps(learned))
        report = EncodingReport()
        for name, rows in split.rows.items():
            is_named = split.source[name] == "named"
            parts = (name, rows, self._task, self._tokenizer, schema, report)
            examples = encode_split(*parts, is_named=is_named, group=self._source.group)
            write_split(folder / f"{name}.arrow", examples, label_type=self._task.label_type)
        return schema, report

    def _inspect(self, split: Split, schema: Mapping[str, Any], report: EncodingReport) -> Inspection:
        if self._gate is not None:
            parts = (split.rows, split.ids, split.texts, split.source, split.left_out)
            lengths = cut_at_lengths(self._task, self._tokenizer, schema, split.rows, report)
            return self._gate.inspect(DataView(self._task, self._source, *parts, report, self._seed, lengths))
        for name, rows in split.rows.items():
            dropped = [(rows[place], reason) for place, reason in report.dropped.get(name, ())]
            left_out = [*split.left_out.get(name, ()), *dropped]
            refuse_unusable(left_out, len(rows) + len(split.left_out.get(name, ())), name)
        return Inspection()


def _cleaned_fingerprint(fingerprint: str, places: list[str]) -> str:
    """Of a source's rows without those at these places."""
    facts = json.dumps([fingerprint, "without", places])
    return hashlib.sha256(facts.encode()).hexdigest()[:32]


def _check_columns(task: TaskEncoding, loaded: SplitRows) -> None:
    if not loaded.get("train"):
        raise DataError("the source has no train rows", where="data", remedy="Name the train split's file or split.")
    for split, rows in loaded.items():
        if rows and all(row.problem for row in rows):
            continue  # what is wrong with them is told when they are split, and says more than missing columns
        found = dict.fromkeys(name for row in rows for name in row.values)
        unused = {name for row in rows[:1] for name in row.file_columns if name not in task.columns}
        try:
            task.check_columns([*found, *sorted(unused)])
        except DataError as error:
            if split == "train":
                raise
            where = rows[0].place.rpartition(":")[0] if rows else "data"
            raise DataError(
                f"the {split} split is not as train is: {error.what}",
                where=where,
                remedy=f"Give it train's columns, or leave it out: data.{split}=null where the sweep file names it. "
                "Rows without an answer are for `ftsweep predict`.",
            ) from None


def _folder(cache: Path, content_hash: str) -> Path:
    return cache / "prepared" / content_hash


@contextmanager
def _locked(cache: Path, content_hash: str) -> Iterator[None]:
    """Be the only process that makes this set. The operating system releases the lock of a process that dies."""
    folder = _folder(cache, content_hash)
    with locked(folder.with_name(f".{content_hash}.lock")):
        for half_written in folder.parent.glob(f".{content_hash}.*.tmp"):  # of a process that was killed
            remove(half_written)
        yield
