"""transformers' `hyperparameter_search` with Optuna: trainer_search.py WORK OUT."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

from trainer import make_trainer
from work import Work


def main() -> None:
    import optuna

    work, out = Work.read(Path(sys.argv[1])), Path(sys.argv[2])

    def make_model(trial: Any = None) -> Any:
        return work.model(work.settings[0] if trial is None else work.setting_of(trial))

    def space(trial: Any) -> dict[str, Any]:
        setting = work.setting_of(trial)
        losses.append(math.inf)
        return {
            "learning_rate": setting.learning_rate,
            "per_device_train_batch_size": setting.batch_size,
            "num_train_epochs": setting.epochs,
        }

    losses: list[float] = []

    def objective(metrics: dict[str, float]) -> float:
        losses[-1] = min(losses[-1], metrics["eval_loss"])  # called at every evaluation
        return metrics["eval_loss"]

    trainer = make_trainer(work, out, "all", make_model)
    is_search = work.search is not None
    own = {"sampler": optuna.samplers.TPESampler(seed=work.search["seed"])} if work.search is not None else {}
    trainer.hyperparameter_search(
        direction="minimize",
        backend="optuna",
        hp_space=space,
        n_trials=work.num_trials,
        compute_objective=objective,
        pruner=optuna.pruners.MedianPruner() if is_search else optuna.pruners.NopPruner(),
        **own,
    )
    (out / "losses.json").write_text(json.dumps(losses), encoding="utf-8")


if __name__ == "__main__":
    main()
