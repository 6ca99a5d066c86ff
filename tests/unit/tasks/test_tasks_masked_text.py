"""Masked text: what is hidden, from whom, and when."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import ModernBertConfig, ModernBertForMaskedLM

from ftsweep.errors import ConfigError, ModelError
from ftsweep.tasks.base import IGNORED, Example, RowError
from ftsweep.tasks.encoding.masking import START, Masking
from ftsweep.tasks.masked_text import MaskedText
from ftsweep.testing.random_models import byte_tokenizer, random_bert
from ftsweep.testing.task import TaskContract
from ftsweep.training.mix import Redrawn

TEXTS = ["the old harbour sleeps", "a cow, a barn and the wheat of the meadow", "ships"]


@pytest.fixture
def tokenizer() -> Any:
    return byte_tokenizer(extra=["<mask>"], mask_token="<mask>")


@pytest.fixture
def words() -> Any:
    """A WordPiece tokenizer with BERT's special tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "har", "##bo", "##ur", "old", "##er", "sea", ","]
    backend = Tokenizer(models.WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    special = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    named = {f"{name}_token": token for name, token in special.items()}
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=64, **named)


def encoded(task: MaskedText, tokenizer: Any, texts: list[str]) -> list[Example]:
    return [each for each in task.encode([{"text": text} for text in texts], tokenizer, {}) if each is not None]


def whole_ids(ids: Any, labels: Any) -> list[int]:
    """An example's tokens as they were before any was hidden."""
    return [label if label >= 0 else token for token, label in zip(ids, labels, strict=True)]


def test_a_long_text_is_cut_into_pieces_with_their_special_tokens(words: Any) -> None:
    task = MaskedText(max_length=6, packed=False)
    examples = encoded(task, words, ["harbour older sea , older"])
    assert [whole_ids(each.input_ids, each.labels) for each in examples] == [
        [2, 5, 6, 7, 8, 3],
        [2, 9, 10, 11, 8, 3],
        [2, 9, 3],
    ]
    for example in examples:
        assert example.labels[0] == START
        hidden = [place for place, label in enumerate(example.labels) if label >= 0]
        assert hidden
        assert all(example.input_ids[place] == words.mask_token_id for place in hidden)
        assert not {0, len(example.input_ids) - 1} & set(hidden)


def test_what_training_hides_changes_with_every_draw_and_follows_the_seed(tokenizer: Any) -> None:
    task = MaskedText(max_length=256, packed=True)
    (example,) = encoded(task, tokenizer, TEXTS)
    ids, labels = np.asarray(example.input_ids, np.int32), np.asarray(example.labels, np.int32)
    redraw = task.redraw(tokenizer)
    assert redraw is not None
    draws = [redraw(ids, labels, np.random.default_rng([seed])) for seed in (0, 0, 1)]
    assert [array.tolist() for array in draws[0]] == [array.tolist() for array in draws[1]]
    assert draws[0][1].tolist() != draws[2][1].tolist()
    for new_ids, new_labels in draws:
        assert new_ids.dtype == new_labels.dtype == np.int32
        told = np.where(new_labels >= 0, new_labels, new_ids).tolist()
        assert told == whole_ids(ids, labels)
        assert np.flatnonzero(new_labels == START).tolist() == np.flatnonzero(labels == START).tolist()


def test_of_the_drawn_tokens_80_percent_are_hidden_and_10_are_others(tokenizer: Any) -> None:
    masking = Masking(tokenizer)
    ids = np.random.default_rng(0).integers(10, 200, 4000).astype(np.int32)
    labels = np.full(4000, IGNORED, np.int32)
    labels[0] = START
    new_ids, new_labels = masking.redrawn(ids, labels, np.random.default_rng(1), share=0.5, whole_words=False)
    drawn = new_labels >= 0
    assert drawn.sum() == 2000
    assert np.mean(new_ids[drawn] == tokenizer.mask_token_id) == pytest.approx(0.8, abs=0.03)
    is_other = (new_ids[drawn] != tokenizer.mask_token_id) & (new_ids[drawn] != ids[drawn])
    assert np.mean(is_other) == pytest.approx(0.1, abs=0.02)
    assert not np.isin(new_ids[drawn][is_other], tokenizer.all_special_ids).any()
    assert (new_ids[~drawn] == ids[~drawn]).all()


def test_whole_words_are_hidden_whole(words: Any) -> None:
    task = MaskedText(packed=True, whole_words=True, masked_share=0.4, max_length=32)
    (example,) = encoded(task, words, ["harbour older sea", "older , harbour"])
    ids, labels = np.asarray(example.input_ids), np.asarray(example.labels)
    redraw = task.redraw(words)
    assert redraw is not None
    spans = [{1, 2, 3}, {4, 5}, {6}, {9, 10}, {11}, {12, 13, 14}]
    for seed in range(20):
        _, new_labels = redraw(ids, labels, np.random.default_rng(seed))
        drawn = set(np.flatnonzero(new_labels >= 0).tolist())
        assert all(span <= drawn or not span & drawn for span in spans), (seed, drawn)
        assert len(drawn) >= 5


def test_measured_is_the_same_whatever_training_hides(tokenizer: Any) -> None:
    plain, other = MaskedText(max_length=64), MaskedText(max_length=64, masked_share=0.4, whole_words=True)
    assert encoded(plain, tokenizer, TEXTS) == encoded(other, tokenizer, TEXTS)


def test_a_draw_depends_on_seed_epoch_and_row_and_not_on_the_batch(tokenizer: Any) -> None:
    class Rows:
        examples = encoded(MaskedText(packed=False), tokenizer, TEXTS)
        lengths = np.asarray([len(each.input_ids) for each in examples])

        def __len__(self) -> int:
            return len(self.examples)

        def input_ids(self, index: int) -> np.ndarray:
            return np.asarray(self.examples[index].input_ids, np.int32)

        def labels(self, index: int) -> np.ndarray:
            return np.asarray(self.examples[index].labels, np.int32)

    redraw = MaskedText(packed=False).redraw(tokenizer)
    assert redraw is not None
    first, again, later = (Redrawn(Rows(), redraw, seeds) for seeds in ((0, 0), (0, 0), (0, 1)))
    whole = [first.labels(index).tolist() for index in range(3)]
    assert whole == [again.labels(index).tolist() for index in reversed(range(3))][::-1]
    assert whole != [later.labels(index).tolist() for index in range(3)]


def test_packed_documents_have_the_losses_that_they_have_alone(words: Any) -> None:
    from ftsweep.models.segments import tell_segments

    model = random_bert("masked_lm")
    model.config.type_vocab_size = 2
    tell_segments(model, words.sep_token_id)
    texts = ["harbour older sea", "older , harbour", "sea"]
    (packed,) = encoded(MaskedText(max_length=32), words, texts)
    alone = encoded(MaskedText(max_length=32, packed=False), words, texts)
    with torch.no_grad():
        together, _ = MaskedText().losses(model, TaskContract().batch(MaskedText(), [packed, packed], more_padding=3))
        each = [MaskedText().losses(model, TaskContract().batch(MaskedText(), [one]))[0] for one in alone]
    expected = float(torch.cat(each).sum())
    assert together.tolist() == pytest.approx([expected, expected], rel=1e-5)


def test_a_model_of_windows_is_refused_when_packed() -> None:
    config = ModernBertConfig(
        vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, pad_token_id=0
    )
    model = ModernBertForMaskedLM(config).eval()
    with pytest.raises(ModelError, match=r"windows.*task\.packed=false"):
        MaskedText().check_model(model)
    MaskedText(packed=False).check_model(model)
    MaskedText().check_model(random_bert("masked_lm"))


def test_predict_is_what_is_measured(tokenizer: Any) -> None:
    model, task = random_bert("masked_lm"), MaskedText(max_length=32, packed=False)
    examples = encoded(task, tokenizer, [TEXTS[1]])
    assert len(examples) == 2
    with torch.no_grad():
        losses, _ = task.losses(model, TaskContract().batch(task, examples))
    count = sum(label >= 0 for example in examples for label in example.labels)
    (answer,) = task.predict(model, tokenizer, {}, [{"text": TEXTS[1]}], batch_size=4)
    assert answer["loss"] == pytest.approx(float(losses.sum()) / count, rel=1e-5)
    assert answer["perplexity"] == pytest.approx(np.exp(answer["loss"]))


def test_what_cannot_be_hidden_or_set_is_refused(words: Any) -> None:
    (result,) = MaskedText(max_length=16).encode([{"text": "[SEP] [SEP]"}], words, {})
    assert isinstance(result, RowError)
    with pytest.raises(ModelError, match="no mask token"):
        list(MaskedText().encode([{"text": "a"}], byte_tokenizer(), {}))
    with pytest.raises(ConfigError, match=r"task\.masked_share"):
        MaskedText(masked_share=1)
    with pytest.raises(ConfigError, match="leave no room"):
        list(MaskedText(max_length=2).encode([{"text": "sea"}], words, {}))
