"""Columns of files that nothing reads are told by their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ftsweep.data.encoding import EncodingReport
from ftsweep.data.inspection import DataView
from ftsweep.data.sources.files import Files
from ftsweep.data.splitting.splitting import split_rows
from ftsweep.guards.unread import Unread
from ftsweep.tasks.token_classification import TokenClassification
from ftsweep.testing.guard import WordTask


class _LabelsTask(WordTask):
    columns = ("text", "labels")

    def target_text(self, values: Any) -> str:
        return ",".join(values["labels"])


def told(folder: Path, header: str, row: str, task: WordTask | None = None, **keys: Any) -> list[str]:
    task = task or WordTask()
    (folder / "rows.csv").write_text(
        header + "\n" + "".join(row.format(number=number, flag=number % 2) + "\n" for number in range(40))
    )
    source = Files(train=str(folder / "rows.csv"), **keys)
    split = split_rows(source.load(task.columns), source, task, seed=0)
    view = DataView(task, source, split.rows, split.ids, split.texts, split.source, split.left_out, EncodingReport())
    return [sighting.what for sighting in Unread().look(view)]


def test_a_column_that_nothing_reads_is_told_and_one_that_is_read_is_not(tmp_path: Path) -> None:
    (what,) = told(tmp_path, "text,label,day,place", "text {number},{flag},monday,here")
    assert what.startswith("2 columns of the data are not used, nothing reads day, place ")
    assert told(tmp_path, "text,label", "text {number},{flag}") == []


def test_columns_that_are_named_otherwise_or_by_number_are_read(tmp_path: Path) -> None:
    row = "text {number},{flag},g{number}"
    assert told(tmp_path, "tweet,mood,author", row, columns={"text": "tweet", "label": 2}, group="author") == []
    (what,) = told(tmp_path, "tweet,mood,author", row, columns={"text": 1, "label": "mood"})
    assert what.startswith("1 column of the data is not used, nothing reads author ")


def test_a_column_that_says_splits_is_named_with_its_key(tmp_path: Path) -> None:
    (what,) = told(tmp_path, "text,label,split", "text {number},{flag},train")
    assert what.endswith("; data.split reads a column that says the split of each row")
    assert told(tmp_path, "text,label,split", "text {number},{flag},train", split="split") == []


def test_columns_of_labels_that_were_found_are_read(tmp_path: Path) -> None:
    task = _LabelsTask()
    (what,) = told(tmp_path, "text,id,lamp,soup", "text {number},{number},{flag},1", task)
    assert what.startswith("1 column of the data is not used, nothing reads id ")


def test_words_and_tags_by_number_or_name_are_read(tmp_path: Path) -> None:
    line = "1\tword{number}\tB-x\tO\n"
    (tmp_path / "rows.conll").write_text(
        "ID\tFORM\tNE\tMISC\n" + "".join(line.format(number=number) + "2\tb\tO\tO\n\n" for number in range(40))
    )
    for columns in ({"tokens": 2, "tags": 3}, {"tokens": "FORM", "tags": "NE"}, None):
        source, task = Files(train=str(tmp_path / "rows.conll"), columns=columns), TokenClassification()
        split = split_rows(source.load(task.columns), source, task, seed=0)
        parts = (split.rows, split.ids, split.texts, split.source, split.left_out)
        assert list(Unread().look(DataView(task, source, *parts, EncodingReport()))) == []


def test_a_column_that_says_whose_a_row_is_is_told_with_the_key_that_keeps_such_rows_together(tmp_path: Path) -> None:
    (what,) = told(tmp_path, "text,label,day,customer_id", "text {number},{flag},monday,c{number}")
    assert "data.group keeps rows with one 'customer_id' in one split" in what
    header, row = "text,label,day,customer_id", "text {number},{flag},monday,c{number}"
    (what,) = told(tmp_path, header, row, group="customer_id")
    assert "data.group" not in what
