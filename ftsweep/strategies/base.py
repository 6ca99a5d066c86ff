"""What a strategy promises: which weights train, and what of them is kept. Torch is imported inside methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ftsweep.models.base import Head


class Strategy(ABC):
    """How a model is fine-tuned. The constructor's keyword-only arguments are the schema of the `strategy` node."""

    changes_base: ClassVar[bool]
    """Whether training writes into the base's own weights (full), so that they must be put back after the trial."""

    @abstractmethod
    def apply(self, base: PreTrainedModel, head: Head) -> PreTrainedModel:
        """Make the model that trains: adapters added, `requires_grad` set on exactly what trains.

        New weights are drawn from torch's current generator. Raises ConfigError when the model has no such modules.
        """

    @abstractmethod
    def remove(self, model: PreTrainedModel) -> PreTrainedModel:
        """The inverse of `apply`: the base without adapters. (Changed base weights are put back by the caller.)"""

    @abstractmethod
    def save(self, model: PreTrainedModel, folder: Path) -> None:
        """Write what training changed, as safetensors, in the format of PEFT or transformers."""

    @abstractmethod
    def restore(self, model: PreTrainedModel, folder: Path) -> None:
        """Load what `save` wrote into a model that `apply` made."""
