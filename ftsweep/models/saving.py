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

    `weights` are those to write, where it is not all of them.
    """
    with _without_progress_bar():
        model.save_pretrained(folder, state_dict=weights, max_shard_size="1000TB", save_original_format=False)


@contextmanager
def _without_progress_bar() -> Iterator[None]:
    from transformers.utils.logging import set_tqdm_hook

    previous = set_tqdm_hook(lambda factory, args, keywords: factory(*args, **{**keywords, "disable": True}))
    try:
        yield
    finally:
        set_tqdm_hook(previous)
