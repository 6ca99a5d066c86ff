"""A Hydra application for hydra-optuna-sweeper: hydra_sweep.py -m. Needs `pip install --pre hydra-optuna-sweeper`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path=None)
def main(config: DictConfig) -> Any:
    from trainer import best_loss, make_trainer
    from work import Setting, Work

    work, out = Work.read(Path(os.environ["PEERS_WORK"])), Path(os.environ["PEERS_OUT"])
    if work.search is None:
        setting = work.settings[config.number]
    else:
        setting = Setting(config.learning_rate, config.batch_size, work.settings[0].epochs, config.rank)
    trainer = make_trainer(work, out, str(HydraConfig.get().job.num), lambda: work.model(setting), setting)
    trainer.train()
    with (out / "losses.txt").open("a", encoding="utf-8") as file:
        file.write(f"{best_loss(trainer)}\n")
    return best_loss(trainer)


if __name__ == "__main__":
    main()
