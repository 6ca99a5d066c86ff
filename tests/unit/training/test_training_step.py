from __future__ import annotations

import copy
import math

import pytest
import torch

from ftsweep.training.optimizer import clip_gradients


@pytest.mark.parametrize("scale", [1e-3, 0.2, 1.0, 50.0, math.inf, math.nan])
@pytest.mark.parametrize("max_norm", [1.0, 0.37, math.inf])
def test_gradients_are_clipped_as_torch_does_to_the_bit(scale, max_norm):
    chance = torch.Generator().manual_seed(0)
    weights = [torch.nn.Parameter(torch.zeros(size)) for size in (3, 1, 40)]
    for weight in weights[:2]:
        weight.grad = scale * torch.randn(weight.shape, generator=chance)  # the last one got none
    others = copy.deepcopy(weights)
    for other, weight in zip(others, weights, strict=True):
        other.grad = None if weight.grad is None else weight.grad.clone()
    norms = clip_gradients(weights, max_norm), torch.nn.utils.clip_grad_norm_(others, max_norm)
    assert torch.equal(*norms) or all(map(torch.isnan, norms))
    for weight, other in zip(weights[:2], others, strict=False):
        assert weight.grad is not None
        torch.testing.assert_close(weight.grad, other.grad, rtol=0, atol=0, equal_nan=True)


def test_a_norm_right_below_the_limit_is_clipped_by_torchs_own_margin():
    weight, other = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    weight.grad, other.grad = torch.full((1,), 1 - 2e-7), torch.full((1,), 1 - 2e-7)
    clip_gradients([weight], 1.0)
    torch.nn.utils.clip_grad_norm_([other], 1.0)
    assert torch.equal(weight.grad, other.grad)
    assert float(weight.grad) < 1 - 2e-7
