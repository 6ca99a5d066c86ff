"""What every strategy must do. Subclass, and give the strategy, a base model and its head as fixtures."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ftsweep.config.schema import TrainingSettings
from ftsweep.errors import ConfigError
from ftsweep.models.base import Head
from ftsweep.models.saving import save_whole
from ftsweep.strategies.base import Strategy, parameter_groups, start_checkpointing
from ftsweep.testing.imports import slow_imports
from ftsweep.testing.weights import clone, digest, gradients, outputs, structure, token_batch, train

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class StrategyContract:
    """Test class for authors of strategies; the name of the subclass begins with Test.

    The strategy's settings need defaults. `base` is a fresh small model for every test: float32, in eval mode, at
    least 16 tokens in its vocabulary.
    """

    draws_weights: ClassVar[bool] = True
    """Whether new weights beside those of a head are random; set it to False when they begin as something known."""

    @pytest.fixture
    def strategy(self) -> Strategy:
        raise NotImplementedError("give the strategy as a fixture")

    @pytest.fixture
    def head(self) -> Head:
        raise NotImplementedError("give the base's head as a fixture")

    @pytest.fixture
    def base(self) -> PreTrainedModel:
        raise NotImplementedError("give a base model as a fixture")

    def test_building_needs_no_torch(self, strategy: Strategy) -> None:
        assert slow_imports(type(strategy)) == []

    def test_a_step_changes_what_trains_and_nothing_else(
        self, strategy: Strategy, base: PreTrainedModel, head: Head
    ) -> None:
        import torch

        model = strategy.apply(base, head)
        trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        # Two steps: a matrix behind one that starts at zero has no gradient in the first.
        train(model, num_steps=2)
        changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
        names_of_tied = {name for name, _ in model.named_parameters(remove_duplicate=False)} - {
            name for name, _ in model.named_parameters()
        }
        assert trained
        assert changed
        assert changed <= trained | names_of_tied
        if not strategy.changes_base:
            assert changed == trained, "what is said to train has no gradient"

    def test_remove_leaves_the_base_as_it_was(self, strategy: Strategy, base: PreTrainedModel, head: Head) -> None:
        before, names, weights = digest(base), structure(base), clone(base)
        model = strategy.apply(base, head)
        train(model)
        removed = strategy.remove(model)
        assert removed is base
        assert structure(base) == names
        assert not any(weight.requires_grad for weight in base.parameters())
        if strategy.changes_base:
            base.load_state_dict(weights)  # the caller's part
        assert digest(base) == before

    def test_ten_trials_leave_nothing_behind(self, strategy: Strategy, base: PreTrainedModel, head: Head) -> None:
        model = strategy.apply(base, head)
        applied = structure(model)
        names = structure(strategy.remove(model))
        for _ in range(9):
            model = strategy.apply(base, head)
            start_checkpointing(model)
            strategy.remove(model)
        assert structure(base) == names
        assert structure(strategy.apply(base, head)) == applied

    def test_the_seed_decides_new_weights_whatever_came_before(
        self, strategy: Strategy, base: PreTrainedModel, head: Head
    ) -> None:
        import torch

        weights, digests = clone(base), []
        for seed in (1, 2, 1):
            torch.manual_seed(seed)
            model = strategy.apply(base, head)
            digests.append(digest(model))
            train(model)
            base = strategy.remove(model)
            base.load_state_dict(weights)
        assert digests[0] == digests[2]
        has_new_weights = digest(model) != digest(base) and (self.draws_weights or head != "causal_lm")
        assert (digests[0] != digests[1]) or not has_new_weights

    def test_what_is_saved_restores_the_same_answers(
        self, strategy: Strategy, base: PreTrainedModel, head: Head, tmp_path: Path
    ) -> None:
        import torch

        weights = clone(base)
        torch.manual_seed(1)
        model = strategy.apply(base, head)
        train(model)
        answers = outputs(model)
        strategy.save(model, tmp_path / "best")
        base = strategy.remove(model)
        base.load_state_dict(weights)
        torch.manual_seed(2)
        model = strategy.apply(base, head)
        assert not torch.equal(outputs(model), answers)
        strategy.restore(model, tmp_path / "best")
        assert torch.equal(outputs(model), answers)

    def test_a_merged_model_is_a_whole_one_that_answers_alike(
        self, strategy: Strategy, base: PreTrainedModel, head: Head
    ) -> None:
        import torch
        from transformers import PreTrainedModel

        if not strategy.merges:
            pytest.skip("the strategy merges nothing")
        model = strategy.apply(base, head)
        train(model)
        answers = outputs(model)
        whole = strategy.merged(model)
        assert isinstance(whole, PreTrainedModel)
        torch.testing.assert_close(outputs(whole), answers, rtol=1e-4, atol=1e-4)

    def test_what_is_saved_is_safetensors_and_text(
        self, strategy: Strategy, base: PreTrainedModel, head: Head, tmp_path: Path
    ) -> None:
        strategy.save(strategy.apply(base, head), tmp_path)
        suffixes = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
        assert ".safetensors" in suffixes
        assert suffixes <= {".safetensors", ".json", ".txt", ".md"}

    def test_checkpointing_changes_no_gradient(self, strategy: Strategy, base: PreTrainedModel, head: Head) -> None:
        import torch

        if refuses(strategy, head, gradient_checkpointing=True):
            pytest.skip("the strategy refuses training.gradient_checkpointing")
        model = strategy.apply(base, head)
        plain = gradients(model)
        start_checkpointing(model)
        recomputed = gradients(model)
        assert set(plain) == set(recomputed)
        for name, gradient in plain.items():
            torch.testing.assert_close(recomputed[name], gradient, msg=name)

    def test_everything_that_trains_is_in_one_optimizer_group(
        self, strategy: Strategy, base: PreTrainedModel, head: Head
    ) -> None:
        model = strategy.apply(base, head)
        grouped = [id(weight) for group in parameter_groups(model, strategy, 0.1) for weight in group["params"]]
        trained = [id(weight) for weight in model.parameters() if weight.requires_grad]
        assert sorted(grouped) == sorted(trained)

    def test_there_is_one_answer_per_row_or_per_token_and_padding_changes_none(
        self, strategy: Strategy, base: PreTrainedModel, head: Head
    ) -> None:
        import torch

        model: Any = strategy.apply(base, head).eval()
        batch = token_batch()
        batch["input_ids"][1, 5:] = model.config.pad_token_id
        batch["attention_mask"][1, 5:] = 0
        with torch.no_grad():
            together = model(**batch).logits
            alone = model(**{name: tensor[1:2, :5] for name, tensor in batch.items()}).logits
        assert together.shape[:-1] == ((3,) if head == "sequence_classification" else (3, 8))
        together = together[1:2] if head == "sequence_classification" else together[1:2, :5]
        torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)

    def test_distances_are_nothing_at_the_start_and_have_gradients(
        self, strategy: Strategy, base: PreTrainedModel, head: Head
    ) -> None:
        if refuses(strategy, head, l2_sp=1.0):
            pytest.skip("the strategy refuses training.l2_sp")
        model = strategy.apply(base, head)
        distances = strategy.distances(model, head)
        assert sum(distance().item() for distance in distances) == pytest.approx(0, abs=1e-3)
        train(model)
        total = sum(distance() for distance in distances)
        assert total > 0
        total.backward()  # type: ignore[union-attr]
        assert any(weight.grad is not None and weight.grad.any() for weight in model.parameters())

    def test_the_base_answers_beside_the_model_that_trains(
        self, strategy: Strategy, base: PreTrainedModel, head: Head
    ) -> None:
        import torch

        if refuses(strategy, head, kl_to_base=1.0):
            pytest.skip("the strategy refuses training.kl_to_base")
        plain = outputs(base)
        model = strategy.apply(base, head)
        answers = strategy.base_answers(model)
        train(model)
        tuned = outputs(model)
        trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
        with torch.no_grad(), answers() as untouched:
            torch.testing.assert_close(untouched(**token_batch()).logits, plain)
        assert {name for name, weight in model.named_parameters() if weight.requires_grad} == trained
        assert not torch.allclose(tuned, plain)
        assert torch.equal(outputs(model), tuned)

    def test_rate_factors_name_what_trains(self, strategy: Strategy, base: PreTrainedModel, head: Head) -> None:
        model = strategy.apply(base, head)
        factors = strategy.rate_factors(model)
        assert set(factors) <= {name for name, weight in model.named_parameters() if weight.requires_grad}
        assert all(0 < factor < float("inf") for factor in factors.values())

    def test_what_is_exported_whole_is_a_model_of_its_own(
        self, strategy: Strategy, base: PreTrainedModel, head: Head, tmp_path: Path
    ) -> None:
        import torch

        if not strategy.exports_whole:
            pytest.skip("an adapter needs its base")
        model = strategy.apply(base, head)
        train(model)
        answers = outputs(model)
        save_whole(model, tmp_path)
        torch.testing.assert_close(outputs(type(base).from_pretrained(tmp_path)), answers)


def refuses(strategy: Strategy, head: Head, **settings: Any) -> bool:
    """Whether the strategy refuses these training settings for a task with this head."""
    try:
        task = SimpleNamespace(head=head, takes_text=head == "causal_lm", needs_reference=False)
        strategy.check_training(task, TrainingSettings(**settings))  # type: ignore[arg-type]
    except ConfigError:
        return True
    return False
