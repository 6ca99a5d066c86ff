"""How many tokens a model takes that looks positions up in a table.

Beyond the table's end such a model fails in the middle of a trial. Others compute positions (rotary, relative, ALiBi)
and take any number.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

_TABLES = frozenset({"position_embedding", "position_embeddings", "positions_embed", "embed_positions", "wpe"})
"""What transformers calls such tables."""

_known: dict[str, int | None] = {}
"""By configuration: building a model takes a while, even one without weights."""


def num_positions(config: PreTrainedConfig) -> int | None:
    """The rows of the smallest table that tokens have; None for a model without one.

    It is what the architecture builds, without weights: config.json counts rows in several ways (RoBERTa's tables begin
    behind the padding token's row, OPT's and BART's have two more than they say).
    """
    key = config.to_json_string(use_diff=False)
    if key not in _known:
        _known[key] = _num_positions(deepcopy(config))  # what is built writes into its configuration
    return _known[key]


def _num_positions(config: PreTrainedConfig) -> int | None:
    import torch
    from torch import nn
    from transformers import AutoModel

    try:
        config = config.get_text_config()  # a vision tower has positions of its own, which texts do not take
        with torch.device("meta"):
            model = AutoModel.from_config(config)
    except (AttributeError, ImportError, KeyError, RuntimeError, TypeError, ValueError):  # whoever loads it hears why
        return None
    limits = []
    for name, table in model.named_modules():
        if isinstance(table, nn.Embedding) and name.rpartition(".")[2] in _TABLES:
            before = 0 if table.padding_idx is None else table.padding_idx + 1
            limits.append(table.num_embeddings - getattr(table, "offset", before))
    if not limits:
        return None
    return min([*limits, getattr(config, "max_position_embeddings", None) or limits[0]])
