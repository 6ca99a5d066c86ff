"""The example of docs/own-components.md keeps the contracts, and runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ftsweep.data.base import DataSource
from ftsweep.domain.objective import Objective
from ftsweep.errors import ConfigError
from ftsweep.models.base import Head
from ftsweep.search.curves import Curves
from ftsweep.strategies.base import Strategy
from ftsweep.testing.data_source import DataSourceContract
from ftsweep.testing.random_models import random_llama
from ftsweep.testing.strategy import StrategyContract

if TYPE_CHECKING:
    from transformers import PreTrainedModel

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "tickets"
SMALL = ["executor=inline", "recording=none", "budget.trials=2", "rungs.count=2", "training.epochs=1"]


@pytest.fixture(autouse=True)
def example_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of this process and of the subprocesses that contracts start."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(EXAMPLE), str(EXAMPLE.parents[2])]))


class TestTickets(DataSourceContract):
    def make_source(self) -> DataSource:
        source: DataSource = import_module("ticket_parts").Tickets(file="tickets.txt")
        return source


class TestNorms(StrategyContract):
    @pytest.fixture
    def strategy(self) -> Strategy:
        strategy: Strategy = import_module("ticket_parts").Norms()
        return strategy

    @pytest.fixture
    def head(self) -> Head:
        return "sequence_classification"

    @pytest.fixture
    def base(self, head: Head) -> PreTrainedModel:
        return random_llama(head)


def test_pruner_stops_what_is_far_behind_the_best() -> None:
    values = {0: {1: 1.0, 2: 0.4}, 1: {1: 1.0, 2: 0.8}, 2: {1: 1.0, 2: 1.0}}
    curves = Curves.of(values, Objective(), num_rungs=4)
    pruner = import_module("ticket_parts").BehindBest(distance=0.5)
    assert [pruner.should_prune(curves, number, 2) is not None for number in values] == [False, False, True]
    assert pruner.should_prune(curves, 2, 1) is None, "not before half of the run"


def test_pruner_refuses_a_distance_of_nothing() -> None:
    with pytest.raises(ConfigError, match="distance"):
        import_module("ticket_parts").BehindBest(distance=0.0)


@pytest.mark.timeout(300)
def test_example_runs_and_its_model_answers(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "mlruns"))

    environment = {**os.environ, "PYTHONPATH": str(EXAMPLE.parents[2])}  # the command finds what lies beside the sweep

    def ftsweep(*words: str, stdin: str = "") -> str:
        command = [sys.executable, "-m", "ftsweep.cli", *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment, input=stdin, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "is best: validation/loss" in ftsweep("run", "tickets.yaml", *SMALL)
    assert '"label"' in ftsweep("predict", "tickets", stdin="I was charged twice\n")
