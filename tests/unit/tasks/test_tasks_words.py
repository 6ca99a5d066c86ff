from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from ftsweep.errors import ModelError
from ftsweep.models.tiny import TinyModel
from ftsweep.tasks.encoding.words import WordTokenizer
from ftsweep.testing.random_models import byte_tokenizer

WORDS = ["The", "array", "(", "of", "naïve", "shape_n", ")", "."]


def fast(backend, **settings):
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", unk_token="<unk>", **settings)


def word_pieces():
    """As BERT's: spaces are gone before the pieces are made, and odd characters too."""
    pieces = ["<pad>", "<unk>", "<cls>", "<sep>", "the", "array", "(", "of", "na", "##ive", "shape", "##_n", ")", "."]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="<unk>"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    ends = [("<cls>", 2), ("<sep>", 3)]
    backend.post_processor = TemplateProcessing(single="<cls> $A <sep>", special_tokens=ends)
    return fast(backend)


def metaspace():
    """As SentencePiece's: a mark takes the place of the space before a word, and here stands alone before some."""
    pieces = ["<unk>", "▁", "▁The", "▁array", "of", "(", ")", ".", "▁na", "ï", "ve", "▁shape", "_", "n", "▁<pad>"]
    scores = [(piece, -float(place)) for place, piece in enumerate(pieces)]
    backend = Tokenizer(models.Unigram(scores, unk_id=0))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    return fast(backend)


def legacy_llama():
    """As Llama 2's files have it: the mark is made by a normalizer, once before every piece of text it is given."""
    alphabet = "▁abcdefghijklmnopqrstuvwxyzT()._ï"
    vocabulary = {"<unk>": 0, **{letter: place for place, letter in enumerate(alphabet, start=1)}}
    merges = [("▁", letter) for letter in alphabet[1:]]
    vocabulary |= {"".join(merge): len(vocabulary) + place for place, merge in enumerate(merges)}
    backend = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>"))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return fast(backend)


TOKENIZERS = {
    "tiny": TinyModel().tokenizer,
    "bytes": byte_tokenizer,
    "word pieces": word_pieces,
    "metaspace": metaspace,
    "legacy llama": legacy_llama,
}


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request):
    return TOKENIZERS[request.param]()


def test_words_become_the_tokens_that_they_are_in_running_text(tokenizer):
    (row,) = WordTokenizer(tokenizer).encode([WORDS], 100)
    assert row.input_ids == tokenizer(" ".join(WORDS))["input_ids"]
    assert not row.cut


def test_a_word_shows_where_its_first_letters_are(tokenizer):
    (row,) = WordTokenizer(tokenizer).encode([WORDS], 100)
    tokens = tokenizer.convert_ids_to_tokens(row.input_ids)
    for word, position in zip(WORDS, row.positions, strict=True):
        shown = tokens[position].lstrip("Ġ▁").replace("Ã", "ï").lower()
        assert shown
        assert word.lower().startswith(shown) or shown == "<unk>"
    assert row.positions == sorted(set(row.positions))


def test_a_cut_keeps_the_ends_and_says_which_words_are_gone(tokenizer):
    words = WordTokenizer(tokenizer)
    (whole,) = words.encode([WORDS], 100)
    length = len(whole.input_ids) - 1
    (cut,) = words.encode([WORDS], length)
    assert len(cut.input_ids) == length
    if tokenizer.num_special_tokens_to_add() == 2:
        assert cut.input_ids[-1] == whole.input_ids[-1]
    assert cut.cut == {len(WORDS) - 1}
    assert [position is None for position in cut.positions] == [False] * (len(WORDS) - 1) + [True]


def test_words_without_a_token_are_passed_over():
    (row,) = WordTokenizer(word_pieces()).encode([["the", "\u200b", "", " ", "array"]], 100)
    assert row.input_ids == [2, 4, 5, 3]
    assert row.positions == [1, None, None, None, 2]
    assert not row.cut


def test_pieces_fit_and_leave_no_word_out(tokenizer):
    words = WordTokenizer(tokenizer)
    row = WORDS * 7
    for max_length in (9, 16, 100):
        pieces = words.pieces(row, max_length)
        assert [word for start, stop in pieces for word in row[start:stop]] == row
        encoded = list(words.encode([row[start:stop] for start, stop in pieces], max_length))
        assert not any(piece.cut for piece in encoded)
        assert len(pieces) > 1 or max_length == 100


def test_the_first_word_of_a_piece_is_counted_without_its_space():
    tokenizer = TinyModel().tokenizer()
    words = WordTokenizer(tokenizer)
    row = ["of", "value", "number", "parameter", "function", "returns", "string"] * 5
    assert len(tokenizer("returns")["input_ids"]) > len(tokenizer(" returns")["input_ids"])
    for max_length in range(4, 12):
        encoded = words.encode([row[start:stop] for start, stop in words.pieces(row, max_length)], max_length)
        assert not any(piece.cut for piece in encoded)


def test_a_word_longer_than_a_piece_is_one_and_keeps_its_beginning():
    words = WordTokenizer(byte_tokenizer())
    row = ["short", "x" * 50, "short"]
    assert words.pieces(row, 8) == [(0, 1), (1, 2), (2, 3)]
    (piece,) = words.encode([row[1:2]], 8)
    assert piece.positions == [0]


def test_a_tokenizer_that_knows_no_words_is_refused():
    class Slow:
        is_fast = False

    with pytest.raises(ModelError, match=r"which word a token comes from.*tokenizer\.json"):
        WordTokenizer(Slow())
