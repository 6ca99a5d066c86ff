"""Files that are something else than their names say, told by their first bytes."""

from __future__ import annotations

import json

from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.unpacked import opened
from ftsweep.errors import DataError

_SHEET = "Save the sheet as 'CSV UTF-8', and name that file; an archive of files must be named .zip."
_NO_TEXT = "It holds no rows of text: name the file that does."
_FOREIGN = (
    (b"PK\x03\x04", "is an Excel workbook or a zip archive, as Word documents are, too", _SHEET),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Excel or Word file", "Save it as 'CSV UTF-8', or as .txt."),
    (b"PAR1", "is a parquet file", "Name it .parquet."),
    (b"ARROW1", "is an Arrow file", "Name it .arrow."),
    (b"SQLite format 3\0", "is an SQLite database", "Export the table as csv."),
    (b"%PDF-", "is a PDF", "Save its text as .txt."),
    (b"\x80\x04\x95", "is a pickle", "Save the table as parquet or csv."),
    (b"\x80\x05\x95", "is a pickle", "Save the table as parquet or csv."),
    (b"\x80\x02", "is a pickle", "Save the table as parquet or csv."),
    (b"\x89PNG\r\n", "is a picture", _NO_TEXT),
    (b"\xff\xd8\xff", "is a picture", _NO_TEXT),
    (b"\x7fELF", "is a program", _NO_TEXT),
    (b"\x89HDF\r\n", "is an HDF5 file", "Save the table as parquet or csv."),
    (b"\x93NUMPY", "is an array of numpy's", "Save the table as parquet or csv."),
    (b"{\\rtf", "is a rich text document", "Save its text as .txt."),
    (
        b"#FORMAT=WebAnno TSV",
        "is WebAnno TSV, as INCEpTION exports it",
        "Export it as CoNLL 2002 (or 2003), and name that file .conll.",
    ),
    (
        b"version https://git-lfs.github.com/spec/",
        "is a pointer of Git LFS, not the file itself",
        "Get the file with `git lfs pull`.",
    ),
)
_BINARY = (
    (b"GIF8", "is a picture", _NO_TEXT),
    (b"RIFF", "is a sound, a film or a picture", _NO_TEXT),
    (b"ID3", "is a sound", _NO_TEXT),
    (b"OggS", "is a sound", _NO_TEXT),
    (b"GGUF", "is a model's weights", _NO_TEXT),
    (b"Obj\x01", "is an Avro file", "Save the table as parquet, as BigQuery exports it, too."),
    (b"ORC", "is an ORC file", "Save the table as parquet."),
    (b"7z\xbc\xaf", "is a 7z archive", "Unpack it, and name the file or the folder in it."),
    (b"Rar!", "is a rar archive", "Unpack it, and name the file or the folder in it."),
)
"""Of letters alone, with which a text may begin, too: these files have a NUL byte among the first."""
_HEAD = 512
_PAGES = (b"<!doctype html", b"<html")
_FIRST = 1 << 16


def refuse_foreign(file: DataFile) -> None:
    """Raise DataError for a file that cannot be rows of the format that its name says."""
    with opened(file) as stream:
        first = stream.read(_FIRST)
    for magic, what, remedy in (*_FOREIGN, *(_BINARY if b"\0" in first[:_HEAD] else ())):
        if first.startswith(magic) and (file.format, magic) not in (("parquet", b"PAR1"), ("arrow", b"ARROW1")):
            raise DataError(f"{what}, by its first bytes, and no {file.format}", where=file.where, remedy=remedy)
    if file.format != "txt" and first.lstrip()[:20].lower().startswith(_PAGES):  # text to learn may be of pages
        remedy = "Download the file itself: its link often leads to a page about it."
        raise DataError(f"is a web page, and no {file.format}", where=file.where, remedy=remedy)
    if file.format in ("csv", "tsv") and (kind := _json_in(first)):
        raise DataError(f"holds JSON, and no {file.format}", where=f"{file.where}:1", remedy=f"Name it {kind}.")


def _json_in(first: bytes) -> str:
    """The extension that a file of JSON should have; "" of another file."""
    text = first.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] == b"[" and text[1:].lstrip()[:1] == b"{" and b'":' in text:
        return ".json"
    try:
        is_object = text[:1] == b"{" and isinstance(json.loads(text.partition(b"\n")[0]), dict)
    except ValueError:
        return ""
    return ".jsonl" if is_object else ""
