"""ftsweep beside what people would use instead (`make bench-peers`): the same settings trained by each, whole commands.

Rounds in which all tools take turns; wall and CPU seconds from the start of a process to its last file, and ratios to
ftsweep with two workers. Guards, the untouched base, the report and MLflow are in ftsweep's time; so is what the others
do beside training. A tool that is not installed is named and left out. Prints Markdown; `--write FILE` keeps it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

sys.path.append(str(Path(__file__).parents[1]))

import machine
from commands import run
from tools import TOOLS, chosen, command, losses, missing_text
from work import Work, make_work

from ftsweep.models.tiny import FOLDER as TINY


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--settings", type=int, default=16)
    parser.add_argument("--train", type=int, default=713, help="rows; as many as the quickstart's")
    parser.add_argument("--validation", type=int, default=207, help="rows; as many as the quickstart's")
    parser.add_argument("--batch", type=int, help="of every setting; else 8, 16 or 32")
    parser.add_argument("--tool", action="append", choices=list(TOOLS), help="may be given several times; else all")
    parser.add_argument("--write", type=Path, help="a Markdown file")
    options = parser.parse_args()
    lines = []
    for line in report(options):
        print(line, flush=True)
        lines.append(line)
    if options.write:
        options.write.write_text("\n".join(lines) + "\n", encoding="utf-8")


def report(options: argparse.Namespace) -> Iterator[str]:
    names, missing = chosen(options.tool)
    yield f"# Beside what people would use instead, {time.strftime('%Y-%m-%d')}"
    yield ""
    facts = machine.in_a_line()
    yield f"`python benchmarks/peers/run.py {' '.join(sys.argv[1:])}`. {facts}; load {os.getloadavg()[0]:.1f} before."
    rows = f"{options.train} rows of train, {options.validation} of validation"
    yield f"Embedded model, {options.settings} settings, {rows}."
    yield ""
    costs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="ftsweep-peers-") as made:
        work = make_work(
            Path(made) / "work",
            str(TINY),
            num_train=options.train,
            num_validation=options.validation,
            num_settings=options.settings,
            batch=options.batch,
        )
        for number in range(options.rounds):
            for name in names if number % 2 == 0 else reversed(names):
                try:
                    costs[name].append(_measure(name, work, Path(made) / f"{number}-{names.index(name)}"))
                    print(f"{name}: {costs[name][-1]}", file=sys.stderr, flush=True)
                except RuntimeError as error:  # the others can still be compared
                    print(error, file=sys.stderr, flush=True)
                    failed[name] = str(error).strip().splitlines()[-1]
    yield from _table(costs)
    for name, error in failed.items():
        yield f"\n{name} has failed: {error}"
    yield missing_text(missing)


def _table(costs: dict[str, list[tuple[float, float, float]]]) -> Iterator[str]:
    costs = {name: found for name, found in costs.items() if found}
    if not costs:
        return
    first = next(iter(costs))
    ours = median(wall for wall, _, _ in costs[first])
    yield f"| tool | wall s, median (range) | wall over {first} | CPU s, median | best validation loss |"
    yield "|---|---|---|---|---|"
    for name, found in costs.items():
        walls = [wall for wall, _, _ in found]
        spread = f"{median(walls):.1f} ({min(walls):.1f} .. {max(walls):.1f})"
        cpu, loss = median(cpu for _, cpu, _ in found), min(loss for _, _, loss in found)
        yield f"| {name} | {spread} | {median(walls) / ours:.2f} | {cpu:.0f} | {loss:.3f} |"


def _measure(name: str, work: Work, out: Path) -> tuple[float, float, float]:
    """Wall and CPU seconds, and the best validation loss of all settings."""
    out.mkdir()
    words, variables = command(name, work, out)
    cost = run(words, out, **variables)
    if (out / "losses.json").exists():
        ended = len(json.loads((out / "losses.json").read_text(encoding="utf-8")))
    elif (out / "losses.txt").exists():
        ended = len((out / "losses.txt").read_text(encoding="utf-8").splitlines())
    else:
        ended = len(list((out / "mlruns" / "studies" / "peers" / "trials").glob("[0-9]*/outcome.json")))
    assert ended == len(work.settings), f"{name} trained {ended} settings"
    return cost.wall_seconds, cost.cpu_seconds, min(losses(name, out))


if __name__ == "__main__":
    main()
