from __future__ import annotations

import threading

import pytest
import torch
from transformers import masking_utils

from ftsweep.strategies.prompt_tuning import PromptTuning
from ftsweep.tasks import read_rows
from ftsweep.tasks.causal import token_losses
from ftsweep.tasks.padding import looks_left, needed_mask, without_packed_rows
from ftsweep.tasks.sequence import head_outputs
from ftsweep.testing.random_models import random_bert, random_llama


def padded_batch() -> dict[str, torch.Tensor]:
    """Three rows, two of them padded on the right, with a supervised end each."""
    ids = torch.randint(3, 250, (3, 9), generator=torch.Generator().manual_seed(0))
    mask, labels = torch.ones_like(ids), torch.full_like(ids, -100)
    for row, length in enumerate((9, 5, 7)):
        ids[row, length:], mask[row, length:] = 0, 0
        labels[row, length - 3 : length] = ids[row, length - 3 : length]
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def answers(model, batch):
    return token_losses(model, batch)[0] if model.get_output_embeddings() is not None else head_outputs(model, batch)


@pytest.fixture
def masks(monkeypatch):
    """What models are called with."""
    seen = []
    heads = [(random_llama, "causal_lm"), (random_llama, "sequence_classification")]
    for make, head in (*heads, (random_bert, "sequence_classification")):
        kind = type(make(head))
        call = kind.forward

        def kept(self, *args, call=call, **settings):
            seen.append(settings["attention_mask"])
            return call(self, *args, **settings)

        monkeypatch.setattr(kind, "forward", kept)
    return seen


@pytest.mark.parametrize("head", ["causal_lm", "sequence_classification"])
def test_a_decoder_answers_the_same_without_the_mask_and_is_not_given_it(head, masks, monkeypatch):
    model, batch = random_llama(head).eval(), padded_batch()
    without = answers(model, batch)
    monkeypatch.setitem(model.base_model.__dict__, "looks_left", False)
    torch.testing.assert_close(without, answers(model, batch), rtol=1e-5, atol=1e-6)
    assert masks[0] is None
    assert masks[1] is batch["attention_mask"]


def test_an_encoder_is_told_of_its_padding(masks):
    model, batch = random_bert("sequence_classification").eval(), padded_batch()
    alone = {name: tensor[1:2, :5] for name, tensor in batch.items()}
    torch.testing.assert_close(head_outputs(model, batch)[1:2], head_outputs(model, alone), rtol=1e-4, atol=1e-5)
    assert masks[0] is batch["attention_mask"]


def test_virtual_tokens_keep_the_mask():
    strategy = PromptTuning(num_virtual_tokens=3)
    model, mask = strategy.apply(random_llama("causal_lm"), "causal_lm"), padded_batch()["attention_mask"]
    with needed_mask(model, mask) as given:
        assert given is mask


def test_one_attention_that_looks_both_ways_keeps_the_mask():
    model, mask = random_llama("causal_lm"), padded_batch()["attention_mask"]
    model.model.layers[1].self_attn.is_causal = False
    assert not looks_left(model)
    with needed_mask(model, mask) as given:
        assert given is mask
    assert not looks_left(torch.nn.Linear(2, 2)), "nothing says which way it looks"


@pytest.mark.parametrize("head", ["causal_lm", "sequence_classification"])
def test_a_decoders_pass_and_its_gradient_wait_for_no_device(head, refuse_waiting, monkeypatch):
    monkeypatch.setattr(read_rows, "feed_forward", lambda model: None)  # on a CPU alone are rows chosen
    monkeypatch.setattr(read_rows, "last_tokens", lambda model, batch: None)
    model, batch = random_llama(head).train(), padded_batch()
    model.config.use_cache = False  # as it is loaded
    batch["supervised"] = (batch["labels"] >= 0).flatten().nonzero().squeeze(1)
    with refuse_waiting:
        answers(model, batch).sum().backward()


def test_packed_rows_are_looked_for_again_when_the_last_thread_has_left_the_block():
    packed, is_in, may_leave = torch.tensor([[0, 1, 2, 0, 1]]), threading.Event(), threading.Event()

    def be_inside():
        with without_packed_rows:
            is_in.set()
            may_leave.wait()

    other = threading.Thread(target=be_inside)
    with without_packed_rows:
        other.start()
        is_in.wait()
        assert masking_utils.find_packed_sequence_indices(packed) is None
    assert masking_utils.find_packed_sequence_indices(packed) is None, "the other thread is still in a pass"
    may_leave.set()
    other.join()
    assert masking_utils.find_packed_sequence_indices(packed).tolist() == [[0, 0, 0, 1, 1]]
