"""The answers of a conversation: their text, their tokens, and the labels that have a model learn them."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import itemgetter
from typing import TYPE_CHECKING

from ftsweep.tasks.base import IGNORED
from ftsweep.tasks.encoding.chat import ChatFormat, Rendered, Span
from ftsweep.tasks.encoding.conversations import Conversation

if TYPE_CHECKING:
    from tokenizers import Encoding
    from transformers import PreTrainedTokenizerBase


def rendered(chat: ChatFormat, conversation: Conversation) -> Rendered:
    """What `chat` makes of it, and how long its learned answers are: their own text, which no template changes."""
    return chat.render(conversation)._replace(num_bytes=len(texts_of(conversation, is_learned=True).encode()))


def num_learned(labels: Sequence[float]) -> int:
    """How many tokens are learned."""
    return sum(label != IGNORED for label in labels)


def texts_of(conversation: Conversation, *, is_learned: bool) -> str:
    """The texts of messages that are learned, or of the others, a line each; calls of tools as JSON."""
    parts = []
    for message, learned in zip(conversation.messages, conversation.learned, strict=True):
        if learned == is_learned:
            calls = [json.dumps(call["function"], ensure_ascii=False) for call in message.get("tool_calls", ())]
            parts += [*[message["content"]] * bool(message["content"]), *calls]
    return "\n".join(parts)


def tokenized(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[Encoding]:
    """The tokens of texts that have their special tokens already, with the characters that each stands for."""
    if not texts:
        return []
    encoded = tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False, verbose=False)
    return list(encoded.encodings or ())


def answer_labels(tokens: Encoding, spans: Sequence[Span]) -> list[int]:
    """The token's own id where it has a part in an answer, IGNORED elsewhere; `spans` are the answers' characters."""
    input_ids = tokens.ids
    labels = [IGNORED] * len(input_ids)
    for span in spans:
        place = tokens_in(tokens, span)
        labels[place] = input_ids[place]
    labels[0] = IGNORED  # nothing predicts the first token
    return labels


def tokens_in(tokens: Encoding, span: Span) -> slice:
    """The tokens that have a part in these characters; one over a border of them holds a part, too."""
    start, end = span
    first, last = tokens.char_to_token(start), tokens.char_to_token(end - 1)
    if first is None or last is None:  # a character at the border that stands in no token: all places are looked at
        offsets = tokens.offsets
        return slice(bisect_right(offsets, start, key=itemgetter(1)), bisect_left(offsets, end, key=itemgetter(0)))
    # several tokens stand for one character where a tokenizer writes bytes
    while last + 1 < len(tokens) and (following := tokens.token_to_chars(last + 1)) and following[0] < end:
        last += 1
    return slice(first, last + 1)
