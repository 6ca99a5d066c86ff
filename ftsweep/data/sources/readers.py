"""One file into raw rows: (values by column, place). Lines that cannot be read are rows that say so, or are refused."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ftsweep.errors import DataError

RawRows = list[tuple[dict[str, Any], str]]


class Unreadable(dict[str, Any]):
    """The values of a line that cannot be read: none. `problem` says why."""

    def __init__(self, problem: str) -> None:
        super().__init__()
        self.problem = problem


MAX_UNREADABLE = 0.1
"""Share of a file's lines that may be unreadable; the guard `unusable_rows` judges fewer."""

NUM_SHOWN = 5
"""Bad lines shown in one message."""

_UTF8_REMEDY = "Save it as UTF-8, for example: iconv -f WINDOWS-1252 -t UTF-8 old > new"


def read_rows(path: Path, name: str) -> RawRows:
    """All rows of one file, by its extension. `name` is what places call it.

    A place ends with the line in files of text, and with the row's number, from 1, in json and parquet.
    """
    reader = READERS.get(path.suffix.lower())
    if path.is_dir() or not path.exists():
        what = "is a folder that datasets' save_to_disk did not write" if path.is_dir() else "does not exist"
        raise DataError(what, where=str(path), remedy="Name a file, or a saved data set's folder, in data.train.")
    if reader is None:
        known = ", ".join(sorted(READERS))
        raise DataError(
            f"files of the kind {path.suffix or 'without an extension'!r} cannot be read",
            where=str(path),
            remedy=f"Known: {known}, and a folder saved by datasets.",
        )
    try:
        rows = reader(path, name)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=str(path)) from error
    if not rows:
        raise DataError("has no rows", where=str(path), remedy="Check that the file was written whole.")
    return rows


def _read_jsonl(path: Path, name: str) -> RawRows:
    rows: RawRows = []
    bad: list[str] = []
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            if not line.strip():
                continue
            try:
                value = json.loads(line.decode("utf-8"))
                _check_whole(value, line)
            except UnicodeDecodeError as error:
                bad.append(f"{path.name}:{number}: {_decode_text(error)}")
            except (ValueError, RecursionError) as error:
                bad.append(f"{path.name}:{number}: {_parse_text(error)}: {_excerpt(line.decode('utf-8'))}")
            else:
                if isinstance(value, dict):
                    rows.append((value, f"{name}:{number}"))
                else:
                    bad.append(f"{path.name}:{number}: not an object: {_excerpt(line.decode('utf-8'))}")
    remedy = 'Every line must be one JSON object, such as {"text": "...", "label": "..."}, in UTF-8.'
    return rows + _unreadable(path, name, bad, len(rows), remedy)


def _read_json(path: Path, name: str) -> RawRows:
    text = _read_text(path)
    if text.lstrip().startswith("{"):  # JSON lines under the shorter name, as many exports have it
        return _read_jsonl(path, name)
    remedy = 'The file must hold a list of objects, [{"text": "..."}, ...], or one object per line.'
    try:
        values = json.loads(text) if text.strip() else []
        _check_whole(values, text.encode())
    except json.JSONDecodeError as error:
        lines = text.splitlines() or [""]
        _refuse(
            path,
            [f"{path.name}:{error.lineno}: {error.msg}: {_excerpt(lines[min(error.lineno, len(lines)) - 1])}"],
            remedy,
        )
    except (ValueError, RecursionError) as error:
        _refuse(path, [f"{path.name}: {_parse_text(error)}"], remedy)
    if not isinstance(values, list):
        raise DataError(f"holds one {type(values).__name__}, not a list of rows", where=str(path), remedy=remedy)
    bad = [
        f"{path.name}:{number} (row {number}): not an object: {_excerpt(repr(value))}"
        for number, value in enumerate(values, start=1)
        if not isinstance(value, dict)
    ]
    if bad:
        _refuse(path, bad, remedy)
    return [(value, f"{name}:{number}") for number, value in enumerate(values, start=1)]


def _read_csv(path: Path, name: str) -> RawRows:
    """Cells are text, as they stand in the file (`007` stays so); an empty cell is ""."""
    csv.field_size_limit(2**31 - 1)  # the default, 128 KiB, is shorter than a document
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    text = _read_text(path)
    first, others = text.partition("\n")[0], {",": ";\t", "\t": ",;"}[delimiter]
    if delimiter not in first and any(other in first for other in others):
        raise DataError(
            f"its first line has no {'comma' if delimiter == ',' else 'tab'} between columns: {_excerpt(first)}",
            where=f"{path}:1",
            remedy="A .csv file separates its cells with ',', a .tsv file with tabs: save it so.",
        )
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: RawRows = []
    bad: list[str] = []
    header: list[str] = []
    for number, cells in _csv_lines(reader, path, bad):
        if not cells:
            continue
        if not header:
            header = [cell.strip() for cell in cells]
            twice = sorted({cell for cell in header if header.count(cell) > 1})
            if twice:
                raise DataError(
                    f"has more than one column {twice[0]!r}", where=f"{path}:{number}", remedy="Rename one."
                )
        elif len(cells) == len(header):
            rows.append((dict(zip(header, cells, strict=True)), f"{name}:{number}"))
        else:
            bad.append(
                f"{path.name}:{number}: {len(cells)} cells, {len(header)} columns: {_excerpt(delimiter.join(cells))}"
            )
    remedy = 'Every line must have one cell per column; put cells with separators or line ends in "quotes".'
    return rows + _unreadable(path, name, bad, len(rows), remedy)


def _csv_lines(reader: Any, path: Path, bad: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Cells with the line they begin on: a quoted cell may hold line ends."""
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            bad.append(f"{path.name}:{number}: {error}")
            continue
        yield number, cells


def _read_parquet(path: Path, name: str) -> RawRows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path).read()
        twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
        values = [] if twice else table.to_pylist()
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:  # the last two: texts, times out of range
        why = str(error).partition("\n")[0]
        raise DataError(f"cannot be read as parquet: {why}", where=str(path), remedy="Write the file again.") from error
    if twice:
        raise DataError(f"has more than one column {twice[0]!r}", where=str(path), remedy="Rename one.")
    return [(value, f"{name}:{number}") for number, value in enumerate(values, start=1)]


def _read_txt(path: Path, name: str) -> RawRows:
    """One row per paragraph (lines between blank lines), in the column `text`."""
    rows: RawRows = []
    paragraph: list[str] = []
    for number, line in enumerate([*_read_text(path).splitlines(), ""], start=1):
        if line.strip():
            paragraph.append(line.rstrip())
        elif paragraph:
            rows.append(({"text": "\n".join(paragraph)}, f"{name}:{number - len(paragraph)}"))
            paragraph = []
    return rows


def _read_conll(path: Path, name: str) -> RawRows:
    """One row per sentence (lines between blank lines): the first cell of a line is in `tokens`, the last in `tags`.

    Cells are parted by tabs, or by spaces where a line has no tab; `-DOCSTART-` lines say nothing about words.
    """
    rows: RawRows = []
    bad: list[str] = []
    words: list[tuple[str, str]] = []
    start = 1
    for number, line in enumerate([*_read_text(path).split("\n"), ""], start=1):
        cells = [cell.strip() for cell in line.split("\t")] if "\t" in line.strip() else line.split()
        if cells and len(cells) < 2:
            bad.append(f"{path.name}:{number}: a word without a tag: {_excerpt(line)}")
        elif cells and cells[0] != "-DOCSTART-":
            start = start if words else number
            words.append((cells[0], cells[-1]))
        elif words:
            tokens, tags = (list(column) for column in zip(*words, strict=True))
            rows.append(({"tokens": tokens, "tags": tags}, f"{name}:{start}"))
            words = []
    if bad:
        _refuse(path, bad, "Every line must be a word and its tag, 'London B-location'; a blank line ends a sentence.")
    return rows


READERS: dict[str, Callable[[Path, str], RawRows]] = {
    ".jsonl": _read_jsonl,
    ".json": _read_json,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
    ".txt": _read_txt,
    ".conll": _read_conll,
    ".bio": _read_conll,
}


def _read_text(path: Path) -> str:
    """The whole file as UTF-8, without a byte order mark."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"is {_decode_text(error)}", where=f"{path}:{line}", remedy=_UTF8_REMEDY) from None


def _decode_text(error: UnicodeDecodeError) -> str:
    byte = error.object[error.start]
    return f"not UTF-8 (byte 0x{byte:02x}: {error.reason})"


def _parse_text(error: ValueError | RecursionError) -> str:
    """Why Python's JSON parser gives up: its own words, or that of a limit of Python's."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    if isinstance(error, UnicodeEncodeError):
        return "half a character (an escape \\ud800 to \\udfff that stands alone)"
    return "too deep" if isinstance(error, RecursionError) else "a number with too many digits"


def _check_whole(value: Any, written: bytes) -> None:
    """Raise UnicodeEncodeError for text with half a character: JSON may hold it, and no tokenizer takes it."""
    if b"\\u" in written:
        json.dumps(value, ensure_ascii=False).encode()


def _excerpt(text: str, length: int = 60) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


def _unreadable(path: Path, name: str, bad: list[str], num_rows: int, remedy: str) -> RawRows:
    """A few bad lines as rows that say so; with many the file is of another kind than its name says, and refused."""
    if len(bad) > MAX_UNREADABLE * (num_rows + len(bad)):
        _refuse(path, bad, remedy)
    told = [line.removeprefix(f"{path.name}:").partition(": ") for line in bad]
    return [(Unreadable(reason), f"{name}:{number}") for number, _, reason in told]


def _refuse(path: Path, bad: list[str], remedy: str) -> None:
    more = f"; and {len(bad) - NUM_SHOWN} more" if len(bad) > NUM_SHOWN else ""
    lines = "line" if len(bad) == 1 else "lines"
    shown = "; ".join(bad[:NUM_SHOWN])
    raise DataError(f"{len(bad)} {lines} cannot be read: {shown}{more}", where=str(path), remedy=remedy)
