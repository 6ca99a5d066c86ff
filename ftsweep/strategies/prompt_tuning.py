"""Prompt tuning (Lester et al. 2021, arXiv 2104.08691) through PEFT: learned embeddings before every input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from ftsweep.errors import ConfigError
from ftsweep.strategies.virtual_tokens import VirtualTokens

if TYPE_CHECKING:
    import torch
    from peft import PromptTuningConfig
    from torch import nn
    from transformers import PreTrainedModel

    from ftsweep.models.base import Head

_PEFT_INITS = {"vocabulary": "SAMPLE_VOCAB", "random": "RANDOM"}
_OUTPUTS = "_outputs_of_real_tokens"  # the attribute of PEFT's wrapper that holds the hooks


class PromptTuning(VirtualTokens):
    """Embeddings of virtual tokens train, and a new head in full."""

    def __init__(self, *, num_virtual_tokens: int = 20, init: Literal["vocabulary", "random"] = "vocabulary") -> None:
        """`init` vocabulary starts from the embeddings of tokens drawn from the vocabulary, random from noise."""
        super().__init__(num_virtual_tokens=num_virtual_tokens, init=init)

    def apply(self, base: PreTrainedModel, head: Head) -> PreTrainedModel:
        output_name = output_layer_name(base, head)
        model = super().apply(base, head)
        model.__dict__[_OUTPUTS] = RealOutputs(model, base, head, output_name, self.num_virtual_tokens)
        return model

    def remove(self, model: Any) -> PreTrainedModel:
        model.__dict__.pop(_OUTPUTS).end()
        return super().remove(model)

    def peft_config(self, base: PreTrainedModel, head: Head, fresh: Mapping[str, nn.Module]) -> PromptTuningConfig:
        from peft import PromptTuningConfig

        shared = self.shared_config(base, head, fresh)
        _check_takes_embeddings(base)
        return PromptTuningConfig(**shared, prompt_tuning_init=_PEFT_INITS[self.init])


class RealOutputs:
    """Hooks by which the layer that makes the logits sees real tokens only, for as long as PEFT's wrapper lives.

    PEFT puts the virtual tokens' embeddings before those of the input, so the layers return a vector for each of them
    too: more than there are labels. And a decoder that classifies reads its last token, which it cannot find, because
    it is given embeddings and no ids to tell padding by.
    """

    def __init__(
        self, model: Any, base: PreTrainedModel, head: Head, output_name: str | None, num_virtual: int
    ) -> None:
        self._num_virtual = num_virtual
        self._mask: torch.Tensor | None = None  # of the call under way, without the virtual tokens
        self._handles: list[Any] = []
        if output_name is not None:
            narrow = self._last_real if head == "sequence_classification" else self._all_real
            self._handles = [
                model.register_forward_pre_hook(self._begin, with_kwargs=True),
                model.register_forward_hook(self._finish, always_call=True),
                base.get_submodule(output_name).register_forward_pre_hook(narrow),
            ]

    def end(self) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()

    def _begin(self, _model: Any, args: tuple[Any, ...], keywords: Mapping[str, Any]) -> None:
        import torch

        ids, mask, *_ = (*args, None, None)  # PEFT's wrappers have them in this order
        mask = keywords.get("attention_mask", mask)
        self._mask = torch.ones_like(keywords.get("input_ids", ids)) if mask is None else mask

    def _finish(self, *_arguments: Any) -> None:
        self._mask = None

    def _all_real(self, _layer: Any, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (args[0][:, self._num_virtual :], *args[1:]) if self._has_virtual(args[0]) else args

    def _last_real(self, _layer: Any, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """Each row's last real token and nothing else: of what it is given the model takes the last."""
        import torch

        if not self._has_virtual(args[0]):
            return args
        assert self._mask is not None
        places = torch.arange(self._mask.shape[1], device=self._mask.device)
        last = (places * self._mask).argmax(dim=1) + self._num_virtual
        rows = torch.arange(len(last), device=last.device)
        return (args[0][rows, last].unsqueeze(1), *args[1:])

    def _has_virtual(self, hidden: torch.Tensor) -> bool:
        """Not while the adapter is off, nor while an answer is generated, when the wrapper is not called."""
        return self._mask is not None and hidden.shape[1] == self._mask.shape[1] + self._num_virtual


def _check_takes_embeddings(base: PreTrainedModel) -> None:
    """Refuse a model that cannot do without token ids (Longformer's classifier): it is asked with a few embeddings."""
    import torch

    embeddings: Any = base.get_input_embeddings()
    ids = torch.ones(1, 8, dtype=torch.long, device=embeddings.weight.device)
    try:
        with torch.no_grad():
            base(inputs_embeds=embeddings(ids), attention_mask=torch.ones_like(ids))
    except (TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"{type(base).__name__} takes no embeddings in the place of token ids, and virtual tokens have no ids",
            where="strategy",
            remedy="Choose strategy=lora for this model.",
        ) from error


def output_layer_name(base: PreTrainedModel, head: Head) -> str | None:
    """The layer that is given one vector per token; None for a classifier that pools them (an encoder's).

    Raises ConfigError when there must be one and it goes by no known name.
    """
    if head == "sequence_classification" and not _reads_last_token(base):
        return None
    if head == "causal_lm":
        output_layer = base.get_output_embeddings()
        found = (name for name, module in base.named_modules() if module is output_layer)
    else:
        known = ("score",) if head == "sequence_classification" else ("score", "classifier")
        found = (name for name, _ in base.named_children() if name in known)
    name: str | None = next(found, None)
    if name is None:
        raise ConfigError(
            f"the output layer of {type(base).__name__} is not where virtual tokens could be kept from it",
            where="strategy",
            remedy="Choose strategy=prefix_tuning or lora for this model.",
        )
    return name


def _reads_last_token(base: PreTrainedModel) -> bool:
    """Whether a classifier is a decoder, which pools by its last token."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING

    kind = type(base.config)
    return kind in MODEL_FOR_CAUSAL_LM_MAPPING and kind not in MODEL_FOR_MASKED_LM_MAPPING
