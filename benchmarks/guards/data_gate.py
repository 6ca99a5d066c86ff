"""The data gate's tables: planted faults, clean data, all pairs by brute force, wrong labels, speed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from matrix import as_table, run_clean, run_matrix
from near import brute_force, edit_recall
from sets import DataSet, available
from speed import measure_apart
from wrong_labels import estimates

from ftsweep.domain.finding import Severity

MAX_SECONDS = 60.0
MIN_RECALL = 0.99
MISSED = "missed"
"""The last line, where something that is promised was missed."""


def run_data(seeds: Sequence[int], only: str = "", num_rows: int = 100_000) -> Iterator[str]:
    """The tables as lines of Markdown; with `only`, faults whose name contains it and nothing else."""
    yield from DataReport(seeds, only, num_rows).lines()


class DataReport:
    """The tables of the data gate, line by line, and whether something promised was missed."""

    def __init__(self, seeds: Sequence[int], only: str, num_rows: int) -> None:
        self.seeds = seeds
        self.only = only
        self.num_rows = num_rows
        self.is_missed = False
        self.sets, self.missing = available()

    def lines(self) -> Iterator[str]:
        if self.missing:
            yield from (f"{sentence}." for sentence in self.missing)
            yield ""
        yield from self.faults()
        if not self.only:
            for table in (self.clean, self.brute, self.edits, self.labels, self.speed):
                yield from table()
        if self.is_missed:
            yield MISSED

    def faults(self) -> Iterator[str]:
        yield "## Planted faults"
        yield ""
        yield "Seeds in which the fault was found as bad as it must be, by its guard; of leaked rows the share flagged."
        yield ""
        lines = []
        for fault, cells in run_matrix(self.sets, self.seeds, self.only):
            lines.append((fault, cells))
            must_refuse = fault.expected is Severity.REFUSE
            self.is_missed |= must_refuse and not all(cell.is_ok for cell in cells.values())
            print(f"{fault.name}: {', '.join(f'{name} {cell}' for name, cell in cells.items())}", file=sys.stderr)
        yield from as_table(lines, [data.name for data in self.sets])
        yield ""

    def clean(self) -> Iterator[str]:
        yield "## Clean data"
        yield ""
        yield "All guards, as they are shipped."
        yield ""
        yield "| set | refused or warned of (rates) | CPU seconds |"
        yield "|---|---|---|"
        for name, found, seconds in run_clean(self.sets, self.seeds):
            self.is_missed = self.is_missed or any(check.startswith("refuse") for check in found)
            yield f"| {name} | {'; '.join(found) or 'nothing'} | {seconds:.1f} |"
        yield ""

    def brute(self) -> Iterator[str]:
        yield "## Near-duplicates against all pairs of 2,000 rows"
        yield ""
        yield "| set | pairs >= .75 | recall | pairs >= .8 | recall | false | word 5-gram pairs >= .8 | recall |"
        yield "|---|---|---|---|---|---|---|---|"
        for data in self._with_text():
            found = brute_force(data, seed=0)
            self.is_missed = self.is_missed or found.recall_08 < MIN_RECALL or found.num_false > 0
            yield (
                f"| {data.name} | {found.num_pairs} | {found.recall:.4f} | {found.num_pairs_08} "
                f"| {found.recall_08:.4f} | {found.num_false} | {found.num_spec} | {found.recall_spec:.4f} |"
            )
        yield ""

    def edits(self) -> Iterator[str]:
        yield "## A tenth of the words changed: share of copies that a measure finds"
        yield ""
        for data in self._with_text():
            for place, (name, shares) in enumerate(edit_recall(data, seed=0)):
                if place == 0:
                    yield f"| {data.name} | " + " | ".join(shares) + " |"
                    yield "|---" * (1 + len(shares)) + "|"
                yield f"| {name} | " + " | ".join(f"{share:.2f}" for share in shares.values()) + " |"
            yield ""

    def labels(self) -> Iterator[str]:
        yield "## Wrong labels: share that is estimated, lowest to highest of the seeds"
        yield ""
        yield "| set | flipped | model right | contradicted where it is surest | said as a rate | confident learning |"
        yield "|---|---|---|---|---|---|"
        for found in estimates(self.sets, self.seeds):
            sure, confident = (f"{min(each):.1%} to {max(each):.1%}" for each in (found.sure, found.confident))
            said = f"{sum(found.has_rate)}/{len(found.has_rate)}"
            accuracy = sum(found.accuracy) / len(found.accuracy)
            yield f"| {found.name} | {found.flipped:.0%} | {accuracy:.0%} | {sure} | {said} | {confident} |"
        yield ""

    def speed(self) -> Iterator[str]:
        yield "## Speed"
        yield ""
        yield "| rows | words a row | task | wall seconds | CPU seconds | peak memory |"
        yield "|---|---|---|---|---|---|"
        for words, has_classes in ((26, True), (60, False)):
            found = measure_apart(self.num_rows, words, has_classes=has_classes)
            self.is_missed = self.is_missed or found["CPU seconds"] > MAX_SECONDS
            task = "classification" if has_classes else "instruction"
            yield (
                f"| {found['rows']} | {found['words']:.0f} | {task} | {found['wall seconds']:.1f} | "
                f"{found['CPU seconds']:.1f} | {found['peak memory MiB']:.0f} MiB |"
            )
        yield ""
        yield "Splitting and all guards in one process, without reading and tokenising."

    def _with_text(self) -> list[DataSet]:
        return [data for data in self.sets if "tags" not in data.columns]
