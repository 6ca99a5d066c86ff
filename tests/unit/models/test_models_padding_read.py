from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    CONFIG_MAPPING,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

from ftsweep.errors import ModelError
from ftsweep.models.base import Head
from ftsweep.models.local import LocalModel
from ftsweep.models.padding_read import PADDING_READ
from ftsweep.testing.random_models import byte_tokenizer, random_bert

CPU = torch.device("cpu")
CLASSES: dict[Head, Any] = {
    "masked_lm": AutoModelForMaskedLM,
    "sequence_classification": AutoModelForSequenceClassification,
    "token_classification": AutoModelForTokenClassification,
}
SMALL: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "embedding_size": 16,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,
}
FUNNEL = {"d_model": 16, "n_head": 2, "d_head": 8, "d_inner": 16, "block_sizes": [1, 1], "num_decoder_layers": 1}
SETTINGS: dict[str, dict[str, Any]] = {
    "canine": {**SMALL, "local_transformer_stride": 8, "num_hash_buckets": 64, "type_vocab_size": 2},
    "convbert": {**SMALL, "head_ratio": 1},
    "funnel": {**FUNNEL, "vocab_size": 300, "initializer_std": 0.2},
    "nystromformer": {**SMALL, "num_landmarks": 4, "segment_means_seq_len": 32},
    "xlnet": {"vocab_size": 300, "d_model": 16, "n_layer": 1, "n_head": 2, "d_inner": 16, "initializer_range": 0.2},
    "modernbert": {**SMALL, "global_attn_every_n_layers": 2, "local_attention": 8},
}
READ = sorted((kind, head) for kind, heads in PADDING_READ.items() for head in heads)
READ.remove(("canine", "masked_lm"))  # there is no such class
NOT_READ: list[tuple[str, Head]] = [
    *((kind, "token_classification") for kind in ("bert", "modernbert", "squeezebert", "xlnet")),
    *((kind, "sequence_classification") for kind in ("deberta-v2", "funnel", "gpt2", "bloom")),
]


def change_by_padding(kind: str, head: Head) -> float:
    """How far a text's outputs move when padding stands behind it, as a share of the largest one."""
    torch.manual_seed(0)
    config = CONFIG_MAPPING[kind](**{**SETTINGS.get(kind, SMALL), "pad_token_id": 0, "eos_token_id": 2})
    model = CLASSES[head].from_config(config).eval()
    ids = torch.tensor([[5, 9, 7, 11, 6, 13, 2]])
    padded = torch.cat([ids, torch.zeros(1, 8, dtype=torch.long)], dim=1)
    with torch.no_grad():
        alone = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        beside = model(input_ids=padded, attention_mask=(padded > 0).long()).logits
    if head != "sequence_classification":
        beside = beside[:, : ids.shape[1]]
    return float((alone - beside).abs().max() / alone.abs().max())


@pytest.mark.parametrize(("kind", "head"), READ)
def test_a_model_that_is_refused_does_read_padding_or_takes_one_length_only(kind: str, head: Head) -> None:
    if kind == "nystromformer":
        with pytest.raises(RuntimeError, match="shape"):
            change_by_padding(kind, head)
    else:
        assert change_by_padding(kind, head) > 0.01


@pytest.mark.parametrize(("kind", "head"), NOT_READ)
def test_other_models_make_the_same_of_a_text_whatever_is_beside_it(kind: str, head: Head) -> None:
    assert change_by_padding(kind, head) < 1e-4


def test_a_model_without_a_table_of_tokens_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_bert()
    model.save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    monkeypatch.setattr(
        type(model), "get_input_embeddings", lambda self: self.bert.pooler
    )  # as Perceiver's, a Parameter
    with pytest.raises(ModelError, match="has no table with a row for each token"):
        LocalModel(path=str(tmp_path)).load("sequence_classification", labels=["a"], dtype=torch.float32, device=CPU)


def test_it_is_refused_before_its_weights_are_read_in_one_paragraph(tmp_path: Path) -> None:
    AutoModelForMaskedLM.from_config(CONFIG_MAPPING["fnet"](**SMALL)).save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="'fnet' model is made for inputs of one length") as found:
        LocalModel(path=str(tmp_path)).load(
            "sequence_classification", labels=["a", "b"], dtype=torch.float32, device=CPU
        )
    assert "model=minilm" in str(found.value)
