"""The guards' matrix (`make bench-guards`): faults planted in data and in training, clean sets and healthy runs.

Prints Markdown, and writes it with `--write FILE`. `--only data` and the like choose parts. Exits with 1 when a promise
was not kept: a fault that must be refused was missed, clean data was refused, 100,000 rows took a minute, ...
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

import machine

PARTS = {"data": "data_gate:run_data", "training": "fits:run_fits", "forgetting": "forgets:run_forgetting"}
"""By name `module:function`; a function takes the seeds and yields Markdown, last of all "missed" where that is so."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=list(PARTS), help="this part; may be given several times")
    parser.add_argument("--fault", default="", help="of the data's faults those whose name contains this, nothing else")
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the measurement of speed")
    parser.add_argument("--write", type=Path, help="a Markdown file for the tables")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    lines, missed = [], []
    for line in _head(options.seeds):
        print(line, flush=True)
        lines.append(line)
    for name in options.only or PARTS:
        extra = {"only": options.fault, "num_rows": options.rows} if name == "data" else {}
        for line in _part(name)(range(options.seeds), **extra):
            if line == "missed":
                missed.append(name)
            else:
                print(line, flush=True)
                lines.append(line)
    if missed:
        print(f"MISSED in: {', '.join(missed)}", file=sys.stderr)
    if options.write:
        options.write.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(1 if missed else 0)


def _head(num_seeds: int) -> Iterator[str]:
    words = " ".join(sys.argv[1:]).partition(" --write")[0]
    yield f"# Guards, {time.strftime('%Y-%m-%d')}"
    yield ""
    facts = machine.in_a_line()
    yield f"`{' '.join(['python benchmarks/guards/run.py', words]).strip()}`, {num_seeds} seeds. {facts}"
    yield ""


def _part(name: str) -> Callable[..., Iterator[str]]:
    module, _, function = PARTS[name].partition(":")
    part: Callable[..., Iterator[str]] = getattr(import_module(module), function)
    return part


if __name__ == "__main__":
    main()
