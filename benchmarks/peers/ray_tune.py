"""Ray Tune around the Trainer, a core for each trial: ray_tune.py WORK OUT. Needs `pip install 'ray[tune]'`."""

from __future__ import annotations

import json
import math
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    import ray
    from ray import tune

    sys.path.append(str(Path(__file__).parent))
    from work import Work

    folder, out = Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute()
    work = Work.read(folder)
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    resources = tune.with_resources(_trainable(folder, out), {"cpu": 1})
    if work.search is None:
        space: dict[str, Any] = {"number": tune.grid_search(list(range(len(work.settings))))}
        tuner = tune.Tuner(resources, param_space=space)
    else:
        scheduler = tune.schedulers.ASHAScheduler(metric="loss", mode="min")
        space = {name: tune.choice(values) for name, values in work.choices.items()}
        space["learning_rate"] = tune.loguniform(*work.rates)
        config = tune.TuneConfig(num_samples=work.num_trials, scheduler=scheduler)
        random.seed(work.search["seed"])
        np.random.seed(work.search["seed"])
        tuner = tune.Tuner(resources, param_space=space, tune_config=config)
    losses = [result.metrics["best"] for result in tuner.fit() if result.metrics and "best" in result.metrics]
    (out / "losses.json").write_text(json.dumps(losses), encoding="utf-8")


def _trainable(folder: Path, out: Path) -> Any:
    here = str(Path(__file__).parent)

    def fit(config: dict[str, Any]) -> None:
        sys.path.append(here)
        import torch
        from ray import tune
        from trainer import make_trainer
        from work import Setting, Work

        torch.set_num_threads(1)
        work, best = Work.read(folder), math.inf
        if "number" in config:
            setting = work.settings[config["number"]]
        else:
            setting = Setting(epochs=work.settings[0].epochs, **config)

        def report(loss: float) -> None:
            nonlocal best
            best = min(best, loss)
            tune.report({"loss": loss, "best": best})

        name = tune.get_context().get_trial_id()
        make_trainer(work, out, name, lambda: work.model(setting), setting, hear=report).train()

    return fit


if __name__ == "__main__":
    main()
