"""What one LoRA trial costs beside the same steps taken by others, in CPU seconds.

    python benchmarks/one_trial.py [--quick]

The quickstart's data and the embedded model, rank 8, float32, one thread. Four ways in one process, in turns, so that a
busy machine slows all: ftsweep's trial; a loop of one's own with PEFT, and transformers' Trainer, both given the same
batches; and Trainer with the rows that it shuffles and pads itself. Then what measuring costs with PEFT's layers and
with ours. Ratios to ftsweep of each round, and their median: above 1 ftsweep is faster. With FTSWEEP_SHARED also on the
encoder in its `models/minilm`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from jobs import trial_config
from machine import in_a_line
from peft.tuners.lora import Linear
from torch.nn.utils.rnn import pad_sequence

from ftsweep.evaluation.batch import collate
from ftsweep.store.folders import TrialFolder
from ftsweep.strategies.lean import LeanLinear
from ftsweep.tasks import read_rows
from ftsweep.training.trial import TrialRun
from ftsweep.worker.components import Components

BATCHES = (1, 4, 16)
Batches = list[dict[str, torch.Tensor]]


class Ours:
    """ftsweep's trial, and the batches that it draws."""

    def __init__(self, components: Components, config: dict[str, Any], folder: Path) -> None:
        self.parts = components.parts_of(config, folder / "cache")
        self._lend = lambda: components.lend_base(self.parts, as_twin=True)
        run = components.begin_run(self.parts, self._lend(), TrialFolder(folder / "trial"))
        assert isinstance(run, TrialRun)
        self.run = run
        self.rate = config["training"]["learning_rate"]

    def steps(self, num_steps: int) -> float:
        stepper = self.run.stepper
        started = time.process_time()
        for _ in range(num_steps):
            stepper.take()
            stepper.has_diverged(is_at_rung=False)
        return time.process_time() - started

    def next_batches(self, num_steps: int) -> Batches:
        """Those of its next steps, as others take them."""
        stepper = self.run.stepper
        numbers = (stepper.num_steps + step for step in range(num_steps))
        found = [stepper.micro_batches(stepper.plan.indices(number))[0] for number in numbers]
        return [{name: value for name, value in batch.items() if name in _TAKEN} for (batch,) in found]

    def start_over(self) -> None:
        """Where the plan is nearly at its end, take it from the beginning."""
        stepper = self.run.stepper
        if stepper.num_steps + 40 > stepper.plan.num_steps:
            stepper.num_steps = 0

    def pefts_model(self) -> Any:
        """The same model with PEFT's own layers."""
        strategy = self.parts.strategy
        model: Any = strategy.apply(self._lend().model, strategy.head_for(self.parts.task))
        for module in model.modules():
            if isinstance(module, LeanLinear):
                module.__class__ = Linear
        return model

    def rows(self) -> list[dict[str, Any]]:
        """The rows of train, for who batches them himself."""
        train, task = self.run.stepper.examples, self.run.stepper.task
        pad = self.run.stepper.evaluator.pad_token_id
        found = []
        for number in range(len(train)):
            batch = collate(train, [number], task, pad_token_id=pad)
            found.append({name: value[0] for name, value in batch.items() if name in _TAKEN})
        return found

    def measuring(self, model: Any) -> float:
        """CPU seconds of scoring the rows of validation."""
        validation = self.parts.prepared.split("validation")
        started = time.process_time()
        self.run.stepper.evaluator.score(model, validation)
        return time.process_time() - started


_TAKEN = ("input_ids", "attention_mask", "token_type_ids", "labels")


class Loop:
    """A loop of one's own with PEFT, as its documentation shows it."""

    def __init__(self, model: Any, rate: float) -> None:
        self._model = model.train()
        self._weights = [weight for weight in model.parameters() if weight.requires_grad]
        self._optimizer = torch.optim.AdamW(self._weights, lr=rate)

    def steps(self, batches: Batches) -> float:
        started = time.process_time()
        for batch in batches:
            self._model(**batch).loss.backward()
            torch.nn.utils.clip_grad_norm_(self._weights, 1.0)
            self._optimizer.step()
            self._optimizer.zero_grad()
        return time.process_time() - started


class Trainers:
    """transformers' Trainer, with batches that it is given or rows that it shuffles."""

    def __init__(self, model: Any, folder: Path, *, batch_size: int, rows: list[dict[str, Any]], pad: Any) -> None:
        from transformers import Trainer, TrainerCallback

        self._model, self._folder, self._batch_size = model, folder, batch_size
        self._rows, self._pad = rows, pad
        self._stamps: list[float] = []
        stamps, self._trainer = self._stamps, Trainer

        class Stamping(TrainerCallback):
            def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                stamps.append(time.process_time())

        self._callback = Stamping()

    def steps(self, batches: Batches | None, num_steps: int) -> float:
        """Between the end of a first step and the end of the last, so that neither start nor end is counted."""
        from transformers import PrinterCallback, TrainingArguments

        class Given(self._trainer):  # type: ignore[name-defined, misc]
            def get_train_dataloader(self) -> Any:
                return batches if batches is not None else super().get_train_dataloader()

        arguments = TrainingArguments(
            output_dir=str(self._folder),
            use_cpu=True,
            max_steps=num_steps,
            per_device_train_batch_size=self._batch_size,
            report_to="none",
            disable_tqdm=True,
            save_strategy="no",
            logging_strategy="no",
        )
        trainer = Given(
            model=self._model,
            args=arguments,
            train_dataset=self._rows,
            data_collator=self._pad,
            callbacks=[self._callback],
        )
        trainer.remove_callback(PrinterCallback)
        self._stamps.clear()
        trainer.train()
        assert len(self._stamps) == num_steps
        return (self._stamps[-1] - self._stamps[0]) * num_steps / (num_steps - 1)


def compare(name: str, config: dict[str, Any], folder: Path, *, num_rounds: int, num_steps: int) -> None:
    torch.manual_seed(0)
    ours = Ours(Components(), config, folder)
    pad = _padder(ours.run.stepper.evaluator.pad_token_id)
    batch_size = config["training"]["batch_size"]
    loop = Loop(ours.pefts_model(), ours.rate)
    trainer = Trainers(ours.pefts_model(), folder / "trainer", batch_size=batch_size, rows=ours.rows(), pad=pad)
    ratios: dict[str, list[float]] = {}
    milliseconds = []
    for number in range(num_rounds + 1):
        ours.start_over()
        batches = ours.next_batches(num_steps)
        ways: dict[str, Callable[[], float]] = {
            "ftsweep": lambda: ours.steps(num_steps),
            "PEFT": lambda batches=batches: loop.steps(batches),  # type: ignore[misc]
            "Trainer": lambda batches=batches: trainer.steps(batches, num_steps),  # type: ignore[misc]
            "Trainer's own": lambda: trainer.steps(None, num_steps),
        }
        names = list(ways) if number % 2 else list(reversed(ways))
        seconds = {name: ways[name]() for name in names}
        if number:  # the first round allocates
            milliseconds.append(1000 * seconds["ftsweep"] / num_steps)
            for way in list(ways)[1:]:
                ratios.setdefault(way, []).append(seconds[way] / seconds["ftsweep"])
    cells = [name, str(batch_size), f"{statistics.median(milliseconds):.1f}"]
    cells += [told(found) for found in [*ratios.values(), list(measured(ours, num_rounds))]]
    print(f"| {' | '.join(cells)} |", flush=True)


def measured(ours: Ours, num_rounds: int) -> Iterator[float]:
    pefts, strategy = ours.pefts_model(), ours.parts.strategy
    for number in range(num_rounds + 1):
        with strategy.measuring(ours.run.model):
            own = ours.measuring(ours.run.model)
        with patch.object(read_rows, "rows_read", lambda *_given: None):  # all rows through all layers
            other = ours.measuring(pefts)
        if number:
            yield other / own


def told(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} .. {max(ratios):.2f})"


def _padder(pad_token_id: int) -> Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]]:
    """Rows to the longest of their batch, as transformers' DataCollatorWithPadding does."""

    def pad(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        fill = {"input_ids": pad_token_id, "attention_mask": 0, "token_type_ids": 0}
        found = {
            name: pad_sequence([row[name] for row in rows], batch_first=True, padding_value=fill[name])
            for name in rows[0]
            if name in fill
        }
        return {**found, "labels": torch.stack([row["labels"] for row in rows])}

    return pad


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that it runs")
    num_rounds = 2 if parser.parse_args().quick else 7
    torch.set_num_threads(1)
    print(f"{in_a_line()}; load {os.getloadavg()[0]:.1f}\n")
    columns = [
        "model",
        "batch",
        "ftsweep, ms a step",
        "a loop with PEFT",
        "Trainer, the same batches",
        "Trainer, its own",
    ]
    print(f"| {' | '.join([*columns, 'measuring, PEFT'])} |\n|{'---|' * (len(columns) + 1)}")
    shared = Path(os.environ.get("FTSWEEP_SHARED", "../shared")) / "models" / "minilm"
    models = {"embedded": [], **({"MiniLM": ["model=local", f"model.path={shared}"]} if shared.is_dir() else {})}
    for name, words in models.items():
        for batch_size in BATCHES:
            own = [f"training.batch_size={batch_size}", "training.precision=float32"]
            config = trial_config("quickstart", [*words, *own])
            with tempfile.TemporaryDirectory() as folder:
                compare(name, config, Path(folder), num_rounds=num_rounds, num_steps=12)


if __name__ == "__main__":
    main()
