"""The words and signs of running text, by where they stand: entities that are spans of characters are tags of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers.pre_tokenizers import PreTokenizer

UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]\p{M}*"
"""A letter, with its marks, of a script that has no space between words."""


def words_in(text: str) -> list[tuple[int, int]]:
    """Where each word and each sign of a text begins and ends, in characters; white space is in none.

    The same whatever is to be learned of the text: parted at white space and around punctuation, as BERT's tokenizers
    do, and around each letter of scripts without spaces.
    """
    return [place for _, place in _parter().pre_tokenize_str(text)]


def split_words(text: str) -> list[str]:
    """The words and signs of a text."""
    return [text[start:stop] for start, stop in words_in(text)]


def places_of(text: str, words: Sequence[str]) -> list[tuple[int, int]]:
    """Where each of a text's words, which are given in their order, begins and ends in it, in characters."""
    found, place = [], 0
    for word in words:
        start = text.index(word, place)
        place = start + len(word)
        found.append((start, place))
    return found


def are_parted(counts: Mapping[str, int]) -> bool:
    """Whether words, by how often each stands there, are more often as `split_words` parts them than as spaces do.

    That is seen by those in which the two differ: signs, and letters of scripts without spaces, alone or joined.
    """
    alone = joined = 0
    for word, count in counts.items():
        if len(word) == 1:
            alone += count * (len(words_in(f"{word}a")) > 1)
        elif len(words_in(word)) > 1:
            joined += count
    return alone > joined


@cache
def _parter() -> PreTokenizer:
    from tokenizers import Regex, pre_tokenizers

    alone = pre_tokenizers.Split(Regex(UNSPACED), "isolated")
    return pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), alone])
