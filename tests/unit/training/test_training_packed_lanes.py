from __future__ import annotations

from typing import Any

import pytest
from transformers import CONFIG_MAPPING, AutoModelForSequenceClassification

from ftsweep.training.lanes.conductor import NoLaneError
from ftsweep.training.lanes.packed import PackedConductor

SMALL: dict[str, Any] = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 16,
    "pad_token_id": 0,
    "eos_token_id": 2,
}
EXPERTS = {**SMALL, "num_local_experts": 4, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8}
OWN: dict[str, dict[str, Any]] = {
    "jetmoe": {**EXPERTS, "kv_channels": 8},
    "mixtral": EXPERTS,
    "qwen3_moe": {**EXPERTS, "head_dim": 8},
    "t5": {"vocab_size": 60, "d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2},
}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("jetmoe", "experts"),
        ("mixtral", "experts"),
        ("qwen3_moe", "experts"),
        ("starcoder2", "its attention is not over the whole row"),
        ("t5", "encoder-decoder"),
    ],
)
def test_a_body_whose_tokens_are_not_computed_one_by_one_is_refused(kind: str, reason: str) -> None:
    config = CONFIG_MAPPING[kind](**OWN.get(kind, {**SMALL, "sliding_window": 8}))
    with pytest.raises(NoLaneError, match=reason):
        PackedConductor(AutoModelForSequenceClassification.from_config(config, attn_implementation="sdpa"))


@pytest.mark.parametrize("kind", ["bert", "distilbert", "gemma", "llama", "nomic_bert", "stablelm"])
def test_bodies_of_other_families_are_shared(kind: str) -> None:
    config = CONFIG_MAPPING[kind](**SMALL, **({"head_dim": 8} if kind == "gemma" else {}))
    PackedConductor(AutoModelForSequenceClassification.from_config(config))
