from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn
from transformers.models.gemma.modeling_gemma import GemmaRMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from ftsweep.models.lean_norm import LeanNorm, RmsNorm, lean_norms
from ftsweep.models.tiny import TinyModel
from ftsweep.strategies.lora import Lora
from ftsweep.tasks.instruction import Instruction
from ftsweep.testing.random_models import random_bert, random_llama
from ftsweep.worker.base_models import BaseModels


def norm(size: int, *, trains: bool = False) -> LlamaRMSNorm:
    torch.manual_seed(0)
    module = LlamaRMSNorm(size, eps=1e-3)
    module.weight.data.uniform_(-2, 2)
    module.weight.requires_grad_(trains)
    return module


@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 4, 5)])
def test_values_and_gradients_are_those_of_transformers(shape: tuple[int, ...]) -> None:
    plain = norm(5, trains=True)
    lean = deepcopy(plain)
    lean_norms(lean)
    assert isinstance(lean, LeanNorm)
    x = torch.randn(shape, requires_grad=True)
    gradient = torch.randn(shape)
    expected, found = plain(x), lean(x)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    of_plain = torch.autograd.grad(expected, [x, plain.weight], gradient)
    of_lean = torch.autograd.grad(found, [x, lean.weight], gradient)
    torch.testing.assert_close(of_lean, of_plain, rtol=1e-4, atol=1e-5)


def test_heads_that_were_transposed_have_gradients_too() -> None:
    """As Qwen3 norms its queries: the gradient that comes back lies [heads, length] and not [length, heads]."""
    plain = norm(5, trains=True)
    lean = deepcopy(plain)
    lean_norms(lean)
    x = torch.randn(2, 3, 4, 5)
    gradient = torch.randn(2, 4, 3, 5)
    expected = torch.autograd.grad(plain(x).transpose(1, 2), plain.weight, gradient)
    torch.testing.assert_close(torch.autograd.grad(lean(x).transpose(1, 2), lean.weight, gradient), expected)


def test_gradients_are_those_of_differences() -> None:
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *given: RmsNorm.apply(*given, 1e-3), (x, weight))
    assert torch.autograd.gradcheck(lambda given: RmsNorm.apply(given, weight.detach(), 1e-3), (x,))
    assert torch.autograd.gradcheck(lambda given: RmsNorm.apply(x.detach(), given, 1e-3), (weight,))


def test_a_row_comes_to_the_same_bits_whatever_rows_stand_beside_it() -> None:
    lean = norm(96)
    lean_norms(lean)
    x = torch.randn(1, 700, 96)
    whole = lean(x)
    for start, stop in ((0, 32), (31, 64), (100, 333), (669, 700)):
        assert torch.equal(lean(x[:, start:stop]), whole[:, start:stop])


def test_other_types_are_left_to_transformers() -> None:
    half = norm(8).to(torch.bfloat16)
    lean = deepcopy(half)
    lean_norms(lean)
    assert isinstance(lean, LeanNorm)
    x = torch.randn(3, 8)
    assert torch.equal(lean(x.bfloat16()), half(x.bfloat16()))
    assert torch.equal(lean(x), half(x)), "of a type that the weight does not have"


def test_a_norm_that_computes_something_else_keeps_its_own_way() -> None:
    gemma = GemmaRMSNorm(8)
    gemma.weight.data.uniform_(-1, 1)

    class ShiftedRMSNorm(LlamaRMSNorm):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + 1

    class GatedRMSNorm(LlamaRMSNorm):
        def forward(self, x: torch.Tensor, gate: torch.Tensor | None = None) -> torch.Tensor:
            return super().forward(x if gate is None else x * gate)

    class WithBiasRMSNorm(LlamaRMSNorm):
        def __init__(self, size: int) -> None:
            super().__init__(size)
            self.bias = nn.Parameter(torch.zeros(size))

    modules = nn.ModuleList(
        [gemma, ShiftedRMSNorm(8), GatedRMSNorm(8), WithBiasRMSNorm(8), nn.LayerNorm(8), nn.RMSNorm(8)]
    )
    kinds = [type(module) for module in modules]
    lean_norms(modules)
    assert [type(module) for module in modules] == kinds


def test_a_whole_model_answers_the_same_and_is_saved_the_same() -> None:
    plain = random_llama()
    lean = deepcopy(plain)
    lean_norms(lean)
    assert sum(isinstance(module, LeanNorm) for module in lean.modules()) == 5
    ids = torch.arange(3, 40).view(1, -1)
    with torch.no_grad():
        torch.testing.assert_close(lean(ids).logits, plain(ids).logits, rtol=1e-4, atol=1e-5)
    assert list(lean.state_dict()) == list(plain.state_dict())
    again = deepcopy(lean)
    lean_norms(again)
    assert [type(module) for module in again.modules()] == [type(module) for module in lean.modules()]
    encoder = random_bert()
    kinds = [type(module) for module in encoder.modules()]
    lean_norms(encoder)
    assert [type(module) for module in encoder.modules()] == kinds


def test_a_worker_trains_on_a_base_of_lean_norms() -> None:
    bases = BaseModels(torch.device("cpu"), memory_bytes=1 << 34)
    base = bases.look_at(TinyModel(), Instruction(), Lora(rank=2), {}, precision="float32")
    norms = [module for module in base.model.modules() if "RMSNorm" in type(module).__name__]
    assert norms
    assert all(isinstance(module, LeanNorm) for module in norms)
