"""A model that tells the texts of a pair apart does so for whoever calls it."""

from __future__ import annotations

import pytest
import torch
from tokenizers.processors import TemplateProcessing

from ftsweep.models.local import LocalModel
from ftsweep.testing.random_models import byte_tokenizer, random_bert, random_llama

PAIRS = (["one", "one and more"], ["two", "2"])


@pytest.fixture
def tokenizer():
    """`<bos> a <eos>`, and `<bos> a <eos> b <eos>` of a pair: BERT's template."""
    made = byte_tokenizer(sep_token="<eos>", model_input_names=["input_ids", "token_type_ids", "attention_mask"])
    made.backend_tokenizer.post_processor = TemplateProcessing(
        single="<bos> $A <eos>",
        pair="<bos> $A <eos> $B:1 <eos>:1",
        special_tokens=[("<bos>", 1), ("<eos>", 2)],
    )
    return made


@pytest.fixture
def load(tokenizer, tmp_path):
    def load(model):
        model.save_pretrained(tmp_path)
        tokenizer.save_pretrained(tmp_path)
        settings = {"dtype": torch.float32, "device": torch.device("cpu")}
        return LocalModel(path=str(tmp_path)).load("sequence_classification", labels=["a", "b", "c"], **settings)

    return load


def without_segments(batch):
    return {name: tensor for name, tensor in batch.items() if name != "token_type_ids"}


@torch.no_grad()
def test_a_pair_has_the_segments_that_its_tokenizer_gives_it(load, tokenizer):
    raw = random_bert()
    model = load(raw)
    model.load_state_dict(raw.state_dict())  # loading drew a new head
    batch = tokenizer(*PAIRS, padding=True, return_tensors="pt")
    expected = raw(**batch).logits
    torch.testing.assert_close(model(**without_segments(batch)).logits, expected)
    torch.testing.assert_close(model(**batch).logits, expected)
    assert not torch.allclose(raw(**without_segments(batch)).logits, expected), "or the test tells nothing"


@torch.no_grad()
def test_an_adapter_sees_them_too(load, tokenizer):
    from ftsweep.strategies.lora import Lora

    model = load(random_bert())
    batch = tokenizer(*PAIRS, padding=True, return_tensors="pt")
    applied = Lora().apply(model, "sequence_classification")
    torch.testing.assert_close(applied(**without_segments(batch)).logits, applied(**batch).logits)


@torch.no_grad()
def test_a_single_text_is_all_of_the_first_segment(load, tokenizer):
    model = load(random_bert())
    batch = tokenizer(PAIRS[0], padding=True, return_tensors="pt")
    torch.testing.assert_close(model(**without_segments(batch)).logits, model(**batch).logits)


@torch.no_grad()
def test_a_model_without_segments_is_left_alone(load, tokenizer):
    model = load(random_llama("sequence_classification"))
    assert model(**without_segments(tokenizer(*PAIRS, padding=True, return_tensors="pt"))).logits.shape == (2, 3)
