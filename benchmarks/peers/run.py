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
from importlib.util import find_spec
from pathlib import Path
from statistics import median

sys.path.append(str(Path(__file__).parents[1]))

import machine
import yaml
from commands import run
from work import MAX_LENGTH, NUM_EVALUATIONS, Work, make_work

from ftsweep.models.tiny import FOLDER as TINY

HERE = Path(__file__).parent
TOOLS = {
    "ftsweep, 2 workers": (None, "executor.workers=2"),
    "ftsweep, 1 worker": (None, "executor.workers=1"),
    "transformers hyperparameter_search (Optuna)": ("transformers", "trainer_search.py"),
    "Optuna and a loop with PEFT": ("optuna", "plain_loop.py"),
    "Ray Tune and the Trainer": ("ray", "ray_tune.py"),
    "hydra-optuna-sweeper and the Trainer": ("hydra_plugins.hydra_optuna_sweeper", "hydra_sweep.py"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--settings", type=int, default=8)
    parser.add_argument("--train", type=int, default=800, help="rows")
    parser.add_argument("--validation", type=int, default=200, help="rows")
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
    names = [name for name in options.tool or TOOLS if (needs := TOOLS[name][0]) is None or _is_there(needs)]
    yield f"# Beside what people would use instead, {time.strftime('%Y-%m-%d')}"
    yield ""
    facts = ", ".join(f"{key} {value}" for key, value in machine.hardware().items())
    yield f"`python benchmarks/peers/run.py {' '.join(sys.argv[1:])}`. {facts}; load {os.getloadavg()[0]:.1f} before."
    rows = f"{options.train} rows of train, {options.validation} of validation"
    yield f"Embedded model, {options.settings} settings, {rows}."
    yield ""
    costs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
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
                costs[name].append(_measure(name, work, Path(made) / f"{number}-{names.index(name)}"))
                print(f"{name}: {costs[name][-1]}", file=sys.stderr, flush=True)
    ours = median(wall for wall, _, _ in costs[names[0]])
    yield f"| tool | wall s, median (range) | wall over {names[0]} | CPU s, median | best validation loss |"
    yield "|---|---|---|---|---|"
    for name, found in costs.items():
        walls = [wall for wall, _, _ in found]
        spread = f"{median(walls):.1f} ({min(walls):.1f} .. {max(walls):.1f})"
        cpu, loss = median(cpu for _, cpu, _ in found), min(loss for _, _, loss in found)
        yield f"| {name} | {spread} | {median(walls) / ours:.2f} | {cpu:.0f} | {loss:.3f} |"
    missing = [name for name in options.tool or TOOLS if name not in names]
    if missing:
        yield f"\nNot installed here: {', '.join(missing)}."


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _measure(name: str, work: Work, out: Path) -> tuple[float, float, float]:
    """Wall and CPU seconds, and the best validation loss of all settings."""
    out.mkdir()
    needs, given = TOOLS[name]
    if needs is None:
        return _ours(work, out, given)
    words = [sys.executable, str(HERE / given), str(work.folder), str(out)]
    if given == "hydra_sweep.py":
        count = ",".join(map(str, range(len(work.settings))))
        sweeper = ["hydra/sweeper=optuna", f"hydra.sweeper.n_trials={len(work.settings)}", "hydra.sweeper.n_jobs=1"]
        grid = ["hydra/sweeper/sampler=grid", f"+number=choice({count})", f"hydra.sweep.dir={out / 'hydra'}"]
        words = [sys.executable, str(HERE / given), "-m", *sweeper, *grid]
    cost = run(words, out, PEERS_WORK=str(work.folder), PEERS_OUT=str(out), TOKENIZERS_PARALLELISM="false")
    if (out / "losses.txt").exists():
        losses = [float(line) for line in (out / "losses.txt").read_text().splitlines()]
    else:
        losses = json.loads((out / "losses.json").read_text(encoding="utf-8"))
    assert len(losses) == len(work.settings), f"{name} trained {len(losses)} settings"
    return cost.wall_seconds, cost.cpu_seconds, min(losses)


def _ours(work: Work, out: Path, word: str) -> tuple[float, float, float]:
    from ftsweep.store.folders import Store

    training = {"learning_rate", "batch_size", "epochs"}
    enqueue = [
        {("training." if key in training else "strategy.") + key: value for key, value in vars(setting).items()}
        for setting in work.settings[1:]  # the first one is the default, which is always tried
    ]
    groups = [{"model": "local"}, {"data": "files"}, {"task": "classification"}, {"strategy": "lora"}]
    sweep = {
        "defaults": ["base", *groups, {"override pruner": "none"}, "_self_"],
        "study": {"name": "peers", "enqueue": enqueue},
        "model": {"path": work.base},
        "data": {
            "train": str(work.folder / "train.jsonl"),
            "validation": str(work.folder / "validation.jsonl"),
            "test": None,
            "test_fraction": 0.0,
        },
        "task": {"max_length": MAX_LENGTH},
        "training": {**{key: vars(work.settings[0])[key] for key in training}, "warmup": 0, "weight_decay": 0.0},
        "strategy": {"rank": work.settings[0].rank},
        "budget": {"trials": len(work.settings)},
        "rungs": {"count": NUM_EVALUATIONS},
        "selection": {"seeds": 0},
        "guards": {"small_data": "allow", "cut_inputs": "allow", "near_duplicates": "allow"},
        "executor": {"threads": 1},
        "space": {
            "training": {
                "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
                "batch_size": sorted({each.batch_size for each in work.settings} | {64}),
                "epochs": {"low": 1, "high": 3},
            },
            "strategy": {"rank": [4, 8, 16]},
        },
    }
    (out / "peers.yaml").write_text(yaml.safe_dump(sweep), encoding="utf-8")
    cost = run([sys.executable, "-m", "ftsweep.cli.main", "run", "peers.yaml", word], out)
    records = Store(out / "mlruns").study("peers").records()
    losses = [measurement.values["validation/loss"] for record in records for measurement in record.measurements]
    assert len(records) == len(work.settings)
    return cost.wall_seconds, cost.cpu_seconds, min(losses)


if __name__ == "__main__":
    main()
