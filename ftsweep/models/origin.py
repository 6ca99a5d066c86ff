"""Where a model's files come from, and how what transformers says of them is told.

No code of a model's repository is run (`trust_remote_code` is off).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ftsweep.errors import ModelError

_NEEDS_PACKAGE = ("`tiktoken` is required", "SentencePiece library")
"""What transformers raises without the package: it tries one after another, and tells of the last one alone."""


@dataclass(frozen=True)
class Origin:
    """What `from_pretrained` is given, and how messages name it."""

    name: str
    """A folder's path or a name on the hub."""
    where: str
    """The key and value a person would change: `model.path=/models/x`."""
    revision: str | None = None

    def arguments(self) -> dict[str, Any]:
        keywords: dict[str, Any] = {"pretrained_model_name_or_path": self.name, "trust_remote_code": False}
        return keywords if self.revision is None else {**keywords, "revision": self.revision}

    def error(self, what: str, remedy: str) -> ModelError:
        return ModelError(what, where=self.where, remedy=remedy)


def load_config(origin: Origin) -> Any:
    """What config.json says: a `PreTrainedConfig` of its model type."""
    from transformers import AutoConfig

    with failures_told(origin, "configuration"), quiet():
        return AutoConfig.from_pretrained(**origin.arguments())


@contextmanager
def failures_told(origin: Origin, part: str) -> Iterator[None]:
    """Turn what transformers raises into one paragraph."""
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError

    told = (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, SafetensorError, StrictDataclassError)
    try:
        yield
    except told as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__).strip()
        if "trust_remote_code" in str(error):
            raise origin.error(
                "the model needs code from its own repository, which ftsweep does not run",
                "Choose a model whose architecture is part of transformers.",
            ) from error
        if part == "tokenizer" and any(word in str(error) for word in _NEEDS_PACKAGE):
            raise origin.error(
                "the tokenizer has no tokenizer.json, and what it has is read by a package that is not installed",
                "Install it: pip install tiktoken (or sentencepiece, where that is the vocabulary's kind).",
            ) from error
        raise origin.error(
            f"the {part} cannot be loaded: {reason}",
            f"Check that the {part} there {'are' if part.endswith('s') else 'is'} whole and of this version.",
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and no word of absent weights: who loads a model judges these itself.

    Other messages of transformers, its verbosity and its settings stay as they were.
    """
    from transformers.utils.logging import get_logger, set_tqdm_hook

    source = get_logger("transformers.modeling_utils")
    previous = set_tqdm_hook(lambda factory, args, keywords: factory(*args, **{**keywords, "disable": True}))
    silence = _NoLoadReport()
    source.addFilter(silence)
    try:
        yield
    finally:
        source.removeFilter(silence)
        set_tqdm_hook(previous)


class _NoLoadReport(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        told = record.getMessage()
        return "LOAD REPORT" not in told and "tied weights mapping" not in told
