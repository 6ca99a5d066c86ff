"""Time until somebody's search has found a setting of a wanted validation loss, each with its own sampler and pruner.

    python benchmarks/peers/target.py [--seeds 3] [--trials 12] [--target LOSS | --drawn 10 --share .2]

The wall clock starts with the process and stops when an evaluation at or below the target has been told; the tool is
killed then. Every tool searches the same space, with so many trials at most, its default sampler and the pruner that
its documentation shows: ftsweep's and Optuna's medians, Ray's ASHA, none for hydra-optuna-sweeper. Without `--target`
it is what a `--share` of the space reaches: settings are `--drawn` from it and trained by the loop with PEFT. Half of
the space is a race of starts; a fifth has to be searched for.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

sys.path.append(str(Path(__file__).parents[1]))

import machine
from commands import run
from tools import TOOLS, chosen, command, losses, missing_text
from watched import watch
from work import Setting, Work, make_work

from ftsweep.models.tiny import FOLDER as TINY

_REFERENCE = "Optuna and a loop with PEFT"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--target", type=float, help="validation loss")
    parser.add_argument("--drawn", type=int, default=10, help="settings that the target is taken from")
    parser.add_argument("--share", type=float, default=0.2, help="of them, that reach it")
    parser.add_argument("--train", type=int, default=713, help="rows; as many as the quickstart's")
    parser.add_argument("--validation", type=int, default=207, help="rows; as many as the quickstart's")
    parser.add_argument("--most-seconds", type=float, default=150, help="of one search")
    parser.add_argument("--tool", action="append", choices=list(TOOLS), help="may be given several times; else all")
    options = parser.parse_args()
    for line in report(options):
        print(line, flush=True)


def report(options: argparse.Namespace) -> Iterator[str]:
    names, missing = chosen(options.tool)
    facts = machine.in_a_line()
    load = f"load {os.getloadavg()[0]:.1f} before"
    yield f"`python benchmarks/peers/target.py {' '.join(sys.argv[1:])}`. {facts}; {load}."
    with tempfile.TemporaryDirectory(prefix="ftsweep-peers-") as made:
        folder = Path(made)
        rows = {"num_train": options.train, "num_validation": options.validation}
        work = make_work(folder / "work", str(TINY), **rows, num_settings=1, batch=None)
        target = options.target
        if target is None:
            reached = _losses_of(replace(work, settings=_drawn(work, options.drawn)).write(), folder / "reference")
            target = reached[max(0, round(options.share * options.drawn) - 1)]
            yield f"\n{options.drawn} settings drawn came to {', '.join(f'{loss:.3f}' for loss in reached)}."
        most = f"at most {options.trials} trials and {options.most_seconds:.0f} s"
        yield f"\nTarget: validation loss {target:.4f}; {most}.\n"
        found: dict[str, list[float | None]] = {name: [] for name in names}
        for seed in range(options.seeds):
            searching = replace(work, search={"trials": options.trials, "seed": seed}).write()
            for name in names if seed % 2 == 0 else reversed(names):
                out = folder / f"{seed}-{names.index(name)}"
                out.mkdir()
                found[name].append(_seconds(name, searching, out, target, options.most_seconds))
                print(f"{name}, seed {seed}: {found[name][-1]}", file=sys.stderr, flush=True)
    yield from _table(found, names)
    yield missing_text(missing)


def _seconds(name: str, work: Work, out: Path, target: float, most_seconds: float) -> float | None:
    """None where the search ends, or its time, before the target is reached."""
    watched = watch(
        name, work, out, until=lambda: min(losses(name, out), default=target + 1) <= target, most_seconds=most_seconds
    )
    if not watched.is_reached and watched.code:
        print(f"{name} ended with {watched.code}: {watched.errors}", file=sys.stderr, flush=True)
    return watched.seconds if watched.is_reached else None


def _drawn(work: Work, number: int) -> list[Setting]:
    """From the space that is searched."""
    chance = random.Random(0)
    rates = (math.exp(chance.uniform(*map(math.log, work.rates))) for _ in range(number))
    choices = work.choices.items()
    epochs = work.settings[0].epochs
    return [Setting(rate, epochs=epochs, **{name: chance.choice(values) for name, values in choices}) for rate in rates]


def _losses_of(work: Work, out: Path) -> list[float]:
    """The lowest validation loss of each of its settings, the lowest first."""
    out.mkdir()
    words, variables = command(_REFERENCE, work, out)
    run(words, out, **variables)
    return sorted(json.loads((out / "losses.json").read_text(encoding="utf-8")))


def _table(found: dict[str, list[float | None]], names: list[str]) -> Iterator[str]:
    infinite = float("inf")
    medians = {name: median(infinite if each is None else each for each in found[name]) for name in names}
    yield f"| tool | seconds to the target, median | of each seed | over {names[0]} | prunes |"
    yield "|---|---|---|---|---|"
    for name in names:
        each = ", ".join("not reached" if seconds is None else f"{seconds:.1f}" for seconds in found[name])
        told = "not reached" if medians[name] == infinite else f"{medians[name]:.1f}"
        ratio = medians[name] / medians[names[0]] if max(medians[name], medians[names[0]]) < infinite else None
        over = "" if ratio is None else f"{ratio:.2f}"
        yield f"| {name} | {told} | {each} | {over} | {'yes' if TOOLS[name].prunes else 'no'} |"


if __name__ == "__main__":
    main()
