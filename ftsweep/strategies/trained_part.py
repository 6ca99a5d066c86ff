"""A part of a model that trains while the rest stays frozen: what the head is, its mode, and keeping its weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftsweep.errors import ConfigError, ModelError
from ftsweep.models.base import LANGUAGE_HEADS
from ftsweep.strategies.base import fresh_modules

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedModel

    from ftsweep.models.base import Head
    from ftsweep.tasks.base import Task

WEIGHTS = "trained.safetensors"
"""The trained weights alone, by the names that the model itself uses."""


def check_has_head(task: Task, strategy: str) -> None:
    """Raise ConfigError for a task without a new head: there is nothing that a probe could train."""
    if task.head in LANGUAGE_HEADS:
        raise ConfigError(
            f"{strategy} trains a new head on the frozen model, and this task answers with the language model's own",
            where="strategy",
            remedy="Choose lora, top_layers or full, or a task with a head of its own, such as classification.",
        )


def head_modules(base: PreTrainedModel, head: Head) -> dict[str, nn.Module]:
    """The head by name: all that no checkpoint brought, and all that stands outside of the backbone."""
    if head in LANGUAGE_HEADS:
        return {}
    outside = {
        name: module
        for name, module in base.named_children()
        if name != base.base_model_prefix and any(True for _ in module.parameters())
    }
    return {**outside, **fresh_modules(base, head)}


def backbone(model: Any) -> nn.Module:
    """The model without its head."""
    body: nn.Module = getattr(model, model.base_model_prefix, model)
    return body


def train_in_float32(module: nn.Module) -> None:
    """Train the module, in float32 even when what arrives comes from a bfloat16 body."""
    import torch

    module.requires_grad_(True)
    if all(weight.dtype == torch.float32 for weight in module.parameters()):
        return

    def cast(_module: nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return tuple(value.float() for value in args)

    module.float()
    module.register_forward_pre_hook(cast)


def train_what_trains(model: PreTrainedModel) -> None:
    """Training mode (dropout) for the head and for modules that train as a whole; eval mode for the frozen rest."""
    model.train()
    body = backbone(model)
    body.eval()
    for module in body.modules():
        weights = list(module.parameters())
        if weights and all(weight.requires_grad for weight in weights):
            module.train()


def save_trained(model: PreTrainedModel, folder: Path) -> None:
    """Write the weights that train."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: weight.detach().contiguous() for name, weight in _trained(model).items()}
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


def restore_trained(model: PreTrainedModel, folder: Path) -> None:
    """Load what `save_trained` wrote into a model of which the same weights train."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / WEIGHTS
    try:
        weights = load_file(path, device=str(model.device))
    except (OSError, SafetensorError) as error:
        raise ModelError(f"cannot be read as trained weights: {error}", where=str(path)) from error
    targets = _trained(model)
    if {name: weight.shape for name, weight in weights.items()} != {n: weight.shape for n, weight in targets.items()}:
        raise ModelError("holds the weights of another head or of other layers", where=str(path))
    with torch.no_grad():
        for name, weight in targets.items():
            weight.copy_(weights[name])


def _trained(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
