"""What bytes that no mark and no user speaks of look like: wide characters, words of Western Europe, or others."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter

_MAX_ODD = 0.05
_MAX_ADJACENT = 0.35
"""Share of letters that stand beside another such one: in Western European text few, in other alphabets nearly all."""

# In cp1252 text no sign stands inside of a word (but for apostrophes, hyphens and the like), and no capital behind a
# small letter of ASCII: a superscript three, or a Z with caron, is what a letter of another code page looks like there.
_IN_WORDS = "\u2019\u2018\xb4\xb7\u2013\u2014\u2026\u2022\xae\u2122\xb0\u201c\u201d"
_CAPITALS = "\u017d\u0160\u0152\u0178\xc0-\xd6\xd8-\xde"
_NUMBERS = "\xb2\xb3\xb9\xbc-\xbe"  # raised digits and fractions, which regular expressions take for letters
_ODD = re.compile(
    rf"(?<=[^\W\d_])(?:[^\w\s\x00-\x7f{_IN_WORDS}]|[{_NUMBERS}])(?=[^\W\d_])|(?<=[a-z])[{_CAPITALS}](?![A-Z{_CAPITALS}])"
)
_OTHER = re.compile(rb"[\x80-\xff]")
_PAIRS = re.compile("[çÇ][ãõáéíóúâêôÃÕÁÉÍÓÚÂÊÔ]|[äöüÄÖÜ]ß|ää|öö|öä|ÄÄ|ÖÖ|éé|åå|øå|åø|õõ|üü".encode("cp1252"))
"""Letters that do stand side by side there: Portuguese `ção`, German `öß`, Finnish `ää`, French `éé`, Estonian `õõ`."""
_SIDE_BY_SIDE = re.compile(rb"[\xc0-\xff]{2,}|[\x80-\x84\x86-\x90\x98-\x9f\xa1-\xaa\xac-\xba\xbc-\xff]{3,}")
"""Quotation marks, dashes and the like, which stand beside any letter, are not counted."""
_LEAST_ZEROS = 8
"""Bytes of 0 on one side of all pairs that tell of UTF-16: of Chinese, say, only separators and line ends have one."""

_ONLY_CP1252 = re.compile(rb"[\x80-\x9f]")
_ICELANDIC = "\xf0\xfe\xd0\xde"
_HUNGARIAN = "\xe1\xe9\xed\xf3\xf6\xfa\xfc\xf5\xfb\xc1\xc9\xcd\xd3\xd6\xda\xdc\xd5\xdb"
"""The letters of Hungarian as cp1252 shows them."""
_CEDILLA = "\xe7\xc7"
"""No language has both: where cp1252 shows both, the text is Turkish (cp1254)."""


def unmarked_wide(first: bytes) -> str | None:
    """UTF-16 or UTF-32 without a byte order mark, by where in its pairs or fours a file's first bytes are 0."""
    quarter = len(first) // 4
    if quarter < 4:
        return None
    zeros = [first[place : 4 * quarter : 4].count(0) for place in range(4)]
    for name, high, low in (("utf-32-le", zeros[2:], zeros[0]), ("utf-32-be", zeros[:2], zeros[3])):
        if high == [quarter, quarter] and low < 0.05 * quarter:
            return name
    even, odd = zeros[0] + zeros[2], zeros[1] + zeros[3]
    name, most, least = ("utf-16-le", odd, even) if odd > even else ("utf-16-be", even, odd)
    is_wide = most >= _LEAST_ZEROS and least < 0.5 * most and _is_written(first, name)
    return name if is_wide else None


def _is_written(first: bytes, name: str) -> bool:
    """Whether these bytes are characters that people write."""
    try:
        text = codecs.getincrementaldecoder(name)().decode(first)
    except UnicodeDecodeError:
        return False
    return all(char in "\t\r\n" or unicodedata.category(char) not in ("Cc", "Cn", "Co") for char in text)


def why_not_western(sample: bytes) -> str:
    """Why these lines are no text in cp1252, in words; "" if they look like words of Western Europe."""
    num_other = len(_OTHER.findall(sample))
    try:
        text = sample.decode("cp1252")
    except UnicodeDecodeError as error:
        return f"byte 0x{sample[error.start]:02x} stands for nothing there"
    num_adjacent = sum(map(len, _SIDE_BY_SIDE.findall(_PAIRS.sub(b"a", sample))))
    if num_adjacent > _MAX_ADJACENT * num_other:
        return "its letters would be accented side by side"
    if len(_ODD.findall(text)) > _MAX_ODD * num_other:
        return "it would have signs inside of words"
    if _is_turkish(text):
        return "its words would be Icelandic, with letters that Icelandic does not have"
    if _is_hungarian(text):
        return "it would have letters of Portuguese and of German in its words, which Hungarian has in cp1250"
    return ""


def speaks_for(sample: bytes) -> str:
    """The encoding that the letters speak for of text that looks like another's in cp1252; "" of none."""
    text = sample.decode("cp1252", "replace")
    return "cp1254" if _is_turkish(text) else "cp1250" if _is_hungarian(text) else ""


def has_latin_9(sample: bytes) -> bool:
    """Whether text of Western Europe has the sign that is the euro's in iso8859-15 (latin-9), and none of cp1252."""
    return b"\xa4" in sample and not _ONLY_CP1252.search(sample)


def _is_hungarian(text: str) -> bool:
    """Whether o and u with a tilde or a roof stand where Hungarian has two strokes: `tükör`, `erõ`.

    Text of several languages, such as French beside German, has letters that Hungarian lacks, and hardly any of á,
    í, ó and ú.
    """
    letters = Counter(char for char in text if char.isalpha() and not char.isascii())
    least = _MAX_ODD * letters.total()
    strokes, german, accented, foreign = (
        sum(letters[char] for char in each)
        for each in ("\xf5\xfb\xd5\xdb", "\xf6\xfc", "\xe1\xed\xf3\xfa", letters.keys() - set(_HUNGARIAN))
    )
    return min(strokes, german, accented) > least > foreign


def _is_turkish(text: str) -> bool:
    """Whether text that was read as cp1252 has the letters of no language in cp1252, but of Turkish in cp1254."""
    num_other = sum(not char.isascii() for char in text)
    counts = (sum(map(text.count, letters)) for letters in (_ICELANDIC, _CEDILLA))
    return min(counts) > _MAX_ODD * num_other
