"""What the peers that stand on transformers' Trainer share: its arguments and a Trainer of one setting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from work import NUM_EVALUATIONS, Setting, Work, tell


def arguments(folder: Path, setting: Setting | None = None) -> Any:
    """As the documentation shows it: evaluated and saved ten times, the best one kept."""
    from transformers import TrainingArguments

    own = {}
    if setting is not None:
        own = {
            "learning_rate": setting.learning_rate,
            "per_device_train_batch_size": setting.batch_size,
            "num_train_epochs": setting.epochs,
        }
    return TrainingArguments(
        output_dir=str(folder),
        use_cpu=True,
        eval_strategy="steps",
        eval_steps=1 / NUM_EVALUATIONS,
        save_strategy="steps",
        save_steps=1 / NUM_EVALUATIONS,
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        per_device_eval_batch_size=16,
        report_to="none",
        disable_tqdm=True,
        logging_strategy="no",
        **own,
    )


def make_trainer(
    work: Work,
    out: Path,
    name: str,
    make_model: Callable[..., Any],
    setting: Setting | None = None,
    *,
    hear: Callable[[float], None] | None = None,
) -> Any:
    """Its checkpoints lie in `out` under this name; every evaluation is told there, and `hear` is told, too."""
    from transformers import AutoTokenizer, DataCollatorWithPadding, Trainer, TrainerCallback

    class Telling(TrainerCallback):
        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any, **kwargs: Any) -> None:
            tell(out, metrics["eval_loss"])
            if hear is not None:
                hear(metrics["eval_loss"])

    return Trainer(
        model=None if setting is None else make_model(),
        model_init=make_model if setting is None else None,
        args=arguments(out / "runs" / name, setting),
        train_dataset=work.encoded("train"),
        eval_dataset=work.encoded("validation"),
        data_collator=DataCollatorWithPadding(AutoTokenizer.from_pretrained(work.base)),
        callbacks=[Telling()],
    )


def best_loss(trainer: Any) -> float:
    return min(entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry)
