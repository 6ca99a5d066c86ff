"""The built components of one configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ftsweep.data.encoded import EncodedSplit
from ftsweep.data.prepared import PreparedSet
from ftsweep.models.base import ModelSource
from ftsweep.strategies.base import Strategy
from ftsweep.tasks.base import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Filled(Protocol):
    """Numbers that are computed when they are first needed, or now by `values`."""

    def values(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class TrialParts:
    """What a trial is made of: its configuration, and what was built of it: model source, task, strategy, data."""

    config: Mapping[str, Any]
    cache: Path
    source: ModelSource
    tokenizer: PreTrainedTokenizerBase
    task: Task
    strategy: Strategy
    prepared: PreparedSet
    replay: EncodedSplit | None = None
    """General text that is mixed into what it trains on."""
    reference: Filled | None = None
    """Of a task that compares with the model that training starts from: what that says, which `prepared` holds."""
    stage_result: ModelSource | None = None
    """What the last of a trial's stages left."""

    @property
    def base(self) -> ModelSource:
        """Where the weights come from; `source` has the same tokenizer."""
        return self.source if self.stage_result is None else self.stage_result
