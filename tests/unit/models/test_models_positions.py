from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModel

from ftsweep.models.local import LocalModel
from ftsweep.models.positions import num_positions
from ftsweep.testing.random_models import byte_tokenizer, random_bert, random_llama

SMALL = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 20,
    "pad_token_id": 1,
}
TABLES: dict[str, dict[str, Any]] = {
    "bert": {},
    "roberta": {},
    "mpnet": {},
    "distilbert": {"hidden_dim": 16},
    "electra": {"embedding_size": 16},
    "nystromformer": {"segment_means_seq_len": 20, "num_landmarks": 20},
    "gpt2": {},
    "openai-gpt": {},
    "gpt_neo": {"num_layers": 1, "num_heads": 2, "attention_types": [[["global"], 1]]},
    "gpt_bigcode": {},
    "opt": {"ffn_dim": 16, "word_embed_proj_dim": 16},
    "biogpt": {},
    "bart": {"encoder_layers": 1, "decoder_layers": 1, "d_model": 16, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16,
             "encoder_attention_heads": 2, "decoder_attention_heads": 2},
}  # fmt: skip


@pytest.mark.parametrize("kind", TABLES)
def test_a_model_with_a_table_of_positions_takes_so_many_tokens_and_not_one_more(kind: str) -> None:
    config = CONFIG_MAPPING[kind](**{**SMALL, **TABLES[kind]})
    limit = num_positions(config)
    assert limit is not None
    model = AutoModel.from_config(config).eval()
    with torch.no_grad():
        model(torch.full((1, limit), 5))
        with pytest.raises((RuntimeError, IndexError)):
            model(torch.full((1, limit + 1), 5))


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("llama", {}),
        ("gpt_neox", {}),
        ("bloom", {}),
        ("mamba2", {"num_heads": 4, "head_dim": 8, "n_groups": 1, "state_size": 4}),
        ("t5", {"d_kv": 8, "num_heads": 2}),
        ("deberta-v2", {"relative_attention": True, "position_biased_input": False, "pos_att_type": ["p2c", "c2p"]}),
    ],
)
def test_a_model_that_computes_positions_has_no_limit(kind: str, settings: dict[str, Any]) -> None:
    assert num_positions(CONFIG_MAPPING[kind](**{**SMALL, **settings})) is None


def test_the_positions_of_a_vision_tower_do_not_count() -> None:
    vision = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    assert num_positions(CONFIG_MAPPING["gemma3"](text_config={**SMALL, "head_dim": 8}, vision_config=vision)) is None


def test_what_cannot_be_built_is_left_to_whoever_loads_it() -> None:
    assert num_positions(CONFIG_MAPPING["bert"](**{**SMALL, "num_attention_heads": 3})) is None


@pytest.mark.parametrize(("said", "limit"), [(None, 512), (2048, 512), (300, 300)])
def test_a_tokenizer_takes_no_more_than_its_model(tmp_path: Path, said: int | None, limit: int) -> None:
    assert _saved(random_bert(), tmp_path, said).tokenizer().model_max_length == limit


def test_a_tokenizer_of_a_model_that_computes_positions_is_left_as_it_is(tmp_path: Path) -> None:
    assert _saved(random_llama(), tmp_path, 4096).tokenizer().model_max_length == 4096
    assert _saved(random_llama(), tmp_path, None).tokenizer().model_max_length > 10**9


def _saved(model: Any, folder: Path, model_max_length: int | None) -> LocalModel:
    """The model and a tokenizer that says this limit, or none."""
    model.save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    file = folder / "tokenizer_config.json"
    said = {**json.loads(file.read_text()), "model_max_length": model_max_length}
    file.write_text(json.dumps({key: value for key, value in said.items() if value is not None}))
    return LocalModel(path=str(folder))
