"""A LoRA fine-tune with transformers, peft and Trainer on a given plan of batches: the yardstick of agreement.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftsweep.config.build import build
from ftsweep.data.prepared import PreparedSet
from ftsweep.models.tiny import FOLDER as TINY
from ftsweep.training.schedule import BatchPlan, rate_factor

if TYPE_CHECKING:
    import torch


class Reference:
    """The fine-tune with transformers, peft and Trainer."""

    def __init__(self, config: dict[str, Any], prepared: PreparedSet, plan: BatchPlan, folder: Path) -> None:
        self.training = config["training"]
        self.prepared = prepared
        self.plan = plan
        self.folder = folder
        self.is_causal = config["task"]["_target_"].endswith("Instruction")
        self.tokenizer = build(config["model"]).tokenizer()
        self.model = self._load(config["strategy"])
        self._start_as(config)

    def losses(self) -> list[float]:
        """Validation loss before training and after every step."""
        from transformers import PrinterCallback, Trainer, TrainerCallback

        losses = [self._validation_loss()]
        note = self._validation_loss

        class Measuring(TrainerCallback):
            def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                losses.append(note())

        optimizer, scheduler = self._optimizer()
        batches = list(self._micro_batches())

        class InThisOrder(Trainer):
            def get_train_dataloader(self) -> Any:
                return batches

        trainer = InThisOrder(
            model=self.model,
            args=self._arguments(),
            train_dataset=batches,
            optimizers=(optimizer, scheduler),
            compute_loss_func=None if self.is_causal else _classification_loss,
            callbacks=[Measuring()],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        return losses

    def _load(self, strategy: dict[str, Any]) -> Any:
        from peft import LoraConfig, TaskType, get_peft_model
        from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

        if self.is_causal:
            base = AutoModelForCausalLM.from_pretrained(TINY, dtype="float32")
        else:
            num_labels = len(self.prepared.schema["labels"])
            base = AutoModelForSequenceClassification.from_pretrained(TINY, dtype="float32", num_labels=num_labels)
        adapter = LoraConfig(
            task_type=TaskType.CAUSAL_LM if self.is_causal else TaskType.SEQ_CLS,
            r=strategy["rank"],
            lora_alpha=2 * strategy["rank"],
            target_modules="all-linear",
        )
        return get_peft_model(base, adapter)

    def _start_as(self, config: dict[str, Any]) -> None:
        """Copy the start weights that the trial's seed draws, by name; both must train exactly the same ones."""
        import torch

        task, strategy = build(config["task"]), build(config["strategy"])
        labels = self.prepared.schema.get("labels")
        source = build(config["model"])
        base = source.load(task.head, labels=labels, dtype=torch.float32, device=torch.device("cpu"))
        torch.manual_seed(config["seed"]["model"])
        ours = _trained(strategy.apply(base, task.head))
        theirs = _trained(self.model)
        if ours.keys() != theirs.keys():
            raise RuntimeError(f"other weights train: {sorted(ours.keys() ^ theirs.keys())}")
        with torch.no_grad():
            for name, weight in theirs.items():
                weight.copy_(ours[name])

    def _optimizer(self) -> tuple[torch.optim.Optimizer, Any]:
        from torch.optim import AdamW
        from torch.optim.lr_scheduler import LambdaLR

        settings = self.training
        assert settings["weight_decay"] == 0
        optimizer = AdamW(_trained(self.model).values(), lr=settings["learning_rate"], weight_decay=0)
        shape = {"warmup": settings["warmup"], "schedule": settings["schedule"]}
        return optimizer, LambdaLR(optimizer, lambda step: rate_factor(step, self.plan.num_steps, **shape))

    def _arguments(self) -> Any:
        from transformers import TrainingArguments

        return TrainingArguments(
            output_dir=str(self.folder),
            use_cpu=True,
            max_steps=self.plan.num_steps,
            gradient_accumulation_steps=2,
            max_grad_norm=self.training["max_grad_norm"],
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            logging_strategy="no",
        )

    def _micro_batches(self) -> Iterator[dict[str, torch.Tensor]]:
        """Two for every step of the plan, of unequal size: were each normalised by itself, the curve would differ."""
        for step in range(self.plan.num_steps):
            indices = [int(index) for index in self.plan.indices(step)]
            middle = (3 * len(indices) + 3) // 4
            if middle == len(indices):
                raise ValueError(f"step {step} has one example, which cannot be accumulated: take another row count")
            yield self._collate(indices[:middle])
            yield self._collate(indices[middle:])

    def _collate(self, indices: list[int]) -> dict[str, torch.Tensor]:
        from transformers import DataCollatorForTokenClassification, DataCollatorWithPadding

        split = self.prepared.split("train")
        kind = DataCollatorForTokenClassification if self.is_causal else DataCollatorWithPadding
        rows = [self._row(split, index) for index in indices]
        return dict(kind(self.tokenizer, pad_to_multiple_of=4)(rows))

    def _row(self, split: Any, index: int) -> dict[str, Any]:
        ids, labels = split.input_ids(index).tolist(), split.labels(index).tolist()
        return {
            "input_ids": ids,
            "attention_mask": [1] * len(ids),
            "labels": labels if self.is_causal else labels[0],
        }

    def _validation_loss(self) -> float:
        """Row by row, with the model's own loss, weighted by what each row has to learn."""
        import torch

        split = self.prepared.split("validation")
        total, num_units = 0.0, 0
        self.model.eval()
        with torch.no_grad():
            for index in range(len(split)):
                row = self._row(split, index)
                units = sum(label != -100 for label in row["labels"]) if self.is_causal else 1
                inputs = {name: torch.tensor([value]) for name, value in row.items()}
                total += float(self.model(**inputs).loss) * units
                num_units += units
        self.model.train()
        return total / num_units


def _classification_loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
    from torch.nn.functional import cross_entropy

    loss: torch.Tensor = cross_entropy(outputs.logits, labels, reduction="sum") / num_items_in_batch
    return loss


def _trained(model: Any) -> dict[str, Any]:
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
