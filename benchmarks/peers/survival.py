"""What a search survives: a kill of everything that it runs, a setting that needs more memory than there is, a NaN.

    python benchmarks/peers/survival.py [--tool NAME]

Kill: every process of the tool gets SIGKILL after the fifth evaluation, and the same command is given again in the same
folder. Memory: one setting takes all rows as one batch, and no process may have more than so many bytes of private
memory. NaN: one setting has a learning rate of 1e30. In each case the other settings should be trained to their ends.
Whatever is said of a tool is of its documented way, without a storage or a `catch` that a person might add.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

import machine
from tools import TOOLS, chosen, losses, missing_text
from watched import Watched, watch
from work import NUM_EVALUATIONS, Work, make_work

from ftsweep.models.tiny import FOLDER as TINY

_KILL_AFTER = 5
"""Evaluations."""
CASES = ("kill", "memory", "nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--case", action="append", choices=CASES, help="may be given several times; else all")
    parser.add_argument("--train", type=int, default=400, help="rows; with the case of memory five times as many")
    parser.add_argument("--data-gib", type=float, default=3.0, help="private memory of each process")
    parser.add_argument("--most-seconds", type=float, default=180, help="of one command")
    parser.add_argument("--tool", action="append", choices=list(TOOLS), help="may be given several times; else all")
    options = parser.parse_args()
    for line in report(options):
        print(line, flush=True)


def report(options: argparse.Namespace) -> Iterator[str]:
    names, missing = chosen(options.tool)
    facts = machine.in_a_line()
    load = f"load {os.getloadavg()[0]:.1f} before"
    yield f"`python benchmarks/peers/survival.py {' '.join(sys.argv[1:])}`. {facts}; {load}."
    yield "Evaluations: above what the sound settings need are those done twice, or of the ill one.\n"
    yield "| case | tool | ends with | evaluations, and those of the sound settings | what it said last |"
    yield "|---|---|---|---|---|"
    for case in options.case or CASES:
        with tempfile.TemporaryDirectory(prefix="ftsweep-peers-") as made:
            work = _work(case, Path(made) / "work", options.train)
            for number, name in enumerate(names):
                out = Path(made) / str(number)
                out.mkdir()
                yield f"| {case} | {name} | {_told(case, name, work, out, options)} |"
    yield missing_text(missing)


def _work(case: str, folder: Path, num_train: int) -> Work:
    rows = 5 * num_train if case == "memory" else num_train
    work = make_work(folder, str(TINY), num_train=rows, num_validation=40, num_settings=3, batch=16)
    first, ill, last = work.settings
    if case == "memory":
        ill = replace(ill, batch_size=rows)
    elif case == "nan":
        ill = replace(ill, learning_rate=1e30)
    return replace(work, settings=[first, ill, last]).write()


def _told(case: str, name: str, work: Work, out: Path, options: argparse.Namespace) -> str:
    data_bytes = int(options.data_gib * 2**30) if case == "memory" else None

    def attempt(num_evaluations: float) -> Watched:
        return watch(
            name,
            work,
            out,
            until=lambda: len(losses(name, out)) >= num_evaluations,
            most_seconds=options.most_seconds,
            data_bytes=data_bytes,
        )

    if case == "kill":
        attempt(_KILL_AFTER)
    watched = attempt(math.inf)
    count = sum(map(math.isfinite, losses(name, out)))
    needed = NUM_EVALUATIONS * (len(work.settings) - (case != "kill"))
    ended = "its time was over" if watched.code is None else f"exit code {watched.code}"
    said = watched.errors.replace("|", "/") if watched.code else ""
    return f"{ended} | {count} / {needed} | {said}"


if __name__ == "__main__":
    main()
