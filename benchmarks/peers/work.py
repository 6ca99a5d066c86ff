"""The work that every tool does: the same rows, settings, evaluations and precision; each process reads it here.

A folder holds `train.jsonl` and `validation.jsonl` (`text`, `label` as a number) and `work.json`. Every setting is a
whole fine-tune with LoRA on all linear layers: float32, AdamW, linear decay, clipping at 1; the validation loss of all
rows ten times at equal fractions; the adapter of the best one is kept. Instead of the settings a work may ask for a
search of one space, by each tool's own sampler and pruner.
"""

from __future__ import annotations

import json
import math
import random
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

MAX_LENGTH = 64
NUM_EVALUATIONS = 10


@dataclass(frozen=True)
class Setting:
    learning_rate: float
    batch_size: int
    epochs: int
    rank: int


@dataclass(frozen=True)
class Work:
    folder: Path
    base: str
    labels: list[str]
    settings: list[Setting]
    search: dict[str, int] | None = None
    """`trials` and `seed` of a search; None: the settings are trained, and nothing else."""

    rates = (1e-4, 1e-2)
    """The space of a search: learning rates, on a log scale, and `choices`."""
    choices = {"batch_size": [8, 16, 32], "rank": [4, 8, 16]}  # noqa: RUF012 - never changed

    @classmethod
    def read(cls, folder: Path) -> Work:
        found = json.loads((folder / "work.json").read_text(encoding="utf-8"))
        settings = [Setting(**each) for each in found["settings"]]
        return cls(folder, found["base"], found["labels"], settings, found["search"])

    def write(self) -> Work:
        """Have other processes read it; itself."""
        found = {"base": self.base, "labels": self.labels, "settings": [asdict(each) for each in self.settings]}
        text = json.dumps({**found, "search": self.search})
        (self.folder / "work.json").write_text(text, encoding="utf-8")
        return self

    @property
    def num_trials(self) -> int:
        return len(self.settings) if self.search is None else self.search["trials"]

    def setting_of(self, trial: Any) -> Setting:
        """That of an Optuna trial: the work's own by number, or what Optuna suggests."""
        if self.search is None:
            return self.settings[trial.number]
        rate = trial.suggest_float("learning_rate", *self.rates, log=True)
        more = {name: trial.suggest_categorical(name, values) for name, values in self.choices.items()}
        return Setting(learning_rate=rate, epochs=self.settings[0].epochs, **more)

    def rows(self, split: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / f"{split}.jsonl").open(encoding="utf-8")]

    def encoded(self, split: str) -> Any:
        """A `datasets.Dataset` with input_ids, attention_mask and labels."""
        from datasets import Dataset
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(self.base)
        return Dataset.from_list(self.rows(split)).map(
            lambda row: {**tokenizer(row["text"], truncation=True, max_length=MAX_LENGTH), "labels": row["label"]},
            remove_columns=["text", "label"],
        )

    def model(self, setting: Setting) -> Any:
        """The base with a new head and a LoRA adapter."""
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForSequenceClassification

        base = AutoModelForSequenceClassification.from_pretrained(
            self.base, dtype="float32", num_labels=len(self.labels)
        )
        adapter = LoraConfig(
            task_type="SEQ_CLS", r=setting.rank, lora_alpha=2 * setting.rank, target_modules="all-linear"
        )
        return get_peft_model(base, adapter)


def make_work(
    folder: Path, base: str, *, num_train: int, num_validation: int, num_settings: int, batch: int | None
) -> Work:
    """Rows of pydocs and settings drawn from the quickstart's space; `batch` is every setting's batch size."""
    from ftsweep.data.sources.pydocs import PyDocs

    chance = random.Random(0)
    rows = [dict(row.values) for row in PyDocs().load(("text", "label"))["train"]]
    chance.shuffle(rows)
    labels = sorted({row["label"] for row in rows})
    folder.mkdir(parents=True, exist_ok=True)
    for split, part in (("train", rows[:num_train]), ("validation", rows[num_train : num_train + num_validation])):
        lines = (json.dumps({"text": row["text"], "label": labels.index(row["label"])}) + "\n" for row in part)
        (folder / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
    settings = [
        Setting(
            math.exp(chance.uniform(math.log(5e-4), math.log(5e-3))),
            batch or chance.choice([8, 16, 32]),
            chance.choice([1, 2, 3]),
            chance.choice([4, 8, 16]),
        )
        for _ in range(num_settings)
    ]
    return Work(folder, base, labels, settings).write()


def tell(out: Path, loss: float) -> None:
    """Note an evaluation: the benchmark watches this file."""
    with (out / "evaluations.jsonl").open("a", encoding="utf-8") as file:
        file.write(f"{json.dumps(loss)}\n")
