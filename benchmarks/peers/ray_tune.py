"""Ray Tune around the Trainer, a core for each trial: ray_tune.py WORK OUT. Needs `pip install 'ray[tune]'`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    from ray import tune

    folder, out = Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute()
    here = str(Path(__file__).parent)

    def fit(config: dict[str, Any]) -> dict[str, float]:
        sys.path.append(here)
        import torch
        from trainer import best_loss, make_trainer
        from work import Work

        torch.set_num_threads(1)
        work = Work.read(folder)
        setting = work.settings[config["number"]]
        trainer = make_trainer(work, out / "runs" / str(config["number"]), lambda: work.model(setting), setting)
        trainer.train()
        return {"loss": best_loss(trainer)}

    count = len(json.loads((folder / "work.json").read_text(encoding="utf-8"))["settings"])
    tuner = tune.Tuner(
        tune.with_resources(fit, {"cpu": 1}), param_space={"number": tune.grid_search(list(range(count)))}
    )
    losses = [result.metrics["loss"] for result in tuner.fit()]
    (out / "losses.json").write_text(json.dumps(losses), encoding="utf-8")


if __name__ == "__main__":
    main()
