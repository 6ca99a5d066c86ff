"""Optuna around a loop of one's own with PEFT: plain_loop.py WORK OUT. The strong rival: torch alone in the step."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from work import NUM_EVALUATIONS, Work, tell


def main() -> None:
    import optuna
    import torch
    from torch.utils.data import DataLoader
    from transformers import AutoTokenizer, DataCollatorWithPadding, get_linear_schedule_with_warmup

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    work, out = Work.read(Path(sys.argv[1])), Path(sys.argv[2])
    collate = DataCollatorWithPadding(AutoTokenizer.from_pretrained(work.base))
    train, validation = work.encoded("train"), work.encoded("validation")

    @torch.no_grad()
    def evaluate(model: Any) -> float:
        model.eval()
        total = 0.0
        for batch in DataLoader(validation, batch_size=16, collate_fn=collate):
            total += model(**batch).loss.item() * len(batch["labels"])
        model.train()
        return total / len(validation)

    def fit(trial: optuna.Trial) -> float:
        setting = work.setting_of(trial)
        model = work.model(setting)
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(weights, lr=setting.learning_rate, weight_decay=0.0)
        loader = DataLoader(train, batch_size=setting.batch_size, shuffle=True, collate_fn=collate)
        num_steps = setting.epochs * len(loader)
        schedule = get_linear_schedule_with_warmup(optimizer, 0, num_steps)
        rungs = {round(num_steps * rung / NUM_EVALUATIONS) for rung in range(1, NUM_EVALUATIONS + 1)}
        best, step = float("inf"), 0
        for _ in range(setting.epochs):
            for batch in loader:
                model(**batch).loss.backward()
                torch.nn.utils.clip_grad_norm_(weights, 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
                step += 1
                if step not in rungs:
                    continue
                loss = evaluate(model)
                tell(out, loss)
                if loss < best:
                    best = loss
                    model.save_pretrained(out / "runs" / str(trial.number))
                trial.report(loss, step)
                if work.search is not None and trial.should_prune():
                    raise optuna.TrialPruned
        return best

    seed = None if work.search is None else work.search["seed"]
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), pruner=optuna.pruners.MedianPruner())
    study.optimize(fit, n_trials=work.num_trials)
    (out / "losses.json").write_text(json.dumps([trial.value for trial in study.trials]), encoding="utf-8")


if __name__ == "__main__":
    main()
