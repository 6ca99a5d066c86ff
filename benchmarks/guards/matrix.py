"""Planted faults against the shipped guards: which are found, how often, and what clean data raises."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from faults import FAULTS, Fault, Planted
from sets import DataSet, Given, inspected

from ftsweep.data.encoding import EncodingReport, encode_split
from ftsweep.data.inspection import Inspection
from ftsweep.data.splitting.splitting import split_rows
from ftsweep.domain.finding import Severity
from ftsweep.models.tiny import TinyModel
from ftsweep.tasks.base import Task

ORDER = [Severity.NOTE, Severity.WARN, Severity.REFUSE]


@dataclass(frozen=True)
class Cell:
    """One fault in one data set: in how many seeds it was found as bad as it must be, and of its rows how many."""

    num_found: int
    num_seeds: int
    recall: float | None = None

    @property
    def is_ok(self) -> bool:
        return self.num_found >= 0.95 * self.num_seeds

    def __str__(self) -> str:
        rows = "" if self.recall is None else f", rows {self.recall:.0%}"
        return f"{self.num_found}/{self.num_seeds}{rows}" + ("" if self.is_ok else " MISSED")


def run_matrix(
    sets: Sequence[DataSet], seeds: Sequence[int], only: str = ""
) -> Iterator[tuple[Fault, dict[str, Cell]]]:
    """Every fault with its cell for each data set that it can be planted in."""
    for fault in FAULTS:
        if only in fault.name:
            yield fault, {data.name: _cell(fault, data, seeds) for data in sets if data.name in fault.sets}


def run_clean(sets: Sequence[DataSet], seeds: Sequence[int]) -> Iterator[tuple[str, list[str], float]]:
    """What the guards refuse or warn of in each clean set, with the seconds that one inspection took."""
    for data in sets:
        found: dict[str, list[str]] = {}
        begin = time.process_time()
        for seed in seeds:
            for finding in inspected(data.splits(seed), data.task, seed=seed).findings:
                if finding.severity is not Severity.NOTE:
                    found.setdefault(f"{finding.severity} {finding.check}", []).append(f"{finding.rate:.2%}")
        seconds = (time.process_time() - begin) / len(seeds)
        yield data.name, [f"{check} ({', '.join(dict.fromkeys(rates))})" for check, rates in found.items()], seconds


def _cell(fault: Fault, data: DataSet, seeds: Sequence[int]) -> Cell:
    num_found, recalled, planted_rows = 0, 0, 0
    for seed in seeds:
        planted = fault.plant(data, seed)
        inspection = _inspected(data, planted, seed, fault.guard)
        own = [finding for finding in inspection.findings if finding.check == fault.guard]
        num_found += any(ORDER.index(finding.severity) >= ORDER.index(fault.expected) for finding in own)
        flagged = set(inspection.flagged_by(fault.guard, "validation"))
        recalled, planted_rows = recalled + len(planted.rows & flagged), planted_rows + len(planted.rows)
    return Cell(num_found, len(seeds), recalled / planted_rows if planted_rows else None)


def _inspected(data: DataSet, planted: Planted, seed: int, guard: str) -> Inspection:
    if planted.max_length is not None:
        task = type(data.task)(max_length=planted.max_length)
        return inspected(planted.splits, task, report=_encoded(planted.splits, task), seed=seed, guard=guard)
    return inspected(planted.splits, data.task, group=planted.group, seed=seed, guard=guard)


def _encoded(splits: dict[str, list[dict[str, Any]]], task: Task) -> EncodingReport:
    """What the tiny model's tokenizer makes of the rows."""
    source = Given(splits=splits)
    split = split_rows(source.load(()), source, task, seed=0)
    report, schema = EncodingReport(), task.learn_schema([row.values for row in split.rows["train"]])
    for name, rows in split.rows.items():
        for _ in encode_split(name, rows, task, _tokenizer(), schema, report, is_named=name != "train"):
            pass
    return report


@cache
def _tokenizer() -> Any:
    return TinyModel().tokenizer()


def as_table(lines: Sequence[tuple[Fault, dict[str, Cell]]], names: Sequence[str]) -> list[str]:
    """Markdown: a row per fault, a column per data set."""
    head = ["fault", "guard", "must be", *names]
    rows = [
        [fault.name, fault.guard, fault.expected.value, *(str(cells.get(name, "")) for name in names)]
        for fault, cells in lines
    ]
    return ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]
