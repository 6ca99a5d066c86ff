"""What a model's own generation_config.json says, left out for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ftsweep.models.inner import transformers_model


@contextmanager
def without_own_settings(model: Any, **settings: Any) -> Iterator[None]:
    """In the block the model's generation_config.json says `settings` alone, and so does that of the model in PEFT's
    wrapper: what a call leaves unsaid would come from there (`no_repeat_ngram_size`, `suppress_tokens`, ...).
    """
    from transformers import GenerationConfig

    kept = [(each, each.generation_config) for each in (model, transformers_model(model))]
    try:
        for each, _ in kept:
            each.generation_config = GenerationConfig(**settings)
        yield
    finally:
        for each, own in kept:
            each.generation_config = own
