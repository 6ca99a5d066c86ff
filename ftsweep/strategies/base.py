"""What a strategy promises: which weights train, and what of them is kept. Torch is imported inside methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

    from ftsweep.models.base import Head
    from ftsweep.tasks.base import Task


class Strategy(ABC):
    """How a model is fine-tuned. The constructor's keyword-only arguments are the schema of the `strategy` node."""

    changes_base: ClassVar[bool]
    """Whether training writes into the base's own weights (full), so that they must be put back after the trial."""

    starts_as_base: ClassVar[bool] = False
    """Whether `apply` leaves the model's answers as they were, but for a new head drawn first of all. Then what is
    measured before training is the same for all settings of the strategy, and is measured once."""

    has_frozen_body: ClassVar[bool] = False
    """Whether nothing of the backbone trains, so that its features are the same for all trials."""

    exports_whole: ClassVar[bool] = False
    """Whether a chosen model is exported as a whole transformers model, and not as an adapter on its base."""

    def head_for(self, task: Task) -> Head:
        """The head that the base is loaded with."""
        return task.head

    def check_task(self, task: Task) -> None:  # noqa: B027 - most strategies serve every task
        """Raise ConfigError when the strategy cannot serve this task. Called without a model, and without torch."""

    def rate_factors(self, model: PreTrainedModel) -> Mapping[str, float]:
        """Factors on the learning rate by name of a trained parameter; 1 for those that are not named."""
        return {}

    def set_training(self, model: PreTrainedModel) -> None:
        """Put what trains into training mode (dropout)."""
        model.train()

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


def parameter_groups(
    model: nn.Module, weight_decay: float, rate_factors: Mapping[str, float] | None = None
) -> list[dict[str, Any]]:
    """Optimizer groups of exactly what trains, each with its `rate_factor`.

    Matrices decay; biases and norms (all 1-d weights) do not.
    """
    factors = rate_factors or {}
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            is_decayed = parameter.ndim >= 2 and not name.endswith("bias")
            groups.setdefault((factors.get(name, 1.0), not is_decayed), []).append(parameter)
    return [
        {"params": parameters, "weight_decay": 0.0 if is_kept else weight_decay, "rate_factor": factor}
        for (factor, is_kept), parameters in sorted(groups.items(), key=lambda group: (-group[0][0], group[0][1]))
    ]


def save_whole(model: PreTrainedModel, folder: Path) -> None:
    """Write a whole transformers model: config.json and one safetensors file with the names that the model uses."""
    with _without_progress_bar():
        model.save_pretrained(folder, max_shard_size="1000TB", save_original_format=False)


@contextmanager
def _without_progress_bar() -> Iterator[None]:
    from transformers.utils.logging import set_tqdm_hook

    previous = set_tqdm_hook(lambda factory, args, keywords: factory(*args, **{**keywords, "disable": True}))
    try:
        yield
    finally:
        set_tqdm_hook(previous)


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
