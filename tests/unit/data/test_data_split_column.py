"""Splits that a column of the rows names."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftsweep.config.compose import compose_sweep
from ftsweep.control.new_sweep import write_new_sweep
from ftsweep.data.looking.look import look_at
from ftsweep.data.sources.files import Files
from ftsweep.errors import ConfigError, DataError

WORDS = ["Training", "train", "val", "dev", "test "]


def table(folder: Path, words: list[str] = WORDS, *, more: str = "") -> str:
    lines = [f"a text of number {n},{'xy'[n % 2]},{words[n % len(words)]}\n" for n in range(60)]
    (folder / "r.csv").write_text("text,label,part\n" + "".join(lines) + more)
    return str(folder / "r.csv")


def test_each_row_is_in_the_split_that_it_names(tmp_path: Path) -> None:
    loaded = Files(train=table(tmp_path), split="part").load(("text", "label"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 24, "validation": 24, "test": 12}
    assert [row.place for row in loaded["test"]][:2] == ["r.csv:6", "r.csv:11"]
    assert dict(loaded["test"][0].values) == {"text": "a text of number 4", "label": "x"}


def test_a_row_that_cannot_be_read_is_not_lost(tmp_path: Path) -> None:
    loaded = Files(train=table(tmp_path, more="too,many,test,cells\n"), split="part").load(("text", "label"))
    assert sum(map(len, loaded.values())) == 61
    assert [row.place for row in loaded["train"] if row.problem] == ["r.csv:62"]


def test_rows_that_name_no_split_are_refused_and_the_remedy_works(tmp_path: Path) -> None:
    file = table(tmp_path, ["train", "fold 3", ""])
    with pytest.raises(
        DataError, match=r"'part', which data.split names, says no split in 40 of 60 rows: 'fold 3' \(20\)"
    ):
        Files(train=file, split="part").load(("text", "label"))
    assert len(Files(train=file, split=None).load(("text", "label"))["train"]) == 60
    with pytest.raises(DataError, match=r"'part', which .* nothing \(60\)"):
        Files(train=table(tmp_path, [""]), split="part").load(("text", "label"))


def test_a_column_and_files_cannot_both_name_splits(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data.split: .*data.test names a file"):
        Files(train="a.csv", test="b.csv", split="part")
    (tmp_path / "set").mkdir()
    for name in ("train", "test"):
        table(tmp_path / "set")
        (tmp_path / "set" / "r.csv").rename(tmp_path / "set" / f"{name}.csv")
    with pytest.raises(DataError, match="the files' names say it already"):
        Files(train=str(tmp_path / "set"), split="part").load(("text", "label"))


def test_another_column_is_another_fingerprint(tmp_path: Path) -> None:
    file = table(tmp_path)
    assert Files(train=file, split="part").fingerprint() != Files(train=file).fingerprint()


def test_a_look_finds_the_column(tmp_path: Path) -> None:
    look = look_at([table(tmp_path)])
    assert (look.split_column, look.num_rows) == ("part", {"train": 24, "validation": 24, "test": 12})
    assert compose_sweep(str(write_new_sweep(look).file)).branches[0].config["data"]["split"] == "part"
    assert look_at([table(tmp_path, ["train", "fold"])]).split_column is None
    assert look_at([table(tmp_path, ["train"])]).split_column is None
