"""What every strategy must do that trains nothing (`trains` false). Subclass, and give what it works on as fixtures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ftsweep.strategies.base import Strategy, parameter_groups
from ftsweep.tasks.base import Task
from ftsweep.testing.imports import slow_imports
from ftsweep.testing.weights import digest, outputs, structure

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class UntrainedStrategyContract:
    """Test class for authors of strategies; the name of the subclass begins with Test.

    The strategy's settings need defaults. `base` is a fresh small model for every test, with the head that the strategy
    needs: float32, in eval mode, at least 16 tokens in its vocabulary.
    """

    def make(self) -> Strategy:
        """A strategy as its settings make it."""
        raise NotImplementedError("make a strategy")

    def choose(self, strategy: Strategy) -> None:
        """Give the strategy what a trial would choose to answer with."""
        raise NotImplementedError("choose what the strategy answers with")

    @pytest.fixture
    def task(self) -> Task:
        raise NotImplementedError("give a task that the strategy serves as a fixture")

    @pytest.fixture
    def base(self) -> PreTrainedModel:
        raise NotImplementedError("give a base model as a fixture")

    @pytest.fixture
    def tokenizer(self) -> PreTrainedTokenizerBase:
        raise NotImplementedError("give the base's tokenizer as a fixture")

    @pytest.fixture
    def schema(self) -> Mapping[str, Any]:
        raise NotImplementedError("give what the task learned from train as a fixture")

    @pytest.fixture
    def rows(self) -> Sequence[Mapping[str, Any]]:
        raise NotImplementedError("give two rows with different answers, without their targets, as a fixture")

    def test_building_needs_no_torch(self) -> None:
        assert slow_imports(type(self.make())) == []

    def test_it_says_that_it_trains_nothing(self, task: Task) -> None:
        strategy = self.make()
        strategy.check_task(task)
        assert (strategy.trains, strategy.changes_base, strategy.moves_weights) == (False, False, False)

    def test_nothing_trains_and_the_model_is_the_base(self, task: Task, base: PreTrainedModel) -> None:
        import torch

        strategy, before, answers = self.make(), digest(base), outputs(base)
        model = strategy.apply(base, strategy.head_for(task))
        strategy.set_training(model)
        assert not any(module.training for module in model.modules())
        assert parameter_groups(model, strategy, 0.1) == []
        assert torch.equal(outputs(model), answers)
        assert digest(model) == before

    def test_remove_leaves_the_base_as_it_was(self, task: Task, base: PreTrainedModel) -> None:
        strategy, before, names = self.make(), digest(base), structure(base)
        assert strategy.remove(strategy.apply(base, strategy.head_for(task))) is base
        assert (digest(base), structure(base)) == (before, names)

    def test_what_is_saved_restores_the_same_answers(
        self,
        task: Task,
        base: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        schema: Mapping[str, Any],
        rows: Sequence[Mapping[str, Any]],
        tmp_path: Path,
    ) -> None:
        strategy, restored = self.make(), self.make()
        self.choose(strategy)
        model = strategy.apply(base, strategy.head_for(task))
        answers = strategy.predict(model, task, tokenizer, schema, rows, 4)
        strategy.save(model, tmp_path)
        restored.restore(model, strategy.exported(tmp_path))
        assert restored.predict(model, task, tokenizer, schema, rows, 4) == answers
        assert answers[0] != answers[1]
        suffixes = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
        assert suffixes
        assert suffixes <= {".safetensors", ".json", ".txt", ".md"}
