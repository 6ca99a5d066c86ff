"""Folders that name splits, within and around folders that name labels; folders behind links; archives in folders."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path

import pytest

from ftsweep.data.files.found import FoundFiles, find_files
from ftsweep.errors import DataError


def _found(root: Path, *places: str, named: str | None = None) -> FoundFiles:
    """What is found in a folder with three texts at each of the places."""
    for place in places:
        (root / place).mkdir(parents=True)
        for number in range(3):
            (root / place / f"{number}.txt").write_text(f"the {number}th text of {place}")
    return find_files(named or str(root))


def _labels(found: FoundFiles) -> dict[str, dict[str, int]]:
    return {split: dict(Counter(file.folder for file in files)) for split, files in found.splits.items()}


def _warnings(found: FoundFiles) -> str:
    return " ".join(each.text for each in found.findings if each.severity == "warn")


@pytest.mark.parametrize("named", [".", "./", "../mail"])
def test_a_folder_is_read_alike_by_every_way_to_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str):
    root = tmp_path / "mail"
    root.mkdir()
    monkeypatch.chdir(root)
    found = _found(root, "train/ham", "train/spam", "test/ham", "test/spam", named=named)
    assert _labels(found) == {"train": {"ham": 3, "spam": 3}, "test": {"ham": 3, "spam": 3}}
    assert "mail has files named after splits: train: train/ham/0.txt" in found.findings[0].text


def test_labels_around_splits_are_labels_as_those_within_are(tmp_path: Path) -> None:
    found = _found(tmp_path, "sports/train", "sports/test", "tech/train", "tech/test")
    assert _labels(found) == {"train": {"sports": 3, "tech": 3}, "test": {"sports": 3, "tech": 3}}


def test_a_label_that_is_a_word_of_splits_stays_in_its_split(tmp_path: Path) -> None:
    found = _found(tmp_path, "train/exam", "train/test", "test/exam", "test/test")
    assert _labels(found) == {"train": {"exam": 3, "test": 3}, "test": {"exam": 3, "test": 3}}


def test_a_title_that_speaks_of_a_split_is_no_split_within_one(tmp_path: Path) -> None:
    _found(tmp_path, "train/a", "train/b", "dev/a", "dev/b")
    (tmp_path / "train" / "a" / "stress test.txt").write_text("a text")
    assert _labels(find_files(str(tmp_path)))["train"] == {"a": 4, "b": 3}


def test_a_held_out_split_without_train_beside_labels_is_told_with_the_command_that_makes_it_one(tmp_path: Path):
    found = _found(tmp_path, "dev", "ops", "sales")
    assert set(found.splits) == {"train", "validation"}
    assert f"mv {tmp_path}/dev {tmp_path}/devlabel" in _warnings(found)
    (tmp_path / "dev").rename(tmp_path / "devlabel")
    assert _labels(find_files(str(tmp_path))) == {"train": {"devlabel": 3, "ops": 3, "sales": 3}}


def test_more_files_that_are_left_out_than_are_read_are_a_warning(tmp_path: Path) -> None:
    assert "not read: bus_delays/0.txt" in _warnings(_found(tmp_path, "train_delays", "bus_delays", "plane_delays"))


def test_labels_of_texts_are_read_beside_a_split_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("text,label\nhello there,pos\n")
    found = _found(tmp_path, "train/pos", "train/neg")
    assert _labels(found) == {"train": {"pos": 3, "neg": 3}, "test": {"": 1}}


def test_folders_that_are_named_as_parts_or_lie_at_different_depths_are_told_to_name_no_labels(tmp_path: Path) -> None:
    found = _found(tmp_path / "parts", "subset00", "subset01")
    assert _labels(found) == {"train": {"": 6}}
    assert "named as parts of one set" in found.findings[-1].text
    found = _found(tmp_path / "depths", "pos", "neg/more")
    assert _labels(found) == {"train": {"": 6}}
    assert "different depths" in found.findings[-1].text


def test_a_text_in_each_folder_is_no_label_of_it(tmp_path: Path) -> None:
    for place in ("en", "de"):
        (tmp_path / place).mkdir()
        for split in ("train", "dev"):
            (tmp_path / place / f"{split}.txt").write_text("one text\n\nand another\n")
    found = find_files(str(tmp_path))
    assert _labels(found) == {"train": {"": 2}, "validation": {"": 2}}
    assert "with a text each" in found.findings[-1].text


def test_archives_in_a_folder_are_splits_and_labels_as_folders_are(tmp_path: Path) -> None:
    def write(name: str, *members: str) -> None:
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member in members:
                archive.writestr(member, f"the text of {member}")

    write("train.zip", "pos/1.txt", "pos/2.txt", "neg/1.txt", "neg/2.txt")
    write("test.zip", "pos/1.txt", "neg/1.txt")
    assert _labels(find_files(str(tmp_path))) == {"train": {"neg": 2, "pos": 2}, "test": {"neg": 1, "pos": 1}}
    for name in ("train.zip", "test.zip"):
        (tmp_path / name).unlink()
    write("pos.zip", "1.txt", "2.txt")
    write("neg.zip", "1.txt")
    assert _labels(find_files(str(tmp_path))) == {"train": {"neg": 1, "pos": 2}}


def test_folders_behind_links_are_read_once(tmp_path: Path) -> None:
    (tmp_path / "set" / "neg").mkdir(parents=True)
    _found(tmp_path / "elsewhere", "pos")
    (tmp_path / "set" / "pos").symlink_to(tmp_path / "elsewhere" / "pos")
    (tmp_path / "set" / "neg" / "again").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "neg" / "1.txt").write_text("a text")
    assert _labels(find_files(str(tmp_path / "set"))) == {"train": {"neg": 1, "pos": 3}}


def test_many_texts_of_another_kind_and_a_table_about_the_texts_are_told(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    for number in range(6):
        (tmp_path / "notes" / f"{number}.md").write_text("# a note")
    (tmp_path / "metadata.csv").write_text("file,label\n1.txt,good\n")
    told = _warnings(_found(tmp_path, "texts"))
    assert "not read: metadata.csv, notes/0.md" in told
    assert f"find {tmp_path} -name '*.md'" in told


def test_several_revisions_in_a_cache_of_the_hub_are_refused_and_one_is_read(tmp_path: Path) -> None:
    for revision in ("1a", "2b"):
        (tmp_path / "snapshots" / revision).mkdir(parents=True)
        (tmp_path / "snapshots" / revision / "train.csv").write_text("text,label\nhello there,good\n")
    (tmp_path / "refs").mkdir()
    with pytest.raises(DataError, match="several revisions"):
        find_files(str(tmp_path))
    assert len(find_files(str(tmp_path / "snapshots" / "2b")).splits["train"]) == 1
