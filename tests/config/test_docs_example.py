"""The example of docs/own-components.md keeps the contracts; tests/e2e/test_command_example.py runs it."""

from __future__ import annotations

import os
import pkgutil
import re
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING

import psutil
import pytest

from ftsweep.config.compose import compose_sweep
from ftsweep.data.base import DataSource
from ftsweep.domain.decision import GO_ON, Prune
from ftsweep.domain.objective import Objective
from ftsweep.errors import ConfigError
from ftsweep.guards.base import DataGuard
from ftsweep.models.base import Head
from ftsweep.search.pruners.curves import Curves
from ftsweep.search.samplers import Ask
from ftsweep.strategies.base import Strategy
from ftsweep.tasks.base import Task
from ftsweep.testing.data_source import DataSourceContract
from ftsweep.testing.executor import poll_until, scripted_context
from ftsweep.testing.guard import GuardContract, Splits
from ftsweep.testing.random_models import byte_tokenizer, random_llama
from ftsweep.testing.rows import labelled
from ftsweep.testing.strategy import StrategyContract
from ftsweep.testing.task import TaskContract

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "tickets"


@pytest.fixture(autouse=True)
def example_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of this process and of the subprocesses that contracts start."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(EXAMPLE), str(EXAMPLE.parents[2])]))


class TestTickets(DataSourceContract):
    def make_source(self) -> DataSource:
        source: DataSource = import_module("ticket_parts").Tickets(file="tickets.txt")
        return source


class TestAddresses(GuardContract):
    @property
    def guard_class(self) -> type[DataGuard]:  # type: ignore[override]
        guard: type[DataGuard] = import_module("ticket_parts").Addresses
        return guard

    def clean(self) -> Splits:
        return {"train": labelled(100), "validation": labelled(50, seed=1)}

    def faulty(self) -> Splits:
        tickets = [{**row, "text": f"{row['text']} reply to ann@example.org"} for row in labelled(10, seed=2)]
        return {**self.clean(), "train": [*labelled(100), *tickets]}


class TestRouting(TaskContract):
    rows = (
        {"text": "I was charged twice", "label": "billing"},
        {"text": "The parcel never arrived with half of the items", "label": "shipping"},
        {"text": "I cannot log in", "label": "account"},
        {"text": "The invoice is wrong", "label": "billing"},
    )
    bad_rows = ({"text": "", "label": "billing"}, {"text": "no label"}, {"text": "unknown", "label": "sales"})

    @pytest.fixture
    def task(self) -> Task:
        task: Task = import_module("ticket_parts").Routing(costs={"billing": 3.0})
        return task

    @pytest.fixture
    def tokenizer(self) -> PreTrainedTokenizerBase:
        return byte_tokenizer()

    @pytest.fixture
    def model(self) -> PreTrainedModel:
        return random_llama("sequence_classification")


def test_task_prefers_the_label_whose_mistakes_are_dear() -> None:
    import torch

    task = import_module("ticket_parts").Routing(costs={"billing": 3.0})
    schema = {"labels": ["account", "billing"], "counts": [60, 40]}
    logits = torch.tensor([[0.6, 0.4], [0.9, 0.1]]).log()
    assert [answer["label"] for answer in task.answers(logits, schema)] == ["billing", "account"]
    tally = task.tally(schema)
    tally.add(torch.ones(2), logits, {"labels": torch.tensor([0, 1])})  # both at the wrong desk
    assert tally.values()["cost"] == pytest.approx((1.0 + 3.0) / 2)
    assert task.prior_scores(schema, [[0], [1]])["cost"] == 0.5, "it always answers billing"
    with pytest.raises(ConfigError, match=r"task\.costs"):
        import_module("ticket_parts").Routing(costs={"billing": 0.0})


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
    assert [isinstance(pruner.decide(curves, number, 2), Prune) for number in values] == [False, False, True]
    assert pruner.decide(curves, 2, 1) == GO_ON, "not before half of the run"


def test_pruner_refuses_a_distance_of_nothing() -> None:
    with pytest.raises(ConfigError, match="distance"):
        import_module("ticket_parts").BehindBest(distance=0.0)


def test_strategy_names_its_own_run_whose_rate_begins_again() -> None:
    from ftsweep.training.runs.choice import run_class
    from ftsweep.training.trial import TrialRun

    restarts = run_class(import_module("ticket_parts").Norms(cycles=2))
    assert issubclass(restarts, TrialRun)
    stepper = object.__new__(restarts.stepper_class)
    stepper.strategy, stepper.plan = SimpleNamespace(cycles=2), SimpleNamespace(num_steps=4)
    stepper.settings = SimpleNamespace(learning_rate=1.0)
    rates = []
    for stepper.num_steps in range(4):
        rates.append(stepper.rate_now())
    assert rates == pytest.approx([1.0, 0.5, 1.0, 0.5])


def test_strategy_whose_run_is_not_there_is_refused_in_words() -> None:
    from ftsweep.training.runs.choice import run_class

    strategy = import_module("ticket_parts").Norms()
    strategy.run = "ticket_runs:Nothing"
    with pytest.raises(ConfigError, match=r"Norms\.run names 'ticket_runs:Nothing'.*module:Class"):
        run_class(strategy)


def test_metric_of_its_own_is_one_that_the_core_knows_of() -> None:
    config = compose_sweep(str(EXAMPLE / "tickets.yaml"))
    cost = config.objective.metrics["cost"]
    assert (config.objective.direction, cost.low, cost.is_readable) == ("minimize", 0, True)
    with pytest.raises(ConfigError, match=r"validation/cost stays above 0: a target of -1 is never reached"):
        compose_sweep(str(EXAMPLE / "tickets.yaml"), ["study.target=-1"])


def test_sampler_proposes_the_same_from_the_same_seed() -> None:
    from optuna import create_study
    from optuna.distributions import FloatDistribution

    sampler, line = import_module("ticket_parts").Evolution(population=4), {"x": FloatDistribution(0.0, 1.0)}
    asks = [Ask(seed=seed, study_seed=0, num_branches=1) for seed in (1, 1, 2)]
    first, again, other = (create_study(sampler=sampler.make(ask)).ask(line).params["x"] for ask in asks)
    assert first == again != other
    with pytest.raises(ConfigError, match="population"):
        import_module("ticket_parts").Evolution(population=1)


def test_workers_give_way_also_those_that_replace_a_lost_one(tmp_path: Path) -> None:
    executor = import_module("ticket_parts").Courteous(niceness=19, workers=1, threads=1)
    executor.open(scripted_context(tmp_path))
    try:
        for _ in range(2):
            messages = poll_until(executor, lambda messages: "ready" in {message["type"] for message in messages})
            ready = next(message for message in messages if message["type"] == "ready")
            worker = psutil.Process(ready["process"])
            assert worker.nice() == 19
            worker.kill()
    finally:
        executor.close(kill=True)
    with pytest.raises(ConfigError, match="niceness"):
        import_module("ticket_parts").Courteous(niceness=20)


def test_page_names_every_contract_and_base_class_there_is() -> None:
    import ftsweep.testing

    page = (EXAMPLE.parents[1] / "own-components.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(ftsweep\.[\w.]+)`", page))
    for name in named:
        assert callable(resolve_name(name)) or isinstance(resolve_name(name), ModuleType), name
    for module in pkgutil.iter_modules(ftsweep.testing.__path__, "ftsweep.testing."):
        contracts = [name for name in vars(import_module(module.name)) if name.endswith("Contract")]
        assert not contracts or module.name in named, f"{module.name} has {contracts}"
