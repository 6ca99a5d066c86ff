"""What training minimises beside the task's loss: exact gradients, nothing in what is measured, nothing at 0."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from test_worker_engine import finish, values
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import GPT2Config, GPT2LMHeadModel

from ftsweep.config.schema import TrainingSettings
from ftsweep.store.folders import TrialFolder
from ftsweep.strategies.full import Full
from ftsweep.strategies.ia3 import Ia3
from ftsweep.strategies.lora import Lora
from ftsweep.strategies.prefix_tuning import PrefixTuning
from ftsweep.strategies.prompt_tuning import PromptTuning
from ftsweep.tasks.classification import Classification
from ftsweep.tasks.instruction import Instruction
from ftsweep.testing.random_models import random_bert, random_llama
from ftsweep.testing.weights import clone, train
from ftsweep.training import checkpoint, regularisers
from ftsweep.training.regularisers import Regularisers
from ftsweep.worker.engine import Engine

pytestmark = pytest.mark.usefixtures("shallow")


def batch_of_rows() -> dict[str, torch.Tensor]:
    """Four rows of which some tokens are padding and some are supervised."""
    ids = torch.arange(36).reshape(4, 9) * 7 % 251 + 3
    mask = torch.ones_like(ids)
    mask[1, 6:], mask[3, 4:] = 0, 0
    labels = ids.masked_fill(mask == 0, -100)
    labels[:, :2] = -100
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def begin(strategy: Any, **settings: Any) -> tuple[Any, Regularisers]:
    torch.manual_seed(0)
    model = strategy.apply(random_llama(), "causal_lm")
    return model, Regularisers(model, Instruction(), strategy, TrainingSettings(**settings))


def gradients_of(model: Any) -> dict[str, torch.Tensor]:
    found = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad()
    return found


def test_pull_on_all_weights_has_the_gradient_of_the_formula_and_leaves_a_new_head_out() -> None:
    torch.manual_seed(0)
    model = Full().apply(random_bert(), "sequence_classification")
    pull = Regularisers(model, Classification(), Full(), TrainingSettings(l2_sp=0.3))
    start = clone(model)
    train(model)
    pull.add_gradients()
    found = gradients_of(model)
    assert not any(name.startswith("classifier") for name in found)
    assert len(found) == sum(not name.startswith("classifier") for name, _ in model.named_parameters())
    for name, weight in model.named_parameters():
        if name in found:
            torch.testing.assert_close(found[name], 0.3 * (weight.detach() - start[name]), msg=name)


@pytest.mark.parametrize("settings", [{}, {"rslora": True, "rank": 3}, {"init": "pissa", "rank": 4}])
def test_pull_on_adapters_has_the_gradient_of_the_whole_matrices(settings: dict[str, Any]) -> None:
    model, pull = begin(Lora(**settings), l2_sp=0.3)
    layers = {name: layer for name, layer in model.named_modules() if hasattr(layer, "lora_A")}
    start = {
        name: (layer.lora_B["default"].weight @ layer.lora_A["default"].weight).detach()
        for name, layer in layers.items()
    }
    train(model)
    pull.add_gradients()
    found = gradients_of(model)
    for name, layer in layers.items():
        delta = layer.scaling["default"] * (
            layer.lora_B["default"].weight @ layer.lora_A["default"].weight - start[name]
        )
        (0.5 * 0.3 * delta.square().sum()).backward()
    expected = gradients_of(model)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-4, msg=name)


def test_pull_needs_no_matrix_of_the_size_of_a_weight() -> None:
    model, pull = begin(Lora(rank=2, targets=["up_proj"]), l2_sp=1.0)
    train(model)
    with counted_operations() as made:
        pull.add_gradients()
    assert max(math.prod(shape) for _, shape in made) <= 2 * 64, "rank x the longer side"


@pytest.mark.parametrize(
    "strategy", [Full(), Lora(), Ia3(), PromptTuning(num_virtual_tokens=3), PrefixTuning(num_virtual_tokens=3)]
)
def test_divergence_has_the_gradient_of_the_formula(strategy: Any) -> None:
    model, held = begin(strategy, kl_to_base=0.7)
    train(model)
    strategy.set_training(model)
    batch = batch_of_rows()
    losses = held.training_losses(batch, {})
    losses.sum().backward()
    found = gradients_of(model)

    supervised = batch["labels"][:, 1:] != -100
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False).logits
    with torch.no_grad():
        base = random_llama()(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    of_base, of_model = base[:, :-1].log_softmax(-1), logits[:, :-1].log_softmax(-1)
    divergence = (of_base.exp() * (of_base - of_model)).sum(-1) * supervised
    plain = Instruction().losses(model, batch)[0]
    expected = plain + 0.7 * divergence.sum(dim=1)
    torch.testing.assert_close(losses, expected, rtol=1e-4, atol=1e-4)
    expected.sum().backward()
    for name, gradient in gradients_of(model).items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-3, msg=name)


def test_divergence_of_an_untouched_model_is_nothing() -> None:
    for strategy in (Full(), Lora(), Lora(dora=True), Lora(init="pissa"), Ia3()):
        model, held = begin(strategy, kl_to_base=1e4)
        torch.testing.assert_close(
            held.training_losses(batch_of_rows(), {}),
            Instruction().losses(model, batch_of_rows())[0],
            rtol=0,
            atol=2e-2,
        )
    logits = torch.randn(5, 11)
    assert regularisers.kl_divergences(logits, logits).tolist() == [0.0] * 5


@pytest.mark.parametrize("strategy", [Full(), Lora(dropout=0.5)])
def test_the_base_answers_without_dropout_and_the_model_keeps_its_own(strategy: Any) -> None:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=264, n_embd=32, n_layer=1, n_head=2, n_positions=32, resid_pdrop=0.5)
    base = GPT2LMHeadModel(config).eval()
    inputs = {name: tensor for name, tensor in batch_of_rows().items() if name != "labels"}
    plain = base(**inputs).logits.detach()
    model = strategy.apply(base, "causal_lm")
    answers = strategy.base_answers(model)
    strategy.set_training(model)
    with torch.no_grad(), answers() as untouched:
        torch.testing.assert_close(untouched(**inputs).logits, plain)
    assert all(module.training for module in model.modules())


def test_many_logits_are_compared_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    base, logits = torch.randn(7, 11), torch.randn(7, 11, requires_grad=True)
    whole = regularisers.kl_divergences(base, logits)
    (whole.sum()).backward()
    gradient, logits.grad = logits.grad, None
    monkeypatch.setattr(regularisers, "MAX_LOGITS_AT_ONCE", 3 * 11)
    parts = regularisers.kl_divergences(base, logits)
    parts.sum().backward()
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(logits.grad, gradient)


def test_both_work_in_mixed_precision() -> None:
    for strategy in (Full(), Lora(), Lora(init="pissa"), PrefixTuning(num_virtual_tokens=3)):
        l2_sp = 0.1 if strategy.moves_weights else 0.0
        model, held = begin(strategy, l2_sp=l2_sp, kl_to_base=0.5)
        train(model)
        with torch.autocast("cpu", torch.bfloat16):
            losses = held.training_losses(batch_of_rows(), {})
        losses.sum().backward()
        held.add_gradients()
        assert all(gradient.isfinite().all() for gradient in gradients_of(model).values())
        with torch.no_grad():
            exact = held.training_losses(batch_of_rows(), {})
        torch.testing.assert_close(losses, exact, rtol=0.05, atol=0.1)


@contextmanager
def counted_operations() -> Iterator[list[tuple[str, tuple[int, ...]]]]:
    """Every operation of torch inside the block: its name and the shape of its result."""
    made: list[tuple[str, tuple[int, ...]]] = []

    class Count(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            shape = tuple(result.shape) if isinstance(result, torch.Tensor) else ()
            made.append((str(func), shape))
            return result

    with Count():
        yield made


def test_at_zero_they_cost_nothing() -> None:
    with counted_operations() as made_to_begin:
        strategy = Lora()
        model = strategy.apply(random_llama(), "causal_lm")
    num_before = len(made_to_begin)
    with counted_operations() as made:
        held = Regularisers(model, Instruction(), strategy, TrainingSettings())
        held.add_gradients()
    assert (made, num_before > 0) == ([], True)
    with counted_operations() as plain:
        Instruction().training_losses(model, batch_of_rows(), {})
    with counted_operations() as through:
        held.training_losses(batch_of_rows(), {})
    assert through == plain


def make_small_and_generative(config: dict[str, Any]) -> None:
    for split, count in (("train", 16), ("validation", 6), ("test", 4)):
        path = Path(config["data"][split])
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()][:count]
        rows = [{"prompt": row["text"], "completion": row["label"]} for row in rows]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    config["task"] = {"_target_": "ftsweep.tasks.Instruction", "max_length": 48}
    config["rungs"]["count"] = 2


@pytest.mark.parametrize("strategy", ["full.Full", "lora.Lora"])
def test_trials_that_are_pulled_continue_to_the_same_result_in_any_micro_batches(
    make_job: Callable[..., dict[str, Any]], config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    monkeypatch.setattr(checkpoint, "SHARE_OF_TIME", math.inf)  # a checkpoint at every rung
    make_small_and_generative(config)
    config["strategy"] = {"_target_": f"ftsweep.strategies.{strategy}"}
    plain, _ = finish(Engine(threads=1), make_job(name="trial-0000"))
    config["training"] |= {"l2_sp": 0.05, "kl_to_base": 2.0}
    pulled, _ = finish(Engine(threads=1), make_job(name="trial-0001"))
    assert values(pulled)[0] == values(plain)[0], "what is measured has no pull in it"
    assert values(pulled)[2]["train/loss"] > values(plain)[2]["train/loss"] + 0.02

    job = make_job(name="trial-0002")
    killed = Engine(threads=1)
    killed.admit(job)
    rungs: list[int] = []
    while len(rungs) < 2:
        for message in killed.step():
            rungs.append(message["measurement"]["rung"])
            killed.answer({"type": "continue", "job": job["job"]})
    finish(Engine(threads=1), job)
    assert values(TrialFolder(Path(job["folder"])).measurements()) == values(pulled)

    config["training"]["micro_batch_size"] = 1
    split, _ = finish(Engine(threads=1), make_job(name="trial-0003"))
    for left, right in zip(values(pulled), values(split), strict=True):
        assert left == pytest.approx(right, abs=2e-4)
