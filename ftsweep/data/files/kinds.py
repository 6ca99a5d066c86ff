"""What a file is by its name and its first bytes: a format of rows, packed or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ftsweep.data.files.made_readable import SPREADSHEETS, has_way, way_of_unknown, way_to_read
from ftsweep.errors import DataError

Format = Literal["jsonl", "json", "csv", "tsv", "parquet", "arrow", "txt", "conll"]
Compression = Literal["", "gzip", "bz2", "xz", "zstd", "zip"]

FORMATS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".jsonlines": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".txt": "txt",
    ".text": "txt",
    ".conll": "conll",
    ".conllu": "conll",
    ".conllup": "conll",
    ".conll2003": "conll",
    ".bio": "conll",
    ".iob": "conll",
    ".iob2": "conll",
}
"""The format of rows that a file's extension names."""

COMPRESSIONS: dict[str, Compression] = {
    ".gz": "gzip",
    ".gzip": "gzip",
    ".bz2": "bz2",
    ".xz": "xz",
    ".zst": "zstd",
    ".zstd": "zstd",
}

_FIRST_BYTES: list[tuple[bytes, Compression]] = [
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
]
_NO_ROWS = (
    *(".ini", ".cfg", ".sh", ".lock", ".bin", ".exe", ".so", ".pt", ".pth", ".ckpt"),
    *(".safetensors", ".gguf", ".onnx", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".mp3", ".wav", ".mp4"),
)
"""Other extensions of files that nobody takes for lines of text."""


@dataclass(frozen=True)
class DataFile:
    """One file of rows: on disk, or a member of a zip archive."""

    path: Path
    name: str
    """What places and messages call it: `train.csv`, `corpus.zip/train.csv`."""
    format: Format
    compression: Compression = ""
    member: str = ""
    """The member's name inside of the archive `path`."""
    folder: str = ""
    """The name of its folder, where each folder holds the texts of one label."""
    parts: tuple[tuple[str, str], ...] = ()
    """Columns that its folders say, `label=good`, of a table that was written in parts."""

    @property
    def where(self) -> str:
        """The whole path, for messages about the file itself."""
        return f"{self.path}/{self.member}" if self.member else str(self.path)


def known_formats() -> str:
    """The extensions that can be read, in words."""
    return f"{', '.join(sorted(FORMATS))}; each also as {', '.join(sorted(COMPRESSIONS))}, or in a .zip"


def format_of(name: str) -> tuple[Format | None, Compression]:
    """The format and the compression that a file's name says; no format where its extension is not known."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    compression: Compression = COMPRESSIONS.get(suffixes[-1], "") if suffixes else ""
    if compression:
        suffixes.pop()
    return (FORMATS.get(suffixes[-1]) if suffixes else None), compression


def is_spreadsheet(name: str) -> bool:
    """Whether a name is that of a spreadsheet, which is no file of rows."""
    return name.lower().endswith(SPREADSHEETS)


def is_known_kind(name: str) -> bool:
    """Whether a name's extension says what the file holds, be it rows or something else than text."""
    kind, compression = format_of(name)
    suffixes = [each.lower() for each in Path(name).suffixes]
    suffix = (suffixes[:-1] if compression else suffixes)[-1:]
    return kind is not None or any(each in _NO_ROWS or has_way(each) for each in suffix)


def lines_file(path: Path) -> DataFile:
    """The file as text, whatever its name; packed or not by its first bytes."""
    return DataFile(path, path.name, "txt", _compression_in(path))


def data_file(path: Path, name: str, *, member: str = "") -> DataFile:
    """The file as its name, and of a packed one its first bytes, have it.

    Raises:
        DataError: its extension names no format that can be read.
    """
    kind, compression = format_of(member or path.name)
    if kind is None:
        suffix = Path(member or path.name).suffix
        remedy = way_to_read(Path(member) if member else path)
        if remedy and member:
            remedy = f"Unpack the archive. {remedy}"
        if not remedy:
            remedy = f"{way_of_unknown(path)}. Known: {known_formats()}; and a folder saved by datasets"
        if ".tar" in map(str.lower, path.suffixes):
            suffix = ".tar" + suffix.removeprefix(".tar")
        what = f"files of the kind {suffix!r} cannot be read" if suffix else "files without an extension cannot be read"
        raise DataError(what, where=f"{path}/{member}" if member else str(path), remedy=remedy)
    if not member:
        compression = _compression_in(path) or compression
    return DataFile(path, name, kind, compression, member)


def _compression_in(path: Path) -> Compression:
    """What the first bytes say, whatever the name does: a download often drops or adds `.gz`."""
    try:
        with path.open("rb") as file:
            first = file.read(8)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=str(path)) from error
    return next((kind for magic, kind in _FIRST_BYTES if first.startswith(magic)), "")
