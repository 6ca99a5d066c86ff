from __future__ import annotations

import copy

import pytest
import torch

from ftsweep.training.adamw import FusedAdamW


def weights():
    chance = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(size, generator=chance)) for size in ((3, 4), (5,), (2, 2))]


def both():
    ours, theirs = weights(), weights()
    makers = (FusedAdamW, lambda groups, lr: torch.optim.AdamW(groups, lr=lr, fused=True))
    optimizers = [
        make([{"params": own[:2], "weight_decay": 0.1}, {"params": own[2:], "weight_decay": 0.0}], lr=0.01)
        for make, own in zip(makers, (ours, theirs), strict=True)
    ]
    return ours, theirs, optimizers


def take(step, ours, theirs, optimizers, *, without=()):
    chance = torch.Generator().manual_seed(step)
    for number, pair in enumerate(zip(ours, theirs, strict=True)):
        gradient = torch.randn(pair[0].shape, generator=chance)
        for weight in pair:
            weight.grad = None if number in without else gradient.clone()
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = 0.01 / (step + 1)
        optimizer.step()
    assert all(torch.equal(*pair) for pair in zip(ours, theirs, strict=True)), step


def test_weights_move_as_with_torchs_own_to_the_bit():
    found = both()
    for step in range(6):
        take(step, *found)


@pytest.mark.parametrize("late", [0, 1, 3])
def test_a_weight_without_a_gradient_stays_and_counts_for_itself(late):
    found = both()
    for step in range(7):
        take(step, *found, without=(1,) if step in (late, late + 1) else ())


def test_its_state_goes_on_in_another_of_the_same_weights():
    ours, theirs, (optimizer, other) = both()
    for step in range(3):
        take(step, ours, theirs, (optimizer, other))
    state = copy.deepcopy(optimizer.state_dict())
    assert [float(entries["step"]) for entries in state["state"].values()] == [3.0, 3.0, 3.0]
    again = FusedAdamW([{"params": ours[:2], "weight_decay": 0.1}, {"params": ours[2:], "weight_decay": 0.0}], lr=0.01)
    again.load_state_dict(state)
    for step in range(3, 6):
        take(step, ours, theirs, (again, other))


def test_a_step_is_one_call_for_each_group():
    found = both()
    calls = []

    class Counted(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            calls.append(func.overloadpacket.__name__)
            return func(*args, **(kwargs or {}))

    for step in range(2):
        take(step, *found)
    with Counted():
        found[2][0].step()
    assert [call for call in calls if "record_function" not in call] == ["add_", "_fused_adamw_"] * 2
