"""When two inputs are the same: exactly, or after folding away what does not matter.

Normalised form (docs: leakage): NFKC, case folded, URLs, @users and digits masked, punctuation and spaces folded.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

_URL = re.compile(r"(?:https?://|www\.)\S+")
_USER = re.compile(r"(?<!\w)@\w+")
_DIGITS = re.compile(r"\d+")
_FOLDED = re.compile(r"[\W_]+")
_FOLDED_ASCII = "".join("0" if sign.isdigit() else sign if sign.isalpha() else " " for sign in map(chr, range(128)))
_ZEROS = re.compile("00+")
_MASKS = frozenset({"url", "user", "0"})

TEMPLATE_SHARE = 0.05
TEMPLATE_TEXTS = 20
"""More different texts than both of these with one normalised form (`What is 3 + 4?`) are a template, not copies."""


@dataclass(frozen=True)
class InputKeys:
    """Keys of inputs, row by row: equal keys mean equal inputs."""

    exact: list[bytes]
    normalised: list[bytes]
    num_templated: int = 0
    """Rows whose normalised form so many different texts share that only exact equality counts for them."""

    def of(self, rows: Iterable[int]) -> InputKeys:
        """The keys of some rows, in their order."""
        chosen = list(rows)
        return InputKeys([self.exact[row] for row in chosen], [self.normalised[row] for row in chosen])


def input_keys(texts: Sequence[str], forms: Sequence[str | None] | None = None) -> InputKeys:
    """Both keys of every text. Equal exact keys always come with equal normalised keys.

    `forms` are the texts normalised, for a caller who has them already.
    """
    exact = [_key("exact", text) for text in texts]
    normalised = []
    different: dict[bytes, set[bytes]] = defaultdict(set)
    for exact_key, folded in zip(exact, map(normalise, texts) if forms is None else forms, strict=True):
        key = exact_key if folded is None else _key("normalised", folded)
        normalised.append(key)
        different[key].add(exact_key)
    many = max(TEMPLATE_TEXTS, TEMPLATE_SHARE * len(texts))
    templates = {key for key, found in different.items() if len(found) > many}
    num_templated = sum(key in templates for key in normalised)
    if templates:
        normalised = [own if key in templates else key for key, own in zip(normalised, exact, strict=True)]
    return InputKeys(exact, normalised, num_templated)


def normalise(text: str) -> str | None:
    """The normalised form; None when nothing but masks is left of the text (only then exact equality counts)."""
    is_ascii = text.isascii()
    text = text.lower() if is_ascii else unicodedata.normalize("NFKC", text).casefold()
    if "://" in text or "www." in text:
        text = _URL.sub(" url ", text)
    if "@" in text:
        text = _USER.sub(" user ", text)
    if is_ascii:  # the same by a table, which takes a fifth of the time
        text = text.translate(_FOLDED_ASCII)
        words = (_ZEROS.sub("0", text) if "00" in text else text).split()
    else:
        words = _FOLDED.sub(" ", _DIGITS.sub("0", text)).split()
    return " ".join(words) if any(word not in _MASKS for word in words) else None


def _key(kind: str, text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, person=kind.encode()).digest()
