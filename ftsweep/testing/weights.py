"""What contract tests of strategies do to a model's weights, and look at: training, gradients, digests, structure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn


def token_batch() -> dict[str, torch.Tensor]:
    import torch

    ids = torch.arange(24).reshape(3, 8) % 13 + 3
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def outputs(model: Any) -> torch.Tensor:
    """Logits of a fixed batch in eval mode."""
    import torch

    model.eval()
    with torch.no_grad():
        logits: torch.Tensor = model(**token_batch()).logits
    return logits


def train(model: Any, *, num_steps: int = 2) -> None:
    """A few large steps on a loss that every weight has a part in."""
    import torch

    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2, weight_decay=0.0)
    model.train()
    for _ in range(num_steps):
        optimizer.zero_grad()
        model(**token_batch()).logits.float().square().mean().backward()
        optimizer.step()
    optimizer.zero_grad()
    model.eval()


def gradients(model: Any) -> dict[str, torch.Tensor]:
    model.train()
    model(**token_batch()).logits.float().square().mean().backward()
    found = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad()
    return found


def clone(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def digest(model: nn.Module) -> str:
    """A hash of every weight's name, type and bits."""
    import torch

    made = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        made.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        made.update(tensor.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return made.hexdigest()


def structure(model: nn.Module) -> list[str]:
    """Every module with its type, tensors and number of hooks: what grows when something is left behind."""
    modules = [
        f"{name}: {type(module).__name__}, {len(module._forward_hooks)} + {len(module._forward_pre_hooks)} hooks"
        for name, module in model.named_modules()
    ]
    return modules + [name for name, _ in model.named_parameters()] + [name for name, _ in model.named_buffers()]
