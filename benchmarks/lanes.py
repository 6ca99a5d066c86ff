"""What trials of one worker gain by sharing passes, in CPU seconds, and how many operations it takes.

    python benchmarks/lanes.py [--quick]

The same trials in one process and on one thread, their steps taken alone and in shared passes, in turns, so that a busy
machine slows both; the ratio of each round, and the median of all rounds. Above 1 lanes are faster. The same trials
alone with PEFT's layers and AdamW as torch has it on a CPU are a third way. The trials have the quickstart's data and
the embedded model, a rank and a seed each, and stand at different places of their data. With FTSWEEP_SHARED also on the
encoder in its `models/minilm`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from jobs import trial_config
from machine import in_a_line
from peft.tuners.lora import Linear
from torch.utils._python_dispatch import TorchDispatchMode

from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.store.folders import TrialFolder
from ftsweep.strategies.base import parameter_groups
from ftsweep.strategies.lean import LeanLinear
from ftsweep.tasks import read_rows
from ftsweep.training.lanes.lane import CHECKED_STEPS
from ftsweep.training.trial import TrialRun
from ftsweep.worker.components import Components
from ftsweep.worker.job_generators import JobGenerators
from ftsweep.worker.shared_passes import SharedPasses

BATCHES, LANES = (1, 4, 16), (1, 4, 8)
EXCLUDED = (
    "aten::view",
    "aten::_unsafe_view",
    "aten::t",
    "aten::transpose",
    "aten::detach",
    "aten::slice",
    "aten::expand",
)


class Operations(TorchDispatchMode):
    """Counts what the dispatcher is asked to do, forward and backward."""

    count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not function._schema.name.startswith(EXCLUDED)
        return function(*args, **(kwargs or {}))


class Crew:
    """Trials of one configuration that are under way at once, each with a rank and a seed of its own."""

    def __init__(self, components: Components, config: dict[str, Any], folder: Path, size: int) -> None:
        self._pefts: list[TrialRun] = []
        self._generators = JobGenerators(components.device)
        self._passes = SharedPasses(components, self._generators)
        self._runs: list[TrialRun] = []
        self._seats = []
        for number in range(size):
            strategy = {**config["strategy"], "rank": (8, 4, 16, 8)[number % 4]}
            seed = {**config["seed"], "model": number}
            parts = components.parts_of({**config, "strategy": strategy, "seed": seed}, folder / "cache")
            self._generators.give_to(str(number))
            base = components.lend_base(parts, as_twin=True)
            run = components.begin_run(parts, base, TrialFolder(folder / str(number)))
            assert isinstance(run, TrialRun)
            run.stepper.num_steps = 17 * number % run.stepper.plan.num_steps
            lane = self._passes.seat(str(number), run, base)
            assert not isinstance(lane, str), lane
            self._runs.append(run)
            self._seats.append((lane, base))
            self._pefts.append(self._with_peft(components, parts, folder / f"{number}-peft"))
        for _ in range(CHECKED_STEPS):
            self.seconds(is_shared=True)

    def _with_peft(self, components: Components, parts: TrialParts, folder: Path) -> TrialRun:
        run = components.begin_run(parts, components.lend_base(parts, as_twin=True), TrialFolder(folder))
        assert isinstance(run, TrialRun)
        for module in run.model.modules():
            if isinstance(module, LeanLinear):
                module.__class__ = Linear
        stepper = run.stepper
        groups = parameter_groups(stepper.model, stepper.strategy, stepper.settings.weight_decay)
        stepper.optimizer = torch.optim.AdamW(groups, lr=stepper.settings.learning_rate)
        return run

    def peft_seconds(self) -> float:
        """CPU seconds of the step that each is at, alone and with PEFT's layers."""
        for run, other in zip(self._runs, self._pefts, strict=True):
            other.stepper.num_steps = run.stepper.num_steps
        with patch.object(read_rows, "rows_read", lambda *_given: None):  # PEFT's have all rows go through all layers
            started = time.process_time()
            for run in self._pefts:
                run.stepper.take()
            return time.process_time() - started

    def seconds(self, *, is_shared: bool) -> float:
        """CPU seconds of a step of each; the next one is of the same examples in the other way."""
        started = time.process_time()
        if is_shared:
            self._passes.share(self._seats)
        for (lane, _), run in zip(self._seats, self._runs, strict=True):
            self._generators.give_to(lane.name)
            run.stepper.take()
        return time.process_time() - started

    def ratios(self, num_rounds: int) -> tuple[list[float], list[float]]:
        """Of each round, alone over shared; and alone with PEFT's layers over shared."""
        found, pefts = [], []
        for number in range(num_rounds):
            order = (True, False) if number % 2 else (False, True)
            seconds = {}
            peft_seconds = self.peft_seconds()
            for is_shared in order:
                for run in self._runs:
                    run.stepper.num_steps = (
                        run.stepper.num_steps - (is_shared is order[1])
                    ) % run.stepper.plan.num_steps
                seconds[is_shared] = self.seconds(is_shared=is_shared)
            found.append(seconds[False] / seconds[True])
            pefts.append(peft_seconds / seconds[True])
        return found, pefts

    def operations(self, *, is_shared: bool) -> int:
        """Of a step of each, without views."""
        with Operations() as operations:
            self.seconds(is_shared=is_shared)
        return operations.count

    @property
    def refusals(self) -> str:
        return ", ".join(sorted({lane.refusal for lane, _ in self._seats if lane.refusal}))


def compare(name: str, words: list[str], folder: Path, *, num_rounds: int) -> None:
    components = Components()
    for batch_size in BATCHES:
        config = trial_config("quickstart", [*words, f"training.batch_size={batch_size}", "training.precision=float32"])
        for size in LANES:
            crew = Crew(components, config, folder, size)
            spreads = " | ".join(
                f"{statistics.median(ratios):.2f} ({min(ratios):.2f} .. {max(ratios):.2f})"
                for ratios in crew.ratios(num_rounds)
            )
            alone, shared = (crew.operations(is_shared=is_shared) for is_shared in (False, True))
            print(f"| {name} | {batch_size} | {size} | {spreads} | {alone} | {shared} | {crew.refusals} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that it runs")
    num_rounds = 3 if parser.parse_args().quick else 12
    torch.set_num_threads(1)
    print(f"{in_a_line()}; load {os.getloadavg()[0]:.1f}\n")
    columns = ["model", "batch", "lanes", "alone over shared: median (range)", "alone with PEFT's layers over shared"]
    print(f"| {' | '.join([*columns, 'operations alone', 'shared', 'not shared'])} |\n|{'---|' * (len(columns) + 3)}")
    shared = Path(os.environ.get("FTSWEEP_SHARED", "../shared")) / "models" / "minilm"
    with tempfile.TemporaryDirectory() as folder:
        compare("embedded", [], Path(folder), num_rounds=num_rounds)
        if shared.is_dir():
            compare("MiniLM", ["model=local", f"model.path={shared}"], Path(folder), num_rounds=num_rounds)


if __name__ == "__main__":
    main()
