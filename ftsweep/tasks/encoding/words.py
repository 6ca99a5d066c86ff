"""Words into sub-words and back: what a tokenizer makes of a row that is given word by word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftsweep.errors import ModelError

if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedTokenizerBase


@dataclass(frozen=True)
class SubWords:
    """One row's token ids, and where each word shows."""

    input_ids: list[int]
    positions: list[int | None]
    """Per word the position of its first sub-word; None for a word that gives no token or was cut off."""
    cut: frozenset[int] = frozenset()
    """Words that would have a token, were the row not cut."""


class WordTokenizer:
    """A fast tokenizer over lists of words, each written as it would be in running text."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        if not tokenizer.is_fast:
            raise ModelError(
                "this model's tokenizer does not say which word a token comes from",
                where="model",
                remedy="Choose a model with a tokenizer.json, such as model=minilm.",
            )
        self._tokenizer = tokenizer
        self._needs_spaces = self._finds_spaces()
        # Tokens of a space alone ("Ġ", "▁"): a decoder has not seen the word yet where it stands.
        self._blank_ids = frozenset(tokenizer(" ", add_special_tokens=False)["input_ids"])

    def encode(self, rows: Sequence[Sequence[str]], max_length: int) -> Iterator[SubWords]:
        """Every row with the tokenizer's special tokens; longer ones cut to `max_length`."""
        if not rows:
            return
        spaced = [self._spaced(words) for words in rows]
        encoded = self._call(spaced)
        for index, words in enumerate(spaced):
            whole = SubWords(encoded["input_ids"][index], self._positions(encoded, index, len(words)))
            yield whole if len(whole.input_ids) <= max_length else self._cut(words, whole, max_length)

    def pieces(self, words: Sequence[str], max_length: int) -> list[tuple[int, int]]:
        """Ranges of words that fit into `max_length` tokens each, in order; a longer word is a piece of its own."""
        room = max_length - self._tokenizer.num_special_tokens_to_add()
        inside, first = (  # the first word of a piece has no space before it, and may be other tokens
            Counter(self._call([written], add_special_tokens=False).word_ids(0))
            for written in (self._spaced(words), list(words))
        )
        pieces, start, length = [], 0, first[0]
        for word in range(1, len(words)):
            if length + inside[word] > room:
                pieces.append((start, word))
                start, length = word, first[word]
            else:
                length += inside[word]
        return [*pieces, (start, len(words))]

    def _cut(self, words: list[str], whole: SubWords, max_length: int) -> SubWords:
        encoded = self._call([words], truncation=True, max_length=max_length)
        input_ids, positions = encoded["input_ids"][0], self._positions(encoded, 0, len(words))
        cut = set()
        for word, (before, after) in enumerate(zip(whole.positions, positions, strict=True)):
            if before is None:
                continue
            if after is None or self._is_blank(input_ids[after]) != self._is_blank(whole.input_ids[before]):
                positions[word] = None  # of some words only the space before them is left
                cut.add(word)
        return SubWords(input_ids, positions, frozenset(cut))

    def _positions(self, encoded: BatchEncoding, row: int, num_words: int) -> list[int | None]:
        input_ids = encoded["input_ids"][row]
        positions: list[int | None] = [None] * num_words
        for position, word in enumerate(encoded.word_ids(row)):
            if word is None:
                continue
            known = positions[word]
            if known is None or (known == position - 1 and self._is_blank(input_ids[known])):
                positions[word] = position
        return positions

    def _is_blank(self, token_id: int) -> bool:
        return token_id in self._blank_ids

    def _spaced(self, words: Sequence[str]) -> list[str]:
        if not self._needs_spaces:
            return list(words)
        return [f" {word}" if index > 0 and word.strip() else word for index, word in enumerate(words)]

    def _finds_spaces(self) -> bool:
        """Whether words need the space before them to become the tokens that they are in running text.

        Byte-level tokenizers keep the space in the token that follows it, and see none between words of a list.
        """
        words = ["a", "b"]
        running = self._tokenizer("a b", add_special_tokens=False)["input_ids"]
        plain, spaced = (
            self._call([written], add_special_tokens=False)["input_ids"][0] for written in (words, ["a", " b"])
        )
        return bool(plain != running and spaced == running)

    def _call(self, rows: list[list[str]], **settings: Any) -> BatchEncoding:
        encoded: BatchEncoding = self._tokenizer(
            rows, is_split_into_words=True, return_attention_mask=False, verbose=False, **settings
        )
        return encoded
