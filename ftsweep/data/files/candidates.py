"""Encodings of bytes that are neither UTF-8 nor of Western Europe: the likeliest first, and what each makes of them."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

_WORDS = re.compile(rb"[^\s\x00-\x40]*[\x80-\xff][^\s]*")
_SMALL, _CAPITAL = re.compile("[\u0430-\u044f\u0451]"), re.compile("[\u0410-\u042f\u0401]")
_LETTERS = re.compile(r"[^\W\d_]+")
_SHOWN = 5
"""Encodings that are named."""
_CHARACTERS = 24  # of what an encoding makes of the bytes
_SAMPLE = 50_000
_SLACK = 0.1
"""Share of words by which what charset-normalizer takes the bytes for may look worse than another."""
_WORSE = 0.3  # share of words by which an encoding that is named may look worse than the first
_LONG_RUN = 3  # capitals, or letters of Latin script with accents, side by side

_BOXES = frozenset(map(chr, range(0x2500, 0x25A0)))
_COMMON = (
    *("cp1250", "iso8859_2", "cp1251", "koi8_r", "cp866", "iso8859_5", "mac_cyrillic", "cp1253", "iso8859_7", "cp1254"),
    *("cp1255", "cp1256", "cp1257", "mac_roman", "cp932", "euc_jp", "cp949", "big5", "gb18030", "cp874", "cp850"),
    *("cp852", "iso8859_15"),
)
"""Encodings that a file may be in; of the rare ones many fit any bytes."""

_OWN_LETTERS = {"cp932": ("HIRAGANA", "KATAKANA"), "euc_jp": ("HIRAGANA", "KATAKANA"), "cp949": ("HANGUL",)}
"""Letters without which nobody writes, beside signs that other languages have, too."""
_CYRILLIC = ("cp1251", "koi8_r", "mac_cyrillic")
"""What is small in one is capital in another, and of two the small letters are the same ones."""


def likeliest(sample: bytes, first: str = "") -> str:
    """Encodings that fit, with what they make of the first words: `cp1250 (it seems, and gives 'łódź'; or ...)`.

    `first` is one that something else speaks for; then comes what charset-normalizer takes the sample for.
    """
    words = b" ".join(_WORDS.findall(sample))[:_SAMPLE]  # what is ASCII misleads it
    oddness = {name: share for name in _COMMON if (share := _oddness(words, name)) is not None}
    if not oddness:
        return "one that it is"
    ranked = sorted(oddness, key=lambda name: (oddness[name], _COMMON.index(name)))
    told, least = _told(words), oddness[ranked[0]]
    if told in oddness and oddness[told] <= least + _SLACK:
        ranked = [told, *(name for name in ranked if name != told)]
    if first in oddness and oddness[first] <= least + _SLACK:
        ranked = [first, *(name for name in ranked if name != first)]
    named: dict[str, str] = {}
    for name in ranked:
        if oddness[name] > max(oddness[ranked[0]], least) + _WORSE:
            continue
        shown = _made(words, name)
        if shown not in named.values():
            named[name.replace("_", "-")] = shown
    (name, shown), *others = list(named.items())[:_SHOWN]
    rest = f"; or {', '.join(f'{other} ({made!r})' for other, made in others)}" if others else ""
    return f"{name} (it seems, and gives {shown!r}{rest})"


def _told(words: bytes) -> str:
    """What charset-normalizer takes the words for; "" where it has no opinion."""
    try:
        from charset_normalizer import from_bytes

        best = from_bytes(words, cp_isolation=list(_COMMON)).best()
    except (ImportError, ValueError, LookupError):
        return ""
    if best is None or best.encoding in ("utf_8", "ascii"):
        return ""
    name = best.encoding
    if name not in _CYRILLIC:
        return name
    return max(_CYRILLIC, key=lambda each: _num_cyrillic(words.decode(each, "replace")))


def _num_cyrillic(text: str) -> int:
    """The small letters of Russian, twice, since most are small, and its capitals."""
    return 2 * len(_SMALL.findall(text)) + len(_CAPITAL.findall(text))


def _made(words: bytes, name: str) -> str:
    text = words.decode(name, "replace")
    return text if len(text) <= _CHARACTERS else text[: _CHARACTERS - 1] + "…"


def _oddness(words: bytes, name: str) -> float | None:
    """The share of the words that nobody writes so; None where the bytes are not of this encoding."""
    try:
        text = words.decode(name)
    except UnicodeDecodeError as error:
        if error.end < len(words) - 3 or len(words) < _SAMPLE:
            return None
        text = words.decode(name, "ignore")  # the sample ends within a character
    if name in _OWN_LETTERS and not any(
        unicodedata.name(char, "").startswith(_OWN_LETTERS[name]) for char in set(text)
    ):
        return 1.0
    found = text.split()
    return sum(map(_is_odd, found)) / max(1, len(found))


def _is_odd(word: str) -> bool:
    """Whether a word has signs or capitals inside, letters of two scripts, no characters, or accents in a row."""
    body = word.strip("".join({char for char in word if not char.isalnum()}))
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cn", "Co") or char in _BOXES for char in word):
        return True
    if any(unicodedata.category(char) in ("So", "Sm", "Sc", "No", "Sk") for char in body):
        return True
    run = 0
    for part in _LETTERS.findall(body):
        if len({unicodedata.name(char, "?").partition(" ")[0] for char in part}) > 1 and not _is_japanese(part):
            return True
        if len(part) >= _LONG_RUN and part.isupper() and not part.isascii():
            return True
        if any(before.islower() and after.isupper() for before, after in pairwise(part)):
            return True
        for char in part:
            run = run + 1 if not char.isascii() and unicodedata.name(char, "").startswith("LATIN") else 0
            if run >= _LONG_RUN:
                return True
    return False


def _is_japanese(text: str) -> bool:
    scripts = {unicodedata.name(char, "?").partition(" ")[0] for char in text}
    return scripts <= {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "FULLWIDTH", "LATIN", "HALFWIDTH"}
