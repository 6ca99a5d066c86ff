"""What tests of sweep files share: composing one from its text."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from ftsweep.config.compose import compose_sweep
from ftsweep.config.schema import SweepConfig

INSTRUCTION = """
defaults: [base, model: tiny, data: pydocs, task: instruction, strategy: lora, _self_]
space: {training: {learning_rate: [1e-3, 2e-3]}}
budget: {trials: 2}
"""


@pytest.fixture
def compose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SweepConfig]:
    """Composes a sweep file's text, saved as mine.yaml in an empty current folder."""
    monkeypatch.chdir(tmp_path)

    def do(text: str, *overrides: str, name: str = "mine.yaml") -> SweepConfig:
        Path(name).write_text(text, encoding="utf-8")
        return compose_sweep(name, overrides)

    return do


@pytest.fixture
def varied(compose: Callable[..., SweepConfig]) -> Callable[..., SweepConfig]:
    """Composes a sweep of instruction tuning with overrides."""
    return partial(compose, INSTRUCTION)
