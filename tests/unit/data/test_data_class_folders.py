"""Folders of texts by label with other files beside them, and names that speak of splits within a word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ftsweep.control.new_sweep import write_new_sweep
from ftsweep.data.files.found import find_files
from ftsweep.data.files.split_words import split_named, splits_of_alike
from ftsweep.data.looking.look import look_at
from ftsweep.errors import DataError


def _texts(folder: Path, num_texts: int = 30) -> None:
    folder.mkdir(parents=True)
    for n in range(num_texts):
        (folder / f"{n}.txt").write_text(f"the {n}th day was {folder.name} from morning to night")


def test_a_file_beside_folders_of_texts_is_left_out_and_told(tmp_path: Path) -> None:
    _texts(tmp_path / "mail" / "ham")
    _texts(tmp_path / "mail" / "spam")
    (tmp_path / "mail" / "Summary.txt").write_text("60 mails of one person")
    look = look_at([str(tmp_path / "mail")])
    assert look.guess is not None
    assert (look.guess.task, look.num_rows) == ("classification", {"train": 60})
    (told,) = [finding for finding in look.findings if finding.severity == "warn"]
    assert "not read: mail/Summary.txt" in told.text


def test_as_many_files_beside_folders_as_within_are_texts_as_well(tmp_path: Path) -> None:
    _texts(tmp_path / "notes")
    _texts(tmp_path / "notes" / "old")
    _texts(tmp_path / "notes" / "new")
    assert not any(file.folder for file in find_files(str(tmp_path / "notes")).splits["train"])


def test_a_folder_of_texts_that_train_alone_has_is_told_with_the_command_that_moves_it(tmp_path: Path) -> None:
    for place in ("train/pos", "train/neg", "train/unsup", "test/pos", "test/neg"):
        _texts(tmp_path / "reviews" / place, num_texts=5)
    (told,) = [each for each in find_files(str(tmp_path / "reviews")).findings if each.severity == "warn"]
    assert f"mv {tmp_path}/reviews/train/unsup ELSEWHERE" in told.text


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("TrainingSet.csv", "train"),
        ("testset.csv", "test"),
        ("testdata.manual.csv", "test"),
        ("devset.jsonl", "validation"),
        ("DEV.tsv", "validation"),
        ("latest.csv", ""),
        ("contest.csv", ""),
        ("device.csv", ""),
        ("devOps.csv", ""),
    ],
)
def test_a_split_is_a_word_of_a_name_or_begins_one_of_a_set(name: str, split: str) -> None:
    assert split_named(name) == split


def test_names_that_differ_in_the_split_alone_are_held_apart(tmp_path: Path) -> None:
    assert splits_of_alike(["latest.csv", "trains.csv", "attest.csv"]) == {}
    for name, num_rows in (("engtrain", 40), ("engtest", 20)):
        (tmp_path / f"{name}.bio").write_text("B-LOC\tlondon\nO\tis\nO\tbig\n\n" * num_rows)
    assert look_at([str(tmp_path)]).num_rows == {"train": 40, "test": 20}
    named = [str(tmp_path / "engtrain.bio"), str(tmp_path / "engtest.bio")]
    assert look_at(named).num_rows == {"train": 40, "test": 20}


@pytest.mark.parametrize(
    "odd", ["2 cups of flour\n1 cup of milk\n" * 6, '{"a": 1}\n', "Aix, FR\nBern, CH\n" * 6, "a|b\n" * 9]
)
def test_one_text_that_is_a_list_or_json_stays_a_text_of_its_folder(odd: str, tmp_path: Path) -> None:
    _texts(tmp_path / "mail" / "ham")
    _texts(tmp_path / "mail" / "spam")
    (tmp_path / "mail" / "ham" / "odd.txt").write_text(odd)
    look = look_at([str(tmp_path / "mail")])
    assert look.guess is not None
    assert (look.guess.task, look.num_rows) == ("classification", {"train": 61})


def test_programs_and_pages_beside_a_table_are_not_told_to_be_named_txt(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,label\n" + "".join(f"the {n}th day,{'ab'[n % 2]}\n" for n in range(60)))
    for n in range(9):
        (tmp_path / f"{n}.py").write_text("pass\n")
    assert not look_at([str(tmp_path)]).findings


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ham", "spam", "eggs", ".git"):
        _texts(tmp_path / "mail" / name)
    scan = os.scandir

    def refused(path: str) -> object:
        if Path(path).name in ("eggs", ".git"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refused)
    found = find_files(str(tmp_path / "mail"))
    (told,) = [finding for finding in found.findings if finding.severity == "warn"]
    assert "eggs cannot be read (Permission denied)" in told.text
    assert len(found.splits["train"]) == 60


def test_an_error_names_the_label_that_is_taken_for_a_split(tmp_path: Path) -> None:
    for name in ("test", "exam", "quiz"):
        _texts(tmp_path / "school" / "year" / name)
    look = look_at([str(tmp_path / "school")], task="classification")
    with pytest.raises(DataError, match=r"'test' is taken for test .* named after train: exam, quiz.*mv .*/year/test "):
        write_new_sweep(look, out=tmp_path / "school.yaml")
