from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from transformers import DynamicCache, masking_utils

from ftsweep.models.cache_argument import _name, cache_argument, with_cache
from ftsweep.testing.random_models import random_llama


def before(input_ids: Any = None, past_key_values: Any = None) -> Any:
    return past_key_values


def since(input_ids: Any = None, cache: Any = None) -> Any:
    return cache


def without(input_ids: Any = None) -> None:
    """As a model that keeps nothing."""


@pytest.mark.parametrize(("forward", "other"), [(before, since), (since, before)])
def test_a_cache_is_given_by_the_name_that_transformers_has_in_masks_too(
    monkeypatch: pytest.MonkeyPatch, forward: Any, other: Any
) -> None:
    monkeypatch.setattr(masking_utils, "create_causal_mask", forward)
    _name.cache_clear()
    assert forward(**with_cache(forward, "kept")) == "kept"
    for function in (without, other):  # what has the other name is something of a model's own, as XLM's
        assert cache_argument(function) is None
        with pytest.raises(TypeError, match="takes no keys and values"):
            with_cache(function, None)
    _name.cache_clear()


def test_models_of_transformers_name_it_and_fill_it_without_a_warning() -> None:
    body, cache = random_llama().model, DynamicCache()
    assert cache_argument(body.forward) in inspect.signature(body.forward).parameters
    with torch.no_grad():
        body(input_ids=torch.ones(1, 3, dtype=torch.long), **with_cache(body.forward, cache), use_cache=True)
    assert cache.get_seq_length() == 3
