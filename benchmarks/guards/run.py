"""The guards' matrix (`make bench-guards`): planted faults, clean data, brute force, speed.

Prints Markdown, and writes it with `--write FILE`. Exits with 1 when a fault that must be refused was missed, clean
data was refused, or 100,000 rows took a minute.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ftsweep.domain.finding import Severity

sys.path.append(str(Path(__file__).parents[1]))

import machine
from matrix import as_table, run_clean, run_matrix
from near import brute_force, edit_recall
from sets import DataSet, available
from speed import measure_apart
from wrong_labels import estimates

MAX_SECONDS = 60.0
MIN_RECALL = 0.99


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="faults whose name contains this, and nothing else")
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the measurement of speed")
    parser.add_argument("--write", type=Path, help="a Markdown file for the tables")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    report = Report(options.seeds, options.only, options.rows)
    lines = []
    for line in report.lines():
        print(line, flush=True)
        lines.append(line)
    if options.write:
        options.write.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(1 if report.is_missed else 0)


class Report:
    """The tables, line by line, and whether something promised was missed."""

    def __init__(self, num_seeds: int, only: str, num_rows: int) -> None:
        self.seeds = range(num_seeds)
        self.only = only
        self.num_rows = num_rows
        self.is_missed = False
        self.sets, self.missing = available()

    def lines(self) -> Iterator[str]:
        yield f"# Guards of data, {time.strftime('%Y-%m-%d')}"
        yield ""
        yield f"`make bench-guards`, {len(self.seeds)} seeds. " + ", ".join(
            f"{key} {value}" for key, value in machine.hardware().items()
        )
        yield ""
        yield from (f"{sentence}." for sentence in self.missing)
        yield from self.faults()
        if not self.only:
            yield from self.clean()
            yield from self.brute()
            yield from self.edits()
            yield from self.labels()
            yield from self.speed()

    def faults(self) -> Iterator[str]:
        yield "## Planted faults"
        yield ""
        yield "Seeds in which the fault was found as bad as it must be; of leaked rows the share that was flagged."
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
        yield "| set | flipped | model right | the guard, by its surest rows | plain confident learning |"
        yield "|---|---|---|---|---|"
        for name, share, accuracy, sure, plain in estimates(self.sets, self.seeds):
            ranges = [f"{min(values):.1%} to {max(values):.1%}" for values in (sure, plain)]
            yield f"| {name} | {share:.0%} | {accuracy:.0%} | {ranges[0]} | {ranges[1]} |"
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

    def _with_text(self) -> list[DataSet]:
        return [data for data in self.sets if "tags" not in data.columns]


if __name__ == "__main__":
    main()
