"""The last layers of a model train, at rates that fall with depth; everything below them is frozen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ftsweep.errors import ConfigError
from ftsweep.strategies.base import Strategy, end_checkpointing, redraw_fresh_modules
from ftsweep.strategies.trained_part import (
    backbone,
    head_modules,
    restore_trained,
    save_trained,
    train_what_trains,
)

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from ftsweep.models.base import Head


class TopLayers(Strategy):
    """The last `num_layers` layers train, with all that follows them: final norm, pooler and head.

    Embeddings are frozen, and so is a language model's output layer, which often is the same matrix. Frozen parts run
    in eval mode, and no activations are kept of them.
    """

    changes_base: ClassVar[bool] = True
    starts_as_base = True
    exports_whole: ClassVar[bool] = True
    is_scalable = True
    names_layers = True

    def __init__(self, *, num_layers: int = 2, rate_decay: float = 0.9) -> None:
        """The last layer learns at the full rate, the one before it at `rate_decay` times that, and so on."""
        if isinstance(num_layers, bool) or not isinstance(num_layers, int) or num_layers < 1:
            raise ConfigError(
                f"must be a whole number of at least 1, not {num_layers!r}",
                where="strategy.num_layers",
                remedy="To train no layer at all, use strategy=head.",
            )
        if not 0 < rate_decay <= 1:
            raise ConfigError(f"must be above 0 and at most 1, not {rate_decay!r}", where="strategy.rate_decay")
        self.num_layers = num_layers
        self.rate_decay = rate_decay

    @property
    def num_trained_layers(self) -> int:
        return self.num_layers

    def check_base(self, base: PreTrainedModel, head: Head) -> None:
        count = len(transformer_layers(base))
        if self.num_layers > count:
            raise ConfigError(
                f"{self.num_layers} layers shall train, and the model has {count}",
                where="strategy.num_layers",
                remedy=f"Use at most {count}, or strategy=full to train the embeddings too.",
            )

    def apply(self, base: PreTrainedModel, head: Head) -> PreTrainedModel:
        self.check_base(base, head)
        layers = transformer_layers(base)
        redraw_fresh_modules(base, head)
        base.requires_grad_(False)
        for module in (*layers[-self.num_layers :], *head_modules(base, head).values()):
            module.requires_grad_(True)
        for module in modules_after(base, layers):
            for weight in module.parameters(recurse=False):
                weight.requires_grad_(True)
        for embeddings in (base.get_input_embeddings(), base.get_output_embeddings()):
            if embeddings is not None:
                embeddings.requires_grad_(False)
        return base

    def rate_factors(self, model: PreTrainedModel) -> Mapping[str, float]:
        layers = list(transformer_layers(model))
        depths = {id(weight): depth for depth, layer in enumerate(reversed(layers)) for weight in layer.parameters()}
        return {
            name: self.rate_decay ** depths[id(weight)]
            for name, weight in model.named_parameters()
            if weight.requires_grad and id(weight) in depths
        }

    def remove(self, model: PreTrainedModel) -> PreTrainedModel:
        end_checkpointing(model)
        return model.requires_grad_(False)

    def set_training(self, model: PreTrainedModel) -> None:
        train_what_trains(model)

    def rescale(self, model: PreTrainedModel, head: Head, scale: float, start: Mapping[str, Tensor]) -> None:
        from ftsweep.strategies.rescale import rescale_weights

        rescale_weights(model, head, scale, start)

    def save(self, model: PreTrainedModel, folder: Path) -> None:
        save_trained(model, folder)

    def restore(self, model: PreTrainedModel, folder: Path) -> None:
        restore_trained(model, folder)


def transformer_layers(model: PreTrainedModel) -> nn.ModuleList:
    """The list of the model's layers, the first one first: the outermost list with as many as its config says.

    Raises ConfigError for a model whose layers are no such list: two stacks of them, or one that is used repeatedly.
    """
    from torch import nn

    config = model.config.get_text_config()
    count = getattr(config, "num_hidden_layers", None)
    lists = [module for module in backbone(model).modules() if isinstance(module, nn.ModuleList)]
    found = next((module for module in lists if len(module) == count), None)
    if found is None or config.is_encoder_decoder:
        raise ConfigError(
            f"{type(model).__name__} has no single list of layers to count from",
            where="strategy",
            remedy="Choose strategy=lora, head or full for this model.",
        )
    return found


def modules_after(model: PreTrainedModel, layers: nn.ModuleList) -> list[nn.Module]:
    """Modules with weights that run only when the last layer is done, in the order in which they run.

    Found by running the model on two tokens: where a norm stands in the model's own list of modules says nothing.
    """
    import torch

    before: set[nn.Module] = set()
    after: dict[nn.Module, None] = {}
    is_done = False

    def finish(*_arguments: object) -> None:
        nonlocal is_done
        is_done = True

    def note(module: nn.Module, *_arguments: object) -> None:
        if not is_done:
            before.add(module)
        elif module not in before:
            after[module] = None

    with_weights = [module for module in model.modules() if any(True for _ in module.parameters(recurse=False))]
    handles = [module.register_forward_pre_hook(note) for module in with_weights]
    handles.append(layers[-1].register_forward_hook(finish))
    try:
        with torch.no_grad():
            ids = torch.ones(1, 2, dtype=torch.long, device=model.device)
            model(input_ids=ids, attention_mask=torch.ones_like(ids))
    finally:
        for handle in handles:
            handle.remove()
    return list(after)
