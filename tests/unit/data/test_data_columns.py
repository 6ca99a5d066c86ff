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
    assert rows[0].file_columns[:4] == ("author", "day", "mood", "tweet")


def test_columns_of_labels_are_found_only_where_nothing_else_is_there(tmp_path: Path) -> None:
    def found(header: str, row: str) -> object:
        (tmp_path / "rows.csv").write_text(
            header + "\n" + "".join(row.format(number=number, flag=number % 2) + "\n" for number in range(20))
        )
        source = Files(train=str(tmp_path / "rows.csv"))
        before = source.fingerprint()
        rows = source.load(("text", "labels"))["train"]
        assert source.fingerprint() == before
        return rows[1].values.get("labels")

    assert found("id,text,lamp,soup", "{number},text {number},{flag},1") == ["lamp", "soup"]
    assert found("text,lamp,soup,lang", "text {number},{flag},1,en") is None
    assert found("text,lamp,stars", "text {number},{flag},{number}") is None
    assert found("text,lamp", "text {number},{flag}") is None
    assert found("text,labels,lamp,soup", "text {number},a|b,{flag},1") == ["a", "b"]
