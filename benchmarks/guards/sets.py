"""The data sets that faults are planted in, split and clean, with the task that reads them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ftsweep.config.folders import shipped_folder
from ftsweep.data.base import DataSource, Row
from ftsweep.data.encoding import EncodingReport
from ftsweep.data.inspection import DataView, Inspection
from ftsweep.data.likeness.alike import Likeness, Overlap
from ftsweep.data.sources.files import Files
from ftsweep.data.sources.pydocs import PyDocs
from ftsweep.data.splitting.splitting import split_rows
from ftsweep.guards.gate import DataGate
from ftsweep.tasks.base import Task
from ftsweep.tasks.classification import Classification
from ftsweep.tasks.instruction import Instruction
from ftsweep.tasks.token_classification import TokenClassification

SHARED = Path(os.environ.get("FTSWEEP_SHARED", Path(__file__).parents[2] / "../shared")).resolve() / "data"

Splits = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class DataSet:
    name: str
    task: Task
    source: DataSource
    columns: tuple[str, ...]

    def splits(self, seed: int) -> Splits:
        """The rows by split, as named or as ftsweep makes the split with this seed."""
        return {name: [dict(row.values) for row in rows] for name, rows in _split(self, seed).items()}


class Given(DataSource):
    """Rows from memory."""

    def __init__(self, *, splits: Splits, group: str | None = None) -> None:
        self.splits = splits
        self.group = group

    def fingerprint(self) -> str:
        return "given"

    def load(self, columns: Any) -> dict[str, list[Row]]:
        return {
            split: [
                Row(values, f"{split}:{number}", problem=str(values.get("unreadable", "")))
                for number, values in enumerate(rows)
            ]
            for split, rows in self.splits.items()
        }


def available() -> tuple[list[DataSet], list[str]]:
    """The data sets that are here, and a sentence for each that is not."""
    pydocs = PyDocs()
    sets = [
        DataSet("pydocs", Classification(), pydocs, ("text", "label")),
        DataSet("pydocs answers", Instruction(), pydocs, ("prompt", "completion")),
        DataSet("pydocs tags", TokenClassification(), pydocs, ("tokens", "tags")),
    ]
    missing = []
    files = {
        "tweet_emotion": (Classification(), ("train", "val", "test"), ("text", "label")),
        "medquad": (Instruction(), ("qa",), ("prompt", "completion")),
        "wnut17": (TokenClassification(), ("train", "val", "test"), ("tokens", "tags")),
    }
    for name, (task, parts, columns) in files.items():
        folder = SHARED / name
        if not folder.is_dir():
            missing.append(f"{name} is skipped: there is no {folder} (FTSWEEP_SHARED)")
            continue
        paths = [str(folder / f"{part}.jsonl") for part in parts]
        sets.append(
            DataSet(name, task, Files(**dict(zip(("train", "validation", "test"), paths, strict=False))), columns)
        )
    return sets, missing


def inspected(
    splits: Splits,
    task: Task,
    *,
    group: str | None = None,
    report: EncodingReport | None = None,
    seed: int = 0,
    guard: str | None = None,
) -> Inspection:
    """What the shipped guards (or one of them) say; without a report as if every row became a whole example."""
    source = Given(splits=splits, group=group)
    split = split_rows(source.load(()), source, task, seed=seed)
    if report is None:
        report = EncodingReport(num_examples={name: len(rows) for name, rows in split.rows.items()})
    view = DataView(task, source, split.rows, split.ids, split.texts, split.source, split.left_out, report, seed)
    return gate(guard).inspect(view)


@cache
def gate(guard: str | None = None) -> DataGate:
    """The guards, or one of them, as they are shipped."""
    import yaml

    files = sorted(shipped_folder("conf").glob(f"guards/{guard or '*'}.yaml"))
    return DataGate.of({file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in files}, ())


@cache
def _split(data: DataSet, seed: int) -> dict[str, list[Row]]:
    loaded = _loaded(data.source, data.columns)
    return split_rows(loaded, data.source, data.task, seed=seed, likeness=Likeness(), overlap=Overlap()).rows


@cache
def _loaded(source: DataSource, columns: tuple[str, ...]) -> dict[str, list[Row]]:
    return source.load(columns)


def write_jsonl(path: Path, rows: list[Any]) -> Path:
    """Rows as JSON lines; a text is written as it is."""
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path
