from __future__ import annotations

import pytest

from ftsweep.errors import DataError
from ftsweep.tasks.classification import Classification
from ftsweep.tasks.encoding.typed_rows import parse_rows


def test_lines_are_text_or_objects_with_or_without_a_byte_order_mark():
    lines = ['\ufeff{"text": "a"}\n', "\n", "plain, with a comma\n"]
    rows = parse_rows(lines, Classification(), name="rows.jsonl")
    assert rows == [{"text": "a"}, {"text": "plain, with a comma"}]


@pytest.mark.parametrize(
    ("name", "lines"),
    [("rows.csv", ["text,label\n"]), ("rows.TSV", ["text\n"]), ("rows.json", ["[\n", '{"text": "a"}\n', "]\n"])],
)
def test_a_table_is_not_answered_line_by_line(name, lines):
    with pytest.raises(DataError, match=rf"^{name}.*Save it as JSON lines"):
        parse_rows(lines, Classification(), name=name)


def test_text_that_is_not_utf_8_is_refused(tmp_path):
    (tmp_path / "rows.txt").write_bytes("été".encode("latin-1"))
    with (tmp_path / "rows.txt").open(encoding="utf-8") as file, pytest.raises(DataError, match="is not UTF-8"):
        parse_rows(file, Classification(), name="rows.txt")
