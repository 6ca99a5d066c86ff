"""Rows into examples, and what was cut, dropped or refused on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ftsweep.data import findings
from ftsweep.data.base import Row, TaskEncoding
from ftsweep.data.encoded import EncodedRow
from ftsweep.data.splitting import describe, refuse_unusable
from ftsweep.domain.finding import Finding
from ftsweep.errors import DataError

PACKED = -1
"""The row index of an example that the task yields after the last row: the rest of what it packed."""


@dataclass
class EncodingReport:
    """What encoding the splits showed, added up."""

    num_examples: int = 0
    inputs_cut: list[Row] = field(default_factory=list)
    targets_cut: list[Row] = field(default_factory=list)
    dropped: dict[str, list[tuple[Row, str]]] = field(default_factory=dict)
    num_rows: dict[str, int] = field(default_factory=dict)

    def check(self, split: str, rows: Sequence[Row], num_examples: int) -> None:
        """Refuse a split that lost too many rows, or has nothing left."""
        self.num_rows[split] = len(rows)
        refuse_unusable(self.dropped.get(split, []), len(rows), split)
        if num_examples == 0:
            raise DataError(
                f"the {len(rows)} rows of the {split} split give no example",
                where="data",
                remedy="Bring more rows, or lower task.max_length if rows are packed to that length.",
            )

    def findings(self, max_length: int | None) -> list[Finding]:
        found = [findings.unusable(bad, self.num_rows[split], split) for split, bad in self.dropped.items() if bad]
        for check, rows in (("inputs_cut", self.inputs_cut), ("targets_cut", self.targets_cut)):
            if rows:
                found.append(findings.cut(check, rows, self.num_examples, max_length))
        return found


def encode_split(
    split: str,
    rows: Sequence[Row],
    task: TaskEncoding,
    tokenizer: Any,
    schema: Mapping[str, Any],
    report: EncodingReport,
    *,
    is_named: bool,
) -> Iterator[EncodedRow]:
    """Examples in the order of the task; rows that the task refuses are noted in the report.

    Raises:
        DataError: the task refuses a row of a held-out split that the user named (a label that train lacks): leaving
            it out would measure another split than the one named.
    """
    dropped = report.dropped.setdefault(split, [])
    num_results = 0
    for index, result in enumerate(task.encode([row.values for row in rows], tokenizer, schema)):
        num_results += 1
        row = rows[index] if index < len(rows) else None
        if result is None:
            continue
        if isinstance(result, ValueError):
            if row is not None:
                dropped.append((row, str(result)))
            continue
        report.num_examples += 1
        shown = row if row is not None else rows[-1]
        if getattr(result, "was_cut", False):
            report.inputs_cut.append(shown)
        if getattr(result, "was_target_cut", False):
            report.targets_cut.append(shown)
        yield EncodedRow(result.input_ids, result.labels, PACKED if row is None else index)
    if num_results < len(rows):
        raise DataError(
            f"the task gave {num_results} results for {len(rows)} rows",
            where=f"{type(task).__name__}.encode",
            remedy="It must yield an Example, a RowError or None for every row.",
        )
    if dropped and split != "train" and is_named:
        raise DataError(
            f"{len(dropped)} of {len(rows)} rows of the {split} split cannot be used: {describe(dropped)}",
            where="data",
            remedy="Mend or remove these rows, or bring train rows with their labels: none is left out silently.",
        )
