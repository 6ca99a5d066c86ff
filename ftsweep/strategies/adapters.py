"""What all strategies that go through PEFT share: wrapping the base, unwrapping it, and the files of an adapter."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from ftsweep.errors import ConfigError, ModelError, suggest
from ftsweep.models.inner import transformers_model
from ftsweep.strategies.base import (
    Strategy,
    end_checkpointing,
    fresh_modules,
    redraw_fresh_modules,
)
from ftsweep.strategies.trained_part import train_in_float32

if TYPE_CHECKING:
    import torch
    from peft import PeftConfig
    from torch import nn
    from transformers import PreTrainedModel

    from ftsweep.models.base import Head

ADAPTER = "default"  # PEFT's own name for an adapter without one
WEIGHTS = "adapter_model.safetensors"
_MAGNITUDE = ".lora_magnitude_vector"
PEFT_HEADS = ("classifier", "score")  # heads that PEFT trains and keeps without being told


class PeftStrategy(Strategy):
    """New weights beside a frozen base train, and a new head in full."""

    changes_base: ClassVar[bool] = False

    @abstractmethod
    def peft_config(self, base: PreTrainedModel, head: Head, fresh: Mapping[str, nn.Module]) -> PeftConfig:
        """PEFT's settings for this base; `fresh` are the modules that no checkpoint brought."""

    def apply(self, base: PreTrainedModel, head: Head) -> PreTrainedModel:
        from peft import get_peft_model

        fresh = fresh_modules(base, head)
        config = self.peft_config(base, head, fresh)
        own = {name: _copy_of_weights(module) for name, module in fresh.items()}
        redraw_fresh_modules(base, head)
        with _without_peft_noise():
            model = get_peft_model(base, config, adapter_name=ADAPTER)
        for name, wrapper in _trained_in_full(base).items():
            if name in own:  # what was drawn is now in the trained copy
                wrapper.original_module.load_state_dict(own[name])
            train_in_float32(wrapper.modules_to_save[ADAPTER])
        return cast("PreTrainedModel", model)  # PEFT's wrapper answers as the model does

    def remove(self, model: Any) -> PreTrainedModel:
        base: PreTrainedModel = transformers_model(model)
        end_checkpointing(base)
        # First: PEFT's unload would leave the trained copy of a head in the place of the base's own.
        for name, wrapper in _trained_in_full(base).items():
            base.set_submodule(name, wrapper.original_module)
        if not model.active_peft_config.is_prompt_learning:  # virtual tokens stand beside the base, not in it
            model.unload()
        return base.requires_grad_(False)

    def merged(self, model: Any) -> PreTrainedModel:
        base = transformers_model(model)
        end_checkpointing(base)
        for name, wrapper in _trained_in_full(base).items():  # PEFT knows how to take out single layers only
            base.set_submodule(name, wrapper.modules_to_save[ADAPTER])
        whole: PreTrainedModel = model.merge_and_unload()
        return whole

    def save(self, model: PreTrainedModel, folder: Path) -> None:
        write_adapter(folder, adapter_weights(model), model.peft_config[ADAPTER])

    def restore(self, model: PreTrainedModel, folder: Path) -> None:
        load_adapter(model, read_adapter(model, folder), folder)

    def base_answers(self, model: PreTrainedModel) -> Callable[[], AbstractContextManager[PreTrainedModel]]:
        return lambda: self._without_adapter(model)

    @contextmanager
    def _without_adapter(self, model: Any) -> Iterator[PreTrainedModel]:
        """The model without its adapter and in eval mode, for the length of the block."""
        with model.disable_adapter():
            model.eval()
            try:
                yield model
            finally:
                self.set_training(model)


def adapter_weights(model: Any) -> dict[str, torch.Tensor]:
    """What an adapter's file holds, by PEFT's names.

    DoRA's magnitudes have the name of their parameter: PEFT reads it as well as its own, older one, which transformers
    passes over, so that it would answer with the magnitudes of the base.
    """
    from peft import get_peft_model_state_dict

    weights = get_peft_model_state_dict(model, adapter_name=ADAPTER, save_embedding_layers=False)
    return {f"{name}.weight" if name.endswith(_MAGNITUDE) else name: weight for name, weight in weights.items()}


def write_adapter(folder: Path, weights: Mapping[str, torch.Tensor], config: Any) -> None:
    """Write the two files that PEFT loads; `config` is its own."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    # Not PEFT's save_pretrained: it asks the model hub about the base, and writes a model card.
    contiguous = {name: tensor.contiguous() for name, tensor in weights.items()}
    save_file(contiguous, folder / WEIGHTS, metadata={"format": "pt"})
    is_training, config.inference_mode = config.inference_mode, True
    config.save_pretrained(str(folder))
    config.inference_mode = is_training


def read_adapter(model: PreTrainedModel, folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of an adapter's file, on the model's device. Raises ModelError when it cannot be read."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / WEIGHTS
    try:
        return load_file(path, device=str(transformers_model(model).device))
    except (OSError, SafetensorError) as error:
        raise ModelError(f"cannot be read as an adapter: {error}", where=str(path)) from error


def load_adapter(model: PreTrainedModel, weights: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Put read tensors into the adapter. Raises ModelError when they are those of another one."""
    from peft import set_peft_model_state_dict

    expected = {name: tensor.shape for name, tensor in adapter_weights(model).items()}
    if expected != {name: tensor.shape for name, tensor in weights.items()}:
        where = str(folder / WEIGHTS)
        raise ModelError("holds an adapter of another rank, size or kind, of other layers or another head", where=where)
    set_peft_model_state_dict(model, dict(weights), adapter_name=ADAPTER)


def linear_layers(base: PreTrainedModel, fresh: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Linear layers by full name, without the output layer over the vocabulary and without new modules; of a model that
    sees pictures, too, those of its language model.

    Raises ConfigError where there are none (I-BERT's are quantised).
    """
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    output_layer, text = base.get_output_embeddings(), base.config.get_text_config()
    of_text = (name for name, module in base.named_modules() if getattr(module, "config", None) is text)
    within = "" if text is base.config else next(of_text, "")
    found: dict[str, nn.Module] = {
        name: module
        for name, module in base.named_modules()
        if isinstance(module, nn.Linear | Conv1D)
        and (name.startswith(within) or "." not in name)  # a head stands beside
        and module is not output_layer
        and not any(name == new or name.startswith(f"{new}.") for new in fresh)
    }
    if not found:
        raise ConfigError(
            f"{type(base).__name__} has no linear layers for adapters",
            where="strategy",
            remedy="Choose strategy=full, top_layers or head for this model.",
        )
    return found


def lora_layers(model: Any) -> dict[str, Any]:
    """PEFT's LoRA layers by the name under which it saves their weights."""
    from peft.tuners.lora import LoraLayer

    return {name: module for name, module in model.named_modules() if isinstance(module, LoraLayer)}


def matching_layers(targets: Sequence[str], linear: Mapping[str, nn.Module], *, where: str) -> list[str]:
    """Full names of the linear layers that are named by their last part or in full.

    Raises ConfigError for a name that no layer has.
    """
    chosen: list[str] = []
    for target in targets:
        matches = [name for name in linear if name == target or name.endswith(f".{target}")]
        if not matches:
            raise ConfigError(
                f"{target!r} is no linear layer of this model",
                where=where,
                remedy=suggest(target, {name.rpartition(".")[2] for name in linear}),
            )
        chosen.extend(matches)
    return list(dict.fromkeys(chosen))


def checked_names(names: Sequence[str] | str, *, where: str, instead: str) -> tuple[str, ...]:
    """Names of layers as a tuple, or ConfigError when they are no list of names; `instead` is what else may stand."""
    if isinstance(names, str) or not names or not all(isinstance(name, str) and name for name in names):
        raise ConfigError(f"must be {instead!r} or a list of names of linear layers, not {names!r}", where=where)
    return tuple(names)


def stores_transposed(layers: Sequence[nn.Module]) -> bool:
    """Whether weights lie as [in, out] (GPT-2's Conv1D)."""
    from transformers.pytorch_utils import Conv1D

    return any(isinstance(layer, Conv1D) for layer in layers)


def task_type(head: Head) -> Any:
    """PEFT's word for a head; None for masked words, of which it has no class and needs none."""
    from peft import TaskType

    return {
        "masked_lm": None,
        "causal_lm": TaskType.CAUSAL_LM,
        "sequence_classification": TaskType.SEQ_CLS,
        "token_classification": TaskType.TOKEN_CLS,
    }[head]


def other_modules(fresh: Mapping[str, nn.Module]) -> list[str] | None:
    """New modules that PEFT must be told to train in full."""
    return [name for name in fresh if name not in PEFT_HEADS] or None


def _trained_in_full(base: PreTrainedModel) -> dict[str, Any]:
    """PEFT's wrappers (the base's own module and the copy that trains) by the name of what they wrap."""
    from peft.utils import ModulesToSaveWrapper

    return {name: module for name, module in base.named_modules() if isinstance(module, ModulesToSaveWrapper)}


def _copy_of_weights(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


@contextmanager
def _without_peft_noise() -> Iterator[None]:
    """PEFT asks transformers by a name that transformers 5 calls deprecated."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        yield
