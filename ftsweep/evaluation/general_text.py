"""General text of a sweep (the `general` node), prepared for a tokenizer: what replay draws from, and what is held out
of it to measure how well a model still predicts text at large."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ftsweep.data.prepared import PreparedSet, prepare
from ftsweep.data.sources.known import KnownSources
from ftsweep.errors import ConfigError, DataError
from ftsweep.evaluation.evaluate import Evaluator, SplitScores
from ftsweep.tasks.base import Task
from ftsweep.tasks.masked_text import MaskedText
from ftsweep.tasks.text import Text

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ftsweep.data.encoded import EncodedSplit
    from ftsweep.models.base import ModelSource

LENGTH = 512
NUM_TOKENS = 64 * LENGTH
"""Tokens of held-out general text that a model is measured on."""

_SEED = 0x6E11E8A1


@dataclass(frozen=True)
class GeneralText:
    """General text as examples of a tokenizer: `train` for replay, `validation` is held out of it."""

    task: Text
    prepared: PreparedSet
    num_tokens: int = NUM_TOKENS

    @property
    def replay(self) -> EncodedSplit:
        return self.prepared.split("train")

    @property
    def probe(self) -> np.ndarray:
        """Held-out examples of about `num_tokens` tokens, the same for every trial: sorted indices."""
        lengths = self.prepared.split("validation").lengths
        order = np.random.default_rng(_SEED).permutation(len(lengths))
        before = np.cumsum(lengths[order]) - lengths[order]
        return np.sort(order[before < self.num_tokens])

    def score(self, model: PreTrainedModel, evaluator: Evaluator) -> SplitScores:
        """Loss and perplexity on the held-out text, and every document's; device and precision are the evaluator's."""
        own = replace(evaluator, task=self.task, schema={})
        return own.score(model, self.prepared.split("validation"), self.probe)


def held_out_text(
    config: Mapping[str, Any],
    source: ModelSource,
    tokenizer: PreTrainedTokenizerBase,
    cache: Path,
    sources: KnownSources | None = None,
    *,
    is_masked: bool = False,
) -> GeneralText | None:
    """The general text of a trial's configuration to measure on; None when the configuration names none.

    One document to an example, so that every architecture can be measured, cut at 512 tokens; for a model of short
    inputs at half of what it takes, so that virtual tokens have room too. `is_masked`: with words masked, for encoders.
    """
    length = min(LENGTH, tokenizer.model_max_length // 2)
    task = MaskedText(max_length=length, packed=False) if is_masked else Text(max_length=length, packed=False)
    return _prepared_text(config, task, source, tokenizer, cache, sources)


def replay_text(
    config: Mapping[str, Any],
    task: Task,
    source: ModelSource,
    tokenizer: PreTrainedTokenizerBase,
    cache: Path,
    sources: KnownSources | None = None,
) -> EncodedSplit | None:
    """General text as training examples of this task; None when `training.replay` is 0.

    Raises:
        ConfigError: the task is not one of next tokens, or the configuration names no general text.
    """
    if config["training"]["replay"] == 0:
        return None
    if not task.takes_text:
        raise ConfigError("general text cannot be mixed into this task", where="training.replay", remedy="Set it to 0.")
    packed = task.packed if isinstance(task, Text) else False  # only Text keeps packed documents apart
    kind = MaskedText if isinstance(task, MaskedText) else Text
    text = _prepared_text(config, kind(max_length=task.max_length, packed=packed), source, tokenizer, cache, sources)
    if text is None:
        raise ConfigError("there is no general text to replay", where="general", remedy="Choose data@general=topics.")
    return text.replay


def _prepared_text(
    config: Mapping[str, Any],
    task: Text,
    source: ModelSource,
    tokenizer: PreTrainedTokenizerBase,
    cache: Path,
    sources: KnownSources | None,
) -> GeneralText | None:
    if config["general"] is None:
        return None
    sources = KnownSources() if sources is None else sources
    kind = "MaskedText" if isinstance(task, MaskedText) else "Text"
    node = {"_target_": f"ftsweep.tasks.{kind}", "max_length": task.max_length, "packed": task.packed}
    try:
        prepared = prepare(
            config={"data": sources.named(config["general"]), "task": node, "seed": config["seed"]},
            source=sources.data(config["general"]),
            task=task,
            tokenizer=tokenizer,
            tokenizer_fingerprint=source.fingerprint(),
            cache=cache,
        )
    except DataError as error:
        error.where = f"general: {error.where or 'data'}"
        raise
    return GeneralText(task, prepared)
