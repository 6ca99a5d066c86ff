"""A trial's loss curve against the same fine-tune by transformers' Trainer (benchmarks/agreement.py, in small)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
SUBJECTS = ["parsing", "sorting", "plotting", "indexing"]
WORDS = ["quickly", "twice", "in place", "by column", "without copying", "from the end", "lazily"]

pytestmark = [
    # Trainer's side only: ftsweep's own code filters what it causes.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true:UserWarning"),
]


@pytest.fixture
def agreement(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module("agreement")


def rows(numbers: range) -> list[dict[str, Any]]:
    """Texts of 1 to 7 words and more, so that batches need padding and weigh differently."""
    made = []
    for number in numbers:
        subject = SUBJECTS[number % len(SUBJECTS)]
        words = " ".join(WORDS[(number + step) % len(WORDS)] for step in range(number % 7))
        text = f"{subject} {words} {chr(97 + number % 26)}{chr(97 + number // 26 % 26)}"
        made.append({"text": text, "label": subject, "prompt": f"What is {text}?", "completion": f"{words} {subject}."})
    return made


@pytest.mark.parametrize("task", ["classification", "instruction"])
def test_lora_loss_curve_is_that_of_transformers_trainer(agreement: ModuleType, task: str, tmp_path: Path) -> None:
    files = agreement.write_files(tmp_path, rows(range(30)), rows(range(100, 112)))
    curves = agreement.compare(task, files, tmp_path, epochs=1.5, rank=2)
    assert len(curves.ours) == 7  # four steps, the last of six examples, and half an epoch more
    moved = max(curves.ours) - min(curves.ours)
    assert moved > 50 * agreement.MOST_DIFFERENCE, "a curve that hardly moves proves nothing"
    assert curves.difference < agreement.MOST_DIFFERENCE, curves
