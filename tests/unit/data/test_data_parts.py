"""Rows that are held out and not read so, and texts and labels that stand in different files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftsweep.data.looking.look import Look, look_at


def looked(folder: Path, row: Any) -> Look:
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row(n))}\n" for n in range(60)))
    return look_at([str(folder / "rows.jsonl")])


def labelled(number: int) -> dict[str, Any]:
    return {"text": f"the {number}th day was long", "label": "ab"[number % 2]}


def warnings(look: Look) -> str:
    return " ".join(each.text for each in look.findings if each.severity == "warn")


@pytest.mark.parametrize(
    "part", [{"is_test": 1}, {"is_train": "no"}, {"fold": 3}, {"portion": "unlabelled"}, {"Usage": "Private"}]
)
def test_a_column_that_holds_rows_out_and_is_not_read_is_told(part: dict[str, Any], tmp_path: Path) -> None:
    (name, held_out) = next(iter(part.items()))
    look = looked(
        tmp_path, lambda n: {**labelled(n), name: held_out if n % 3 == 0 else {"is_test": 0}.get(name, "train")}
    )
    assert look.guess is not None
    assert look.guess.columns["label"] == "label"
    assert f"'{name}' seems to say which part" in warnings(look)


def test_trains_beside_buses_are_no_part_of_the_data(tmp_path: Path) -> None:
    assert not warnings(looked(tmp_path, lambda n: {**labelled(n), "ride": ["train", "bus", "plane"][n % 3]}))


def test_a_column_without_a_name_that_says_splits_is_the_split_and_no_label(tmp_path: Path) -> None:
    lines = (f"{['TRAIN', 'TRAIN', 'TEST'][n % 3]},the {n}th day was long,{'ab'[n % 2]}\n" for n in range(60))
    (tmp_path / "rows.csv").write_text("".join(lines))
    look = look_at([str(tmp_path / "rows.csv")])
    assert look.guess is not None
    assert (look.split_column, look.num_rows) == ("1", {"train": 40, "test": 20})
    assert look.guess.columns == {"text": "2", "label": "3"}


@pytest.mark.parametrize(
    "values", [["2024-01-05", "2024-02-06"], ["9e107d9d372bb6826bd81d3542a419d6", "e4d909c290d0fb1c"]]
)
def test_dates_and_hashes_are_no_classes(values: list[str], tmp_path: Path) -> None:
    look = looked(tmp_path, lambda n: {"text": f"the {n}th day was long", "seen": values[n % 2]})
    assert look.guess is not None
    assert look.guess.task == "text"


def test_a_file_that_is_held_out_by_its_name_is_test_and_one_without_a_split_is_told(tmp_path: Path) -> None:
    for name in ("train", "holdout", "extra"):
        (tmp_path / f"{name}.jsonl").write_text("".join(f"{json.dumps(labelled(n))}\n" for n in range(60)))
    names = [str(tmp_path / f"{name}.jsonl") for name in ("train", "holdout", "extra")]
    assert look_at(names[:2]).num_rows == {"train": 60, "test": 60}
    assert "extra.jsonl: read as train" in warnings(look_at([names[0], names[2]]))
    assert not warnings(look_at(names[2:]))


def test_folders_that_are_named_one_by_one_are_told_to_name_no_labels(tmp_path: Path) -> None:
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
        for n in range(30):
            (tmp_path / name / f"{n}.txt").write_text(f"the {n}th {name} day")
    look = look_at([str(tmp_path / "good"), str(tmp_path / "bad")])
    assert "the folders good, bad are read as one" in " ".join(each.text for each in look.findings)


def test_texts_and_labels_in_two_tables_are_put_together_by_the_command_in_the_message(tmp_path: Path) -> None:
    texts = "".join(f"en;0{n};the {n}th café was long\n" for n in range(60))
    (tmp_path / "train.csv").write_text(f"a_language;id;text\n{texts}", encoding="cp1252")
    labels = "".join(f"en,0{n},{'ab'[n % 2]}\n" for n in range(60))
    (tmp_path / "train_labels.csv").write_text(f"a_language,id,label\n{labels}", encoding="utf-8-sig")
    look = look_at([str(tmp_path / "train.csv"), str(tmp_path / "train_labels.csv")])
    assert look.guess is None
    assert look.doubt is not None
    (command,) = re.findall(r"by 'id': `(.*)`", look.doubt.remedy)
    subprocess.run(["bash", "-c", command.replace("python ", f"{sys.executable} ", 1)], cwd=tmp_path, check=True)
    together = look_at([str(tmp_path / "NEW.csv")])
    assert together.guess is not None
    assert (together.guess.task, together.num_rows) == ("classification", {"train": 60})
    assert "the 7th café was long" in together.columns["text"].counts


def test_rows_in_files_that_are_named_after_labels_are_told_with_what_labels_them(tmp_path: Path) -> None:
    for name in ("good", "bad"):
        lines = (f"{json.dumps({'text': f'the {n}th {name} day'})}\n" for n in range(30))
        (tmp_path / f"{name}.jsonl").write_text("".join(lines))
    (told,) = [each for each in look_at([str(tmp_path)]).findings if each.check == "labels"]
    (command,) = re.findall(r"are labels: `(.*)`", told.text)
    subprocess.run(["bash", "-c", command.replace("python ", f"{sys.executable} ", 1)], cwd=tmp_path, check=True)
    assert dict(look_at([str(tmp_path / "NEW.jsonl")]).columns["label"].counts) == {"bad": 30, "good": 30}
