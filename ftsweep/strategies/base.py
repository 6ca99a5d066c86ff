"""What a strategy promises: which weights train, and what of them is kept. Torch is imported inside methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

    from ftsweep.models.base import Head


class Strategy(ABC):
    """How a model is fine-tuned. The constructor's keyword-only arguments are the schema of the `strategy` node."""

    changes_base: ClassVar[bool]
    """Whether training writes into the base's own weights (full), so that they must be put back after the trial."""

    starts_as_base: ClassVar[bool] = False
    """Whether `apply` leaves the model's answers as they were, but for a new head drawn first of all. Then what is
    measured before training is the same for all settings of the strategy, and is measured once."""

    @abstractmethod
    def apply(self, base: PreTrainedModel, head: Head) -> PreTrainedModel:
        """Make the model that trains: adapters added, `requires_grad` set on exactly what trains.

        New weights, those of a new head among them, are drawn from torch's current generator: one seed, one start,
        however many trials the base has served before. Raises ConfigError when the model has no such modules.
        """

    @abstractmethod
    def remove(self, model: PreTrainedModel) -> PreTrainedModel:
        """The inverse of `apply`: the base without adapters, its own head back, nothing that trains.

        Changed base weights (`changes_base`) are put back by the caller.
        """

    @abstractmethod
    def save(self, model: PreTrainedModel, folder: Path) -> None:
        """Write what training changed, as safetensors, in the format of PEFT or transformers."""

    @abstractmethod
    def restore(self, model: PreTrainedModel, folder: Path) -> None:
        """Load what `save` wrote into a model that `apply` made."""


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Optimizer groups of exactly what trains: matrices decay, biases and norms (all 1-d weights) do not."""
    trained = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    decayed = [parameter for name, parameter in trained if parameter.ndim >= 2 and not name.endswith("bias")]
    kept = {id(parameter) for parameter in decayed}
    others = [parameter for _, parameter in trained if id(parameter) not in kept]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def start_checkpointing(model: PreTrainedModel) -> None:
    """Recompute activations in the backward pass, for a model that `apply` made; `remove` ends it."""
    inner = transformers_model(model)
    inner.activation_checkpointing_enable({"use_reentrant": False})
    # Non-reentrant checkpoints pass gradients on although the embeddings are frozen. The hook that transformers puts
    # on them for reentrant ones is not needed, and is not taken off when checkpointing ends.
    inner.disable_input_require_grads()


def end_checkpointing(base: Any) -> None:
    """Undo `start_checkpointing`, if it was called."""
    if base.is_activation_checkpointing:
        base.activation_checkpointing_disable()


def transformers_model(model: Any) -> Any:
    """The transformers model itself, inside of PEFT's wrapper when there is one."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def fresh_modules(base: PreTrainedModel, head: Head) -> dict[str, nn.Module]:
    """Modules by name whose weights no checkpoint brought: a new head, sometimes a pooler. None for a causal model.

    Loading marks every parameter it reads, so the unmarked ones are new; of a model that was never loaded all that
    lies outside of its backbone counts. A new module outside of the backbone is named as a whole (`classifier`).
    """
    if head == "causal_lm":
        return {}
    loaded = any(_is_loaded(parameter) for parameter in base.parameters())
    names = set()
    for name, _parameter in ((n, p) for n, p in base.named_parameters() if not (loaded and _is_loaded(p))):
        top = name.partition(".")[0]
        if top != base.base_model_prefix:
            names.add(top)
        elif loaded:
            names.add(name.rpartition(".")[0])
    return {name: base.get_submodule(name) for name in sorted(names)}


def redraw_fresh_modules(base: PreTrainedModel, head: Head) -> None:
    """Give a new head new weights, as the model itself draws them, from torch's current generator."""
    import torch

    fresh = fresh_modules(base, head)
    with torch.no_grad():
        for module in fresh.values():
            for part in module.modules():
                base._init_weights(part)
        if fresh:
            base._init_weights(base)  # some architectures draw their head when they reach the whole model


def _is_loaded(parameter: nn.Parameter) -> bool:
    return getattr(parameter, "_is_hf_initialized", False)
