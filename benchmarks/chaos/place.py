"""The short, real studies that are killed: sixty generated sentences, the embedded model, LoRA on the CPU."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

NUM_TRIALS = 6
NUM_RUNGS = 4
NAME = "chaos"

_WORDS = {
    "sea": ["wave", "ship", "harbour", "tide", "sailor", "anchor"],
    "farm": ["cow", "barn", "wheat", "plough", "meadow", "tractor"],
}
_SWEEP = f"""\
defaults:
  [base, model: tiny, data: files, task: classification, strategy: lora, override sampler: SAMPLER, PRUNER_self_]
study: {{name: {NAME}}}
data: {{train: rows.jsonl, validation_fraction: 0.2, test_fraction: 0.2}}
task: {{max_length: 24}}
strategy: {{rank: 2, dropout: 0.1}}
training: {{learning_rate: 5e-3, batch_size: 8, epochs: 1}}
budget: {{trials: {NUM_TRIALS}}}
rungs: {{count: {NUM_RUNGS}}}
selection: {{top: 2, seeds: SEEDS, budget: 1.0}}
SETTINGSexecutor: {{EXECUTOR}}
guards: {{small_data: allow}}
recording: {{system_metrics: false}}
space:
  training:
    learning_rate: {{low: 1e-4, high: 1e-2, log: true}}
  strategy:
    rank: [2, 4]
"""


@dataclass(frozen=True)
class Place:
    """A user's folder with a sweep file and its data."""

    folder: Path

    @property
    def store(self) -> Path:
        return self.folder / "mlruns"

    @property
    def study(self) -> Path:
        return self.store / "studies" / NAME

    @property
    def is_racing(self) -> bool:
        """Whether runs with fresh seeds were begun and the study has no result yet."""
        return any(self.study.glob("confirmations/*")) and not (self.study / "result.json").exists()

    @property
    def notes(self) -> Path:
        """Where processes that die of themselves say so."""
        return self.folder / "kills.jsonl"


def make_place(folder: Path, *, sampler: str, at_once: int = 1, executor: str = "") -> Place:
    """`at_once`: trials that are trained at once. With several nothing may hang on the order in which they come to
    their rungs, which a kill changes: random settings, no pruning, no race. `executor`: its settings where it is
    another than the one worker of this machine with lanes for them.
    """
    (folder / "tmp").mkdir(parents=True)
    is_alone = at_once == 1
    words = {
        "SAMPLER": sampler if is_alone else "random",
        "PRUNER": "" if is_alone else "override pruner: none, ",
        "SETTINGS": "sampler: {startup_trials: 3}\n" if is_alone else "",
        "SEEDS": "2" if is_alone else "0",
        "EXECUTOR": executor or f"threads: 1, lanes: {at_once}",
    }
    sweep = _SWEEP
    for name, word in words.items():
        sweep = sweep.replace(name, word)
    (folder / "chaos.yaml").write_text(sweep, encoding="utf-8")
    lines = "".join(json.dumps(row) + "\n" for row in _sentences(60))
    (folder / "rows.jsonl").write_text(lines, encoding="utf-8")
    return Place(folder)


def _sentences(count: int) -> list[dict[str, str]]:
    rows = []
    for number in range(count):
        label = ("sea", "farm")[number % 2]
        words = _WORDS[label]
        text = " ".join(words[(number * step + step) % len(words)] for step in range(1, 3 + number % 5))
        # the last word makes each text its own: digits would be masked by the search for duplicates
        rows.append({"text": f"{text} {''.join(chr(97 + int(digit)) for digit in str(number))}", "label": label})
    return rows
