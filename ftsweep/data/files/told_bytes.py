"""What bytes that no mark and no user speaks of look like: wide characters, words of Western Europe, or others."""

from __future__ import annotations

import codecs
import re
import unicodedata

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
_WORDS = re.compile(rb"[^\s\x00-\x40]*[\x80-\xff][^\s]*")
_PAIRS = re.compile("[çÇ][ãõáéíóúâêôÃÕÁÉÍÓÚÂÊÔ]|[äöüÄÖÜ]ß|ää|öö|öä|ÄÄ|ÖÖ|éé|åå|øå|åø".encode("cp1252"))
"""Letters that do stand side by side there: Portuguese `ção`, German `öß`, Finnish `ää`, French `éé`."""
_SIDE_BY_SIDE = re.compile(rb"[\xc0-\xff]{2,}|[\x80-\x84\x86-\x90\x98-\x9f\xa1-\xaa\xac-\xba\xbc-\xff]{3,}")
"""Quotation marks, dashes and the like, which stand beside any letter, are not counted."""
_LEAST_ZEROS = 8
"""Bytes of 0 on one side of all pairs that tell of UTF-16: of Chinese, say, only separators and line ends have one."""

_ICELANDIC = "\xf0\xfe\xd0\xde"
_CEDILLA = "\xe7\xc7"
"""No language has both: where cp1252 shows both, the text is Turkish (cp1254)."""

_COMMON = (
    *("cp1250", "iso8859_2", "cp1251", "koi8_r", "cp866", "iso8859_5", "mac_cyrillic", "cp1253", "iso8859_7", "cp1254"),
    *(
        "cp1255",
        "cp1256",
        "cp1257",
        "cp874",
        "cp850",
        "cp852",
        "mac_roman",
        "cp932",
        "euc_jp",
        "gb18030",
        "big5",
        "cp949",
    ),
)
"""Encodings that a file may be in; of the rare ones many fit any bytes."""

_CYRILLIC = ("cp1251", "koi8-r")

_SIBLINGS = {"cp1250": ("iso8859-2",), "iso8859-2": ("cp1250",)}
"""Encodings of the same letters that are taken for each other: the one with fewer signs inside of words counts."""


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
    return ""


def _is_turkish(text: str) -> bool:
    """Whether text that was read as cp1252 has the letters of no language in cp1252, but of Turkish in cp1254."""
    num_other = sum(not char.isascii() for char in text)
    counts = (sum(map(text.count, letters)) for letters in (_ICELANDIC, _CEDILLA))
    return min(counts) > _MAX_ODD * num_other


def likeliest(sample: bytes) -> str:
    """What charset-normalizer takes the sample for, and what else is common."""
    words = b" ".join(_WORDS.findall(sample))[:50_000]  # what is ASCII misleads it
    try:
        from charset_normalizer import from_bytes

        best = from_bytes(words, cp_isolation=list(_COMMON)).best()
    except (ImportError, ValueError, LookupError):
        best = None
    others = ["cp1251", "cp1250", "mac-roman", "shift_jis", "gb18030"]
    if _is_turkish(words.decode("cp1252", "replace")):
        return f"cp1254 (it seems; or {', '.join(others)})"
    if best is None or best.encoding in ("utf_8", "ascii"):
        return f"{others[0]} (or {', '.join(others[1:])})"
    name = best.encoding.replace("_", "-") if best.encoding != "shift_jis" else best.encoding
    if name in _CYRILLIC:  # what is small in one is capital in the other, and most letters of a text are small
        name = max(_CYRILLIC, key=lambda each: sum(map(str.islower, words.decode(each, "replace"))))
    alike = _SIBLINGS.get(name, ())
    ranked = sorted((name, *alike), key=lambda each: len(_ODD.findall(words.decode(each, "replace"))))
    name, alike = ranked[0], tuple(ranked[1:])
    return f"{name} (it seems; or {', '.join([*alike, *(other for other in others if other not in (name, *alike))])})"
