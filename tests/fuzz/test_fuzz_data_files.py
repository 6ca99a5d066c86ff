"""Whatever stands in a data file: rows, rows that say why they cannot be read, or one paragraph."""

from __future__ import annotations

import io
import json
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fuzzing import fuzz
from hypothesis import strategies as st

from ftsweep.data.files.found import find_files
from ftsweep.data.files.kinds import FORMATS
from ftsweep.data.files.reading import open_file
from ftsweep.data.sources.files import Files
from ftsweep.errors import DataError

SUFFIXES = sorted(FORMATS)


@cache
def whole(suffix: str) -> bytes:
    """A good file of this kind."""
    rows = [{"text": f"a text of number {index}, \u00e9", "label": "ab"[index % 2]} for index in range(12)]
    kind = FORMATS[suffix]
    buffer, table = io.BytesIO(), pa.Table.from_pylist(rows)
    if kind == "parquet":
        pq.write_table(table, buffer)
        return buffer.getvalue()
    if kind == "arrow":
        with pa.ipc.new_file(buffer, table.schema) as file:
            file.write_table(table)
        return buffer.getvalue()
    separator = "\t" if kind == "tsv" else ","
    return {
        "json": json.dumps(rows),
        "jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        "txt": "\n\n".join(row["text"] for row in rows),
    }.get(
        kind,
        "a O\nb B-x\n\n" * 9
        if kind == "conll"
        else f"text{separator}label\n" + "".join(f'"{row["text"]}"{separator}{row["label"]}\n' for row in rows),
    ).encode()


@st.composite
def damaged(draw: Any) -> tuple[str, bytes]:
    """A file of some kind that was cut, flipped, overwritten, or is something else altogether."""
    suffix = draw(st.sampled_from(SUFFIXES))
    data = bytearray(whole(draw(st.sampled_from([suffix, suffix, suffix, *SUFFIXES]))))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(data)))
        piece = draw(
            st.binary(max_size=6)
            | st.sampled_from(
                [
                    b"\0",
                    b"\xff\xfe",
                    b"\xef\xbb\xbf",
                    b'"',
                    b"\r",
                    b"\\ud800",
                    b"[" * 3000,
                    b"9" * 5000,
                    b"NaN",
                    b"\xe2\x80\xa8",
                ]
            )
        )
        data[place : place + draw(st.integers(0, 5))] = piece
    return suffix, bytes(data[draw(st.sampled_from([0, 0, 0, 1, 5])) : draw(st.none() | st.integers(0, len(data)))])


def loaded(suffix: str, data: bytes) -> list[Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"rows{suffix}"
        path.write_bytes(data)
        source = Files(train=str(path))
        assert source.fingerprint()
        return source.load(("text", "label", "tokens", "tags"))["train"]


@fuzz(100, file=damaged())
def test_a_damaged_file_gives_rows_or_one_paragraph(file: tuple[str, bytes]) -> None:
    rows: list[Any] = []
    refused = ""
    try:
        rows = loaded(*file)
    except DataError as error:
        refused = str(error)
    assert rows or "rows" in refused
    assert len(refused) < 3000
    for row in rows:
        assert row.place
        assert isinstance(row.problem, str)
        json.dumps(row.values, default=str, ensure_ascii=False).encode()  # what the prepared set must be able to write


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_good_file_of_every_kind_is_read_whole(suffix: str) -> None:
    assert len(loaded(suffix, whole(suffix))) in (9, 12)


def test_no_byte_of_an_arrow_file_that_is_wrong_ends_the_process() -> None:
    good = whole(".arrow")
    for place in range(0, len(good), 2):
        with suppress(DataError):
            loaded(".arrow", good[:place] + b"\xff\x7f" + good[place + 2 :])


@fuzz(15, rows=st.lists(st.dictionaries(st.text(max_size=4), st.none() | st.text(max_size=5), min_size=1), min_size=1))
def test_what_was_written_as_json_lines_is_read_back(rows: list[dict[str, Any]]) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_bytes(lines)
        (file,) = find_files(str(path)).splits["train"]
        found = list(open_file(file))
    assert [row.values for row in found] == rows
