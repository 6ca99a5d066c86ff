"""Rows that were packed away come back as they were."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftsweep.data.base import Row
from ftsweep.data.files.row_store import RowStore
from ftsweep.data.sources.files import Files


def test_rows_of_both_kinds_come_back_in_order_with_place_and_problem() -> None:
    store = RowStore(["text", "label"])
    store.add_file("a.csv")
    store.add({"text": "x"}, 2)
    store.add({}, 3, "broken")
    store.add_columns({"words": ["y", "z"]}, ["words", "kind"], 4)
    store.add_file("b.csv")
    store.add({"text": None, "label": 1}, 9)
    expected = [
        Row({"text": "x"}, "a.csv:2"),
        Row({}, "a.csv:3", problem="broken"),
        Row({"text": "y"}, "a.csv:4"),
        Row({"text": "z"}, "a.csv:5"),
        Row({"text": None, "label": 1}, "b.csv:9"),
    ]
    assert list(store) == expected == [store[place] for place in range(5)]
    assert store[-1] == expected[-1]
    assert store[1:3] == expected[1:3]
    with pytest.raises(IndexError):
        store[5]


@pytest.mark.parametrize("name", ["r.csv", "r.jsonl"])
def test_many_rows_are_all_there_one_by_one_and_by_place(tmp_path: Path, name: str) -> None:
    texts = [f"text {number}" for number in range(5_000)]
    if name == "r.csv":
        content = "text,other\n" + "".join(f"{text},x\n" for text in texts)
    else:
        content = "".join(json.dumps({"text": text, "other": "x"}) + "\n" for text in texts)
    (tmp_path / name).write_text(content)
    rows = Files(train=str(tmp_path / name)).load(("text",))["train"]
    first = 2 if name == "r.csv" else 1
    assert [row.values for row in rows] == [{"text": text} for text in texts]
    assert [row.place for row in rows] == [f"{name}:{number + first}" for number in range(5_000)]
    assert all(rows[place].values["text"] == texts[place] for place in (0, 1022, 1023, 1024, 2047, 4_999, 3))
    assert rows[0].file_columns == ("text", "other")
