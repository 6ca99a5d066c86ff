"""The tools that are compared: how each is started, what it needs, and the losses that it has told so far."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ours import write_sweep
from work import Work

HERE = Path(__file__).parent
PYTHON = HERE.parents[1] / ".venv" / "peers" / "bin" / "python"
"""Of the environment with the optional peers (`make bench-peers` makes it): they need another Hydra than ftsweep."""


@dataclass(frozen=True)
class Tool:
    needs: str | None
    """The module that must be there; None for ftsweep itself."""
    given: str
    """A script beside this one, or words for `ftsweep run`."""
    prunes: bool = True


TOOLS: Mapping[str, Tool] = {
    "ftsweep, 2 workers": Tool(None, "executor.workers=2"),
    "ftsweep, 2 workers, hardly any of train measured": Tool(None, "executor.workers=2 rungs.train_rows=16"),
    "ftsweep, 2 workers of 4 lanes": Tool(None, "executor.workers=2 executor.lanes=4"),
    "ftsweep, 1 worker": Tool(None, "executor.workers=1"),
    "transformers hyperparameter_search (Optuna)": Tool("transformers", "trainer_search.py"),
    "Optuna and a loop with PEFT": Tool("optuna", "plain_loop.py"),
    "Ray Tune and the Trainer": Tool("ray.tune", "ray_tune.py"),
    "hydra-optuna-sweeper and the Trainer": Tool("hydra_plugins.hydra_optuna_sweeper", "hydra_sweep.py", prunes=False),
}


def chosen(names: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Of these tools, or of all, those that are there, and those that are not installed."""
    asked = list(names or TOOLS)
    there = [name for name in asked if _is_there(TOOLS[name].needs)]
    return there, [name for name in asked if name not in there]


def missing_text(missing: Sequence[str]) -> str:
    return f"\nNot installed here, and left out: {', '.join(missing)}." if missing else ""


def command(name: str, work: Work, out: Path) -> tuple[list[str], dict[str, str]]:
    """The words that start it in the folder `out`, and the variables that it needs. A second time they go on there."""
    tool = TOOLS[name]
    variables = {
        "PEERS_WORK": str(work.folder),
        "PEERS_OUT": str(out),
        "TOKENIZERS_PARALLELISM": "false",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    if tool.needs is None:
        write_sweep(work, out)
        return [sys.executable, "-m", "ftsweep.cli.main", "run", "peers.yaml", *tool.given.split()], variables
    words = [python(), str(HERE / tool.given)]
    if tool.given == "hydra_sweep.py":
        return [*words, "-m", *_hydra_words(work, out)], variables
    return [*words, str(work.folder), str(out)], variables


def _hydra_words(work: Work, out: Path) -> list[str]:
    count = len(work.settings)
    words = ["hydra/sweeper=optuna", "hydra.sweeper.n_jobs=1", f"hydra.sweep.dir={out / 'hydra'}"]
    if work.search is None:
        numbers = ",".join(map(str, range(count)))
        return [*words, f"hydra.sweeper.n_trials={count}", "hydra/sweeper/sampler=grid", f"+number=choice({numbers})"]
    space = [f"+learning_rate=tag(log,interval({work.rates[0]},{work.rates[1]}))"]
    space += [f"+{name}=choice({','.join(map(str, values))})" for name, values in work.choices.items()]
    seeded = ["hydra/sweeper/sampler=tpe", f"hydra.sweeper.sampler.seed={work.search['seed']}"]
    return [*words, f"hydra.sweeper.n_trials={work.search['trials']}", *seeded, *space]


def losses(name: str, out: Path) -> list[float]:
    """Every validation loss that it has measured so far, those of trials one after another."""
    return list(_ours(out) if TOOLS[name].needs is None else _theirs(out))


def _ours(out: Path) -> Iterator[float]:
    for file in sorted((out / "mlruns" / "studies" / "peers" / "trials").glob("[0-9]*/measurements.jsonl")):
        for line in file.read_bytes().splitlines(keepends=True):
            measured = json.loads(line.rpartition(b"\t")[0]) if line.endswith(b"\n") else None
            if measured is not None and measured["rung"] > 0:  # the others measure nothing before their first step
                yield float(measured["values"]["validation/loss"])


def _theirs(out: Path) -> Iterator[float]:
    file = out / "evaluations.jsonl"
    for line in file.read_bytes().splitlines() if file.exists() else []:
        yield float(json.loads(line))


def python() -> str:
    """The interpreter of the peers."""
    return str(PYTHON) if PYTHON.exists() else sys.executable


@cache
def _is_there(module: str | None) -> bool:
    if module is None:
        return True
    asked: Any = subprocess.run([python(), "-c", f"import {module}"], capture_output=True, check=False)
    return bool(asked.returncode == 0)
