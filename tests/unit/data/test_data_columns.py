"""Which of a file's columns become which of the task's."""

from __future__ import annotations

from pathlib import Path

from ftsweep.data.sources.columns import Columns
from ftsweep.data.sources.files import Files

WANTED = ("prompt", "completion", "instruction", "input", "output")


def test_a_column_that_is_mapped_is_not_also_what_its_own_name_says() -> None:
    columns = Columns(WANTED, {"prompt": "instruction", "completion": "output"}, None)
    values, problem = columns.values({"instruction": "a", "input": "b", "output": "c"})
    assert (values, problem) == ({"prompt": "a", "completion": "c", "input": "b"}, "")


def test_a_mapped_column_may_be_the_group_too() -> None:
    columns = Columns(("text", "label"), {"text": "author"}, "author")
    assert columns.values({"author": "a", "label": "b"})[0] == {"text": "a", "label": "b", "author": "a"}


def test_numbers_count_the_files_columns_however_few_of_them_are_read(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("author,day,mood,tweet\n" + "me,monday,good,a text\n" * 3)
    rows = Files(train=str(tmp_path / "rows.csv"), columns={"text": "tweet", "label": 3}, group="author").load(
        ("text", "label")
    )["train"]
    assert rows[0].values == {"text": "a text", "label": "good", "author": "me"}
    assert rows[0].file_columns == ("author", "day", "mood", "tweet")
