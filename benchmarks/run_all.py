"""Every benchmark, one after another: a table on the screen and a dated file in results/ (`make bench`).

Exits with 1 when a promised number was missed, or a benchmark failed.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import machine
from measured import Result

BENCHMARKS = (
    "cli_start",
    "padding",
    "waiting_threads",
    "busy_machine",
    "agreement",
    "memory_flat",
    "worker_gap",
    "head_speed",
    "answer_cost",
    "judge_calls",
    "pair_accuracy",
    "control_overhead",
    "control_scale",
    "mlflow_away",
    "quickstart",
)
ON_DEMAND = ("postgres_owners", "object_store")
"""With `--only`: they need what is not on every machine."""
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Outcome:
    """What one benchmark gave; `failure` is the error that ended it."""

    name: str
    results: Sequence[Result]
    seconds: float
    busyness: machine.Busyness
    failure: str = ""

    @property
    def is_ok(self) -> bool:
        return not self.failure and all(each.ok is not False for each in self.results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--only", action="append", choices=BENCHMARKS + ON_DEMAND, metavar="NAME", help="these (may be repeated)"
    )
    parser.add_argument("--quick", action="store_true", help="tiny settings, to see that they run; writes no file")
    options = parser.parse_args()
    names = options.only or BENCHMARKS
    outcomes = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        outcomes.append(run(name, quick=options.quick))
        print("\n".join(table(outcomes[-1:])), flush=True)
    if not options.quick:
        print(f"written: {write(outcomes, suffix='-'.join(options.only or ()))}")
    sys.exit(0 if all(outcome.is_ok for outcome in outcomes) else 1)


def run(name: str, *, quick: bool) -> Outcome:
    """One benchmark; an error in it is an outcome, so that the others still run."""
    watch, started = machine.Watch(), time.monotonic()
    results: Sequence[Result] = ()
    failure = ""
    try:
        results = import_module(name).measure(quick=quick)
        if quick:  # too small to promise anything
            results = [replace(each, target="", ok=None) for each in results]
    except Exception as error:  # noqa: BLE001 - reported, and the exit code says it
        traceback.print_exc()
        failure = f"{type(error).__name__}: {error}".partition("\n")[0][:100]
    return Outcome(name, results, time.monotonic() - started, watch.read(), failure)


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """Markdown lines: a row per number, a warning where the machine was busy with something else."""
    rows = [("benchmark", "number", "value", "spread", "target", "")]
    for outcome in outcomes:
        for each in outcome.results:
            value = f"{each.value:.4g} {each.unit}".strip()
            verdict = {True: "ok", False: "MISSED", None: ""}[each.ok]
            rows.append((outcome.name, each.name, value, each.spread, each.target, verdict))
        if outcome.failure:
            rows.append((outcome.name, outcome.failure, "", "", "", "FAILED"))
        if outcome.busyness.is_busy:
            rows.append((outcome.name, "the machine was busy", "", str(outcome.busyness), "", "WARNING"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def write(outcomes: Sequence[Outcome], *, suffix: str) -> Path:
    """The dated file of this machine; a second run on the same day takes its place."""
    name = "-".join(filter(None, [time.strftime("%Y-%m-%d"), machine.label(), suffix]))
    command = " ".join(["python", "benchmarks/run_all.py", *sys.argv[1:]])
    lines = [f"# {time.strftime('%Y-%m-%d')}, {machine.processor()}", "", f"`{command}`", ""]
    lines += [*listing(machine.hardware()), "", *listing(machine.versions()), ""]
    lines += ["Values are medians, the spread is from lowest to highest.", "", *table(outcomes), ""]
    lines += ["| benchmark | seconds | machine |", "|---|---|---|"]
    lines += [f"| {outcome.name} | {outcome.seconds:.0f} | {outcome.busyness} |" for outcome in outcomes]
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{name}.md"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def listing(facts: Mapping[str, str]) -> list[str]:
    return [", ".join(f"{key} {value}" for key, value in facts.items())]


if __name__ == "__main__":
    main()
