"""What a model source promises. Torch and transformers are imported inside methods: control builds these too."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ftsweep.domain.component import Component
from ftsweep.errors import ConfigError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Head = Literal["causal_lm", "masked_lm", "sequence_classification", "token_classification"]
LANGUAGE_HEADS: frozenset[Head] = frozenset({"causal_lm", "masked_lm"})
"""Heads over the vocabulary, which a base comes with. Only one for masked words may be absent from its files: all but
its output layer, which is tied to the embeddings, is then drawn."""

Quantisation = Literal["nf4"]
"""How a frozen base may be held in fewer bits: 4-bit NormalFloat, through bitsandbytes."""

DTYPES = ("auto", "float32", "bfloat16")


def check_dtype(dtype: str) -> str:
    """The dtype itself, or ConfigError: for constructors, which may not import torch."""
    if dtype not in DTYPES:
        raise ConfigError(f"{dtype!r} is no dtype", where="model.dtype", remedy=f"Use one of {', '.join(DTYPES)}.")
    return dtype


class ModelSource(Component, ABC):
    """A base model and its tokenizer, before any fine-tuning.

    The constructor's keyword-only arguments are the schema of the `model` node. It must not import torch, must not
    touch the network and must raise ConfigError for a value it cannot honour.
    """

    component_kind = "model"

    dtype: str = "auto"
    """`auto`, `float32` or `bfloat16`: the type the frozen base is held in; auto is bfloat16 on CUDA, else float32."""

    lasts: ClassVar[bool] = True
    """Whether the model stays what and where it is. Of one that does not (another study's), what is made of it is
    exported whole, and a study that goes on makes sure that it is still the same."""

    @abstractmethod
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer, with a padding token set. Raises ModelError when it cannot be loaded."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A short hash that changes when weights or tokenizer change; computed without loading them."""

    @abstractmethod
    def load(
        self,
        head: Head,
        *,
        labels: Sequence[str] | None,
        dtype: torch.dtype,
        device: torch.device,
        quantisation: Quantisation | None = None,
    ) -> PreTrainedModel:
        """The pre-trained model with this head, in eval mode. `labels` sets the head's size and id2label.

        With `quantisation` the backbone's linear layers are held in fewer bits, and `dtype` is what they compute in.
        New weights (a classification head, one for masked words that the files lack) are drawn from torch's current
        generator, so that the caller's seed decides.
        Raises ModelError when the architecture has no such head or the weights cannot be loaded.
        """

    @abstractmethod
    def reference(self) -> dict[str, Any]:
        """The `model` node (with `_target_`) that rebuilds this source elsewhere; written beside exported adapters."""
