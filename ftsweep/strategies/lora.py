"""Low-rank adapters (LoRA, rank-stabilised LoRA, DoRA) through PEFT."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from ftsweep.errors import ConfigError, ModelError, suggest
from ftsweep.strategies.base import (
    Strategy,
    end_checkpointing,
    fresh_modules,
    redraw_fresh_modules,
    transformers_model,
)

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig
    from torch import nn
    from transformers import PreTrainedModel

    from ftsweep.models.base import Head

ADAPTER = "default"  # PEFT's own name for an adapter without one
WEIGHTS = "adapter_model.safetensors"
ALL_LINEAR = "all-linear"
PEFT_HEADS = ("classifier", "score")  # heads that PEFT trains and keeps without being told


class Lora(Strategy):
    """Adapters of one rank on the model's linear layers train, and a new head in full; the base stays as it is."""

    changes_base: ClassVar[bool] = False
    starts_as_base: ClassVar[bool] = True

    def __init__(
        self,
        *,
        rank: int = 8,
        alpha: float | None = None,
        dropout: float = 0.0,
        targets: Literal["all-linear"] | Sequence[str] = ALL_LINEAR,
        rslora: bool = False,
        dora: bool = False,
    ) -> None:
        """`alpha` null is twice the rank. `targets` are names of linear layers as their last part or in full."""
        if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
            raise ConfigError(f"must be a whole number of at least 1, not {rank!r}", where="strategy.rank")
        if alpha is not None and not alpha > 0:
            raise ConfigError(f"must be above 0, not {alpha!r}", where="strategy.alpha")
        if not 0 <= dropout < 1:
            raise ConfigError(f"must be at least 0 and below 1, not {dropout!r}", where="strategy.dropout")
        self.rank = rank
        self.alpha = 2 * rank if alpha is None else alpha
        self.dropout = dropout
        self.targets = _checked_targets(targets)
        self.rslora = rslora
        self.dora = dora

    def apply(self, base: PreTrainedModel, head: Head) -> PreTrainedModel:
        from peft import get_peft_model

        fresh = fresh_modules(base, head)
        config = self._config(base, head, fresh)
        own = {name: _copy_of_weights(module) for name, module in fresh.items()}
        redraw_fresh_modules(base, head)
        with _without_peft_noise():
            model = get_peft_model(base, config, adapter_name=ADAPTER)
        for name, wrapper in _trained_in_full(base).items():
            if name in own:  # what was drawn is now in the trained copy
                wrapper.original_module.load_state_dict(own[name])
            _train_in_float32(wrapper.modules_to_save[ADAPTER])
        return cast("PreTrainedModel", model)  # PEFT's wrapper answers as the model does

    def remove(self, model: Any) -> PreTrainedModel:
        base: PreTrainedModel = transformers_model(model)
        end_checkpointing(base)
        # PEFT's unload leaves the trained copy of a head in the place of the base's own.
        own = {name: wrapper.original_module for name, wrapper in _trained_in_full(base).items()}
        model.unload()
        for name, module in own.items():
            base.set_submodule(name, module)
        return base.requires_grad_(False)

    def save(self, model: PreTrainedModel, folder: Path) -> None:
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        # Not PEFT's save_pretrained: it asks the model hub about the base, and writes a model card.
        weights = {name: tensor.contiguous() for name, tensor in _adapter_weights(model).items()}
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
        config = model.peft_config[ADAPTER]
        is_training, config.inference_mode = config.inference_mode, True
        config.save_pretrained(folder)
        config.inference_mode = is_training

    def restore(self, model: PreTrainedModel, folder: Path) -> None:
        from peft import set_peft_model_state_dict
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = folder / WEIGHTS
        try:
            weights = load_file(path, device=str(transformers_model(model).device))
        except (OSError, SafetensorError) as error:
            raise ModelError(f"cannot be read as an adapter: {error}", where=str(path)) from error
        expected = {name: tensor.shape for name, tensor in _adapter_weights(model).items()}
        if expected != {name: tensor.shape for name, tensor in weights.items()}:
            raise ModelError("holds an adapter of another rank, other layers or another head", where=str(path))
        set_peft_model_state_dict(model, weights, adapter_name=ADAPTER)

    def _config(self, base: PreTrainedModel, head: Head, fresh: dict[str, nn.Module]) -> LoraConfig:
        from peft import LoraConfig, TaskType
        from transformers.pytorch_utils import Conv1D

        task_types = {
            "causal_lm": TaskType.CAUSAL_LM,
            "sequence_classification": TaskType.SEQ_CLS,
            "token_classification": TaskType.TOKEN_CLS,
        }
        linear = linear_layers(base, fresh)
        names = self._target_names(linear)
        return LoraConfig(
            task_type=task_types[head],
            r=self.rank,
            lora_alpha=self.alpha,  # type: ignore[arg-type]  # PEFT divides it by the rank
            lora_dropout=self.dropout,
            target_modules=names,
            modules_to_save=[name for name in fresh if name not in PEFT_HEADS] or None,
            use_rslora=self.rslora,
            use_dora=self.dora,
            fan_in_fan_out=any(isinstance(linear[name], Conv1D) for name in names),
        )

    def _target_names(self, linear: dict[str, nn.Module]) -> list[str]:
        """Full names of the layers that get an adapter."""
        if not linear:
            raise ConfigError("the model has no linear layers for adapters", where="strategy")
        if isinstance(self.targets, str):
            return list(linear)
        chosen: list[str] = []
        for target in self.targets:
            matches = [name for name in linear if name == target or name.endswith(f".{target}")]
            if not matches:
                raise ConfigError(
                    f"{target!r} is no linear layer of this model",
                    where="strategy.targets",
                    remedy=suggest(target, {name.rpartition(".")[2] for name in linear}),
                )
            chosen.extend(matches)
        return list(dict.fromkeys(chosen))


def linear_layers(base: PreTrainedModel, fresh: dict[str, nn.Module]) -> dict[str, nn.Module]:
    """Linear layers by full name, without the output layer over the vocabulary and without new modules."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    output_layer = base.get_output_embeddings()
    return {
        name: module
        for name, module in base.named_modules()
        if isinstance(module, nn.Linear | Conv1D)
        and module is not output_layer
        and not any(name == new or name.startswith(f"{new}.") for new in fresh)
    }


def _trained_in_full(base: PreTrainedModel) -> dict[str, Any]:
    """PEFT's wrappers (the base's own module and the copy that trains) by the name of what they wrap."""
    from peft.utils import ModulesToSaveWrapper

    return {name: module for name, module in base.named_modules() if isinstance(module, ModulesToSaveWrapper)}


def _checked_targets(targets: str | Sequence[str]) -> str | tuple[str, ...]:
    if targets == ALL_LINEAR:
        return ALL_LINEAR
    if isinstance(targets, str) or not targets or not all(isinstance(name, str) and name for name in targets):
        raise ConfigError(
            f"must be {ALL_LINEAR!r} or a list of names of linear layers, not {targets!r}", where="strategy.targets"
        )
    return tuple(targets)


def _adapter_weights(model: Any) -> dict[str, torch.Tensor]:
    from peft import get_peft_model_state_dict

    return dict(get_peft_model_state_dict(model, adapter_name=ADAPTER, save_embedding_layers=False))


def _copy_of_weights(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def _train_in_float32(module: nn.Module) -> None:
    """Hold a trained copy in float32 like the adapters, whatever arrives from a bfloat16 base."""

    def cast(_module: nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return tuple(value.float() for value in args)

    module.float()
    module.register_forward_pre_hook(cast)


@contextmanager
def _without_peft_noise() -> Iterator[None]:
    """PEFT asks transformers by a name that transformers 5 calls deprecated."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        yield
