"""The built components of one job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftsweep.data.encoded import EncodedSplit
from ftsweep.data.prepared import PreparedSet
from ftsweep.models.base import ModelSource
from ftsweep.strategies.base import Strategy
from ftsweep.tasks.base import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Parts:
    """What a trial is made of: the model's source and tokenizer, task, strategy, and the data as prepared for them."""

    source: ModelSource
    tokenizer: PreTrainedTokenizerBase
    task: Task
    strategy: Strategy
    prepared: PreparedSet
    replay: EncodedSplit | None = None
    """General text that is mixed into what it trains on."""
    stage_result: ModelSource | None = None
    """What the last of a trial's stages left."""

    @property
    def base(self) -> ModelSource:
        """Where the weights come from; `source` has the same tokenizer."""
        return self.source if self.stage_result is None else self.stage_result
