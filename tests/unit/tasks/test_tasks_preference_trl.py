"""Preference losses are TRL's own on the same batch: its trainers collate the rows and compute their loss."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from ftsweep.tasks.base import Example
from ftsweep.tasks.preference import Preference
from ftsweep.testing.random_models import byte_tokenizer, random_llama
from ftsweep.testing.task import TaskContract

pytest.importorskip("trl", reason="TRL is in the extra dev")

ROWS = (
    {"prompt": "What is it?", "chosen": "A thing.", "rejected": "No thing at all."},
    {"prompt": "And that, which is a long question?", "chosen": "No.", "rejected": "Yes"},
    {"prompt": "Why", "chosen": "Because it is so, and has always been so.", "rejected": "So"},
)
BETA = 0.3


@pytest.fixture
def common(tmp_path: Path) -> dict[str, Any]:
    """Settings of every trainer."""
    return {
        "output_dir": str(tmp_path),
        "beta": BETA,
        "max_length": 128,
        "per_device_train_batch_size": len(ROWS),
        "report_to": "none",
        "use_cpu": True,
        "bf16": False,
    }


def first_loss(trainer: Any) -> float:
    batch = next(iter(trainer.get_train_dataloader()))
    trainer.model.eval()
    with torch.no_grad():
        return float(trainer.compute_loss(trainer.model, batch))


def dataset() -> Any:
    """The rows as text, with what stands between prompt and answer where there is no chat template."""
    from datasets import Dataset

    return Dataset.from_list([{**row, "prompt": f"{row['prompt']}\n"} for row in ROWS])


def own_loss(kind: Any, model: Any, base: Any) -> float:
    task = Preference(loss=kind, beta=BETA)
    examples = [each for each in task.encode(ROWS, byte_tokenizer(), {}) if isinstance(each, Example)]
    batch = TaskContract().batch(task, examples)
    with torch.no_grad():
        batch["labels"] = torch.cat([batch["labels"], task.reference(base, batch)], dim=1)
        losses, _ = task.losses(model, batch)
    return float(losses.mean())


@pytest.mark.parametrize(("kind", "name"), [("dpo", "sigmoid"), ("ipo", "ipo")])
def test_losses_with_a_reference_are_those_of_trl(kind: str, name: str, common: dict[str, Any]) -> None:
    model, base = random_llama(seed=1), random_llama(seed=2)
    with warnings.catch_warnings(action="ignore"):  # TRL's, of names that transformers is about to drop
        from trl import DPOConfig, DPOTrainer

        trainer = DPOTrainer(
            model=random_llama(seed=1),
            ref_model=random_llama(seed=2),
            args=DPOConfig(**common, loss_type=[name]),
            train_dataset=dataset(),
            processing_class=byte_tokenizer(),
        )
        expected = first_loss(trainer)
    assert own_loss(kind, model, base) == pytest.approx(expected, abs=1e-5)


def test_orpo_is_that_of_trl_with_the_loss_of_the_answer_alone(common: dict[str, Any]) -> None:
    """TRL's own first term counts the prompt's tokens too; its odds ratio and log-probabilities are compared."""
    tokenizer = byte_tokenizer()
    tokenizer.bos_token = None  # this trainer would put one before the prompt, which the tokenizer itself does not
    with warnings.catch_warnings(action="ignore"):  # as above
        from trl.experimental.orpo import ORPOConfig, ORPOTrainer

        trainer = ORPOTrainer(
            model=random_llama(seed=1),
            args=ORPOConfig(**common),
            train_dataset=dataset(),
            processing_class=tokenizer,
        )
        trainer.model.eval()
        with torch.no_grad():
            chosen, rejected, *_ = trainer.concatenated_forward(
                trainer.model, next(iter(trainer.get_train_dataloader()))
            )
            odds, *_ = trainer.odds_ratio_loss(chosen, rejected)
    expected = float(-chosen.mean() - odds.mean())
    assert own_loss("orpo", random_llama(seed=1), random_llama(seed=2)) == pytest.approx(expected, abs=1e-5)
