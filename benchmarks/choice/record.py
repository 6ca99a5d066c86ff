"""Records a pool of training runs that simulated studies draw from: settings by seeds, all scored on one large set.

    python benchmarks/choice/record.py --pool pydocs --to /tmp/choice_pool

A run keeps its measurements, the loss and the answer of every held-out row at every rung, and its trained weights. What
is there already is not made again, so a recording that was stopped goes on: seed after seed, all settings with each.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from ftsweep.config.compose import compose_sweep
from ftsweep.domain.space import Branch, Choice, FloatInterval, IntInterval
from ftsweep.store.atomic import write_json
from ftsweep.store.folders import TrialFolder
from ftsweep.training.measuring import Start
from ftsweep.training.trial import TrialRun
from ftsweep.worker.components import Components

_NUM_PROBED = 32  # train rows at a rung: nobody asks for them here
_DRAW_SEED = 17


@dataclass(frozen=True)
class PoolPlan:
    """What a pool is made of. The validation split is the held-out set; a study takes a few hundred rows of it."""

    sweep: str
    overrides: tuple[str, ...]
    num_settings: int
    num_seeds: int


# Train is as large as the quickstart's; of what is held out validation is kept and "test" is not looked at.
_PYDOCS = (
    "data.limit=null",
    "data.validation_fraction=0.22",
    "data.test_fraction=0.57",
    "task.max_length=40",
    "rungs.count=2",
    "space.training.learning_rate.low=7e-4",  # of the quickstart's space the part where a trial has a chance
    "space.training.epochs.high=2",
)
POOLS: Mapping[str, PoolPlan] = {
    f"pydocs-{draw}": PoolPlan("quickstart", (*_PYDOCS, f"seed.data={draw}"), 8, 8) for draw in range(2)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pool", action="append", choices=list(POOLS), help="may be given several times; else all")
    parser.add_argument("--to", type=Path, default=Path("/tmp/choice_pool"))
    parser.add_argument("--setting", type=int, action="append", help="only these settings; may be given several times")
    parser.add_argument("--minutes", type=float, default=35.0, help="of CPU, all pools together")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.pool or POOLS:
        record(POOLS[name], options.to / name, options.minutes * 60, options.setting)


def record(plan: PoolPlan, folder: Path, cpu_seconds: float, only: list[int] | None = None) -> None:
    """Make the runs that are missing, until this process has used its CPU seconds."""
    (branch,) = compose_sweep(plan.sweep, plan.overrides).branches
    settings = drawn_settings(branch, plan.num_settings)
    write_json(folder / "settings.json", settings)
    components, start = Components(), Start()
    for seed, setting in product(range(plan.num_seeds), only or range(plan.num_settings)):
        run_folder = folder / f"{setting:02d}-{seed}"
        if (run_folder / "outcome.json").exists():
            continue
        if time.process_time() > cpu_seconds:
            print(f"{folder.name}: stopped after {cpu_seconds:.0f} CPU seconds, before run {run_folder.name}")
            return
        began = time.process_time()
        config = branch.config_with(settings[setting])
        config["seed"] = {**config["seed"], "model": seed}
        loss = train(components, config, TrialFolder(run_folder), folder.parent / "cache", start)
        print(f"{folder.name} {run_folder.name}: loss {loss:.4f}, {time.process_time() - began:.1f} s", flush=True)


def drawn_settings(branch: Branch, count: int) -> list[dict[str, Any]]:
    """The default setting, then draws from the branch's space."""
    chance = random.Random(_DRAW_SEED)
    draws = [
        {branch.param_name(path): _drawn(dimension, chance) for path, dimension in branch.space.dimensions.items()}
        for _ in range(count - 1)
    ]
    return [branch.default_params(), *draws]


def _drawn(dimension: Choice | IntInterval | FloatInterval, chance: random.Random) -> Any:
    if isinstance(dimension, Choice):
        return chance.choice(dimension.values)
    if isinstance(dimension, IntInterval):
        return chance.randint(dimension.low, dimension.high)
    low, high = (math.log(end) if dimension.log else end for end in (dimension.low, dimension.high))
    value = chance.uniform(low, high)
    return math.exp(value) if dimension.log else value


def train(components: Components, config: Mapping[str, Any], folder: TrialFolder, cache: Path, start: Start) -> float:
    """One trial to its end; the objective at its best rung. Its best weights lie beside what it measured."""
    parts = components.parts_of(config, cache)
    base = components.lend_base(parts)
    run = components.begin_run(parts, base, folder, start=start)
    assert isinstance(run, TrialRun)
    run.scorer.probe = run.scorer.probe[:_NUM_PROBED]
    while run.outcome is None:
        run.step()
        run.resume()
    if run.best_weights is not None:
        save_file(run.best_weights, folder.path / "weights.safetensors")
    folder.write_outcome(run.outcome)
    components.bases.put_back(base, parts.strategy, run.model)
    best = run.objective.best(run.measurements)
    return math.nan if best is None else run.objective.value(best)


if __name__ == "__main__":
    main()
