"""Writes whole models as transformers reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def save_whole(model: PreTrainedModel, folder: Path, weights: dict[str, Any] | None = None) -> None:
    """Write config.json and one safetensors file with the names that the model itself uses.

    `weights` are those to write, where it is not all of them. The files say that it keeps a key-value cache, without
    which it was held in training alone.
    """
    with _without_progress_bar(), _with_cache(model):
        model.save_pretrained(folder, state_dict=weights, max_shard_size="1000TB", save_original_format=False)


@contextmanager
def _with_cache(model: PreTrainedModel) -> Iterator[None]:
    configs: list[Any] = [model.config, model.config.get_text_config()]
    without = [config for config in configs if getattr(config, "use_cache", None) is False]
    for config in without:
        config.use_cache = True
    try:
        yield
    finally:
        for config in without:
            config.use_cache = False


@contextmanager
def _without_progress_bar() -> Iterator[None]:
    from transformers.utils.logging import set_tqdm_hook

    previous = set_tqdm_hook(lambda factory, args, keywords: factory(*args, **{**keywords, "disable": True}))
    try:
        yield
    finally:
        set_tqdm_hook(previous)
