"""The words and signs of running text, by where they stand: entities that are spans of characters are tags of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers.pre_tokenizers import PreTokenizer

_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]\p{M}*"
"""A letter, with its marks, of a script that has no space between words."""
_SIGNS = ".,;:!?"
"""Signs that stand behind words of running text."""


def words_in(text: str) -> list[tuple[int, int]]:
    """Where each word and each sign of a text begins and ends, in characters; white space is in none.

    The same whatever is to be learned of the text: parted at white space and around punctuation, as BERT's tokenizers
    do, and around each letter of scripts without spaces.
    """
    return [place for _, place in _parter().pre_tokenize_str(text)]


def split_words(text: str) -> list[str]:
    """The words and signs of a text."""
    return [text[start:stop] for start, stop in words_in(text)]


def between(text: str, words: Sequence[str], start: int, stop: int) -> str:
    """The characters of a text from one of its words up to, and without, another; `words` are all of its words."""
    place, first = 0, 0
    for number, word in enumerate(words[:stop]):
        found = text.index(word, place)
        first, place = (found if number == start else first), found + len(word)
    return text[first:place]


def has_sign_behind(word: str) -> bool:
    """Whether it is a word with a sign of a sentence at its end: `Rome,`."""
    return len(word) > 1 and word[-1] in _SIGNS and word[-2].isalnum()


def is_sign(word: str) -> bool:
    """Whether it is such a sign and nothing else."""
    return len(word) == 1 and word in _SIGNS


@cache
def _parter() -> PreTokenizer:
    from tokenizers import Regex, pre_tokenizers

    alone = pre_tokenizers.Split(Regex(_UNSPACED), "isolated")
    return pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), alone])
