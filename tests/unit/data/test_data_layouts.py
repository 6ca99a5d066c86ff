"""Layouts in which public data sets come, and that were learned wrong without a word."""

from __future__ import annotations

import bz2
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftsweep.data.looking.look import Look, look_at
from ftsweep.errors import DataError

ROWS = 40
WORDS = ["red", "green", "blue", "warm", "cold", "quick"]


def text(number: int) -> str:
    return f"the {WORDS[number % 6]} and the {WORDS[number // 6 % 6]} thing, {number} of them"


def lines(rows: list[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def looked(folder: Path, row: Any) -> Look:
    (folder / "rows.jsonl").write_text(lines([row(number) for number in range(ROWS)]))
    return look_at([str(folder / "rows.jsonl")])


def test_held_out_texts_and_labels_in_two_files_are_neither_taken(tmp_path: Path) -> None:
    flags = [{"rude": n % 2, "loud": n // 2 % 2, "mean": n // 4 % 2} for n in range(ROWS)]
    (tmp_path / "train.jsonl").write_text(lines([{"text": text(n), **flags[n]} for n in range(ROWS)]))
    (tmp_path / "test.jsonl").write_text(lines([{"text": text(n)} for n in range(20)]))
    (tmp_path / "test_labels.jsonl").write_text(lines(flags[:20]))
    look = look_at([str(tmp_path)])
    assert look.guess is not None
    assert (look.guess.task, look.num_rows) == ("multi_label", {"train": ROWS})
    told = [finding.text for finding in look.findings if finding.check == "columns"]
    assert "test.jsonl has no column 'rude'" in told[0]
    assert "test_labels.jsonl has no column 'text'" in told[1]


def test_one_file_of_a_split_without_the_label_is_left_out_and_the_others_are_taken(tmp_path: Path) -> None:
    rows = [{"text": text(n), "label": "ab"[n % 2]} for n in range(ROWS)]
    for name, held in (("train.jsonl", rows), ("dev-1.jsonl", rows[:10]), ("dev-2.jsonl", [{"id": 1}] * 5)):
        (tmp_path / name).write_text(lines(held))
    (tmp_path / "train-more.jsonl").write_text(lines([{"table": "x"}] * 5))
    look = look_at([str(tmp_path)])
    assert look.num_rows == {"train": ROWS + 5, "validation": 10}
    assert look.named["validation"] == [str(tmp_path / "dev-1.jsonl")]
    (told,) = [finding.text for finding in look.findings if "train-more" in finding.text and finding.check == "columns"]
    assert "its rows cannot be learned" in told


def test_of_a_warning_that_many_files_give_a_look_shows_a_few(tmp_path: Path) -> None:
    for n in range(12):
        (tmp_path / f"{n}.csv").write_bytes(f'text,label\n"caf\xe9 and {text(n)}",{"ab"[n % 2]}\n'.encode("cp1252") * 3)
    told = [finding for finding in look_at([str(tmp_path)]).findings if finding.check == "encoding"]
    assert [finding.severity for finding in told] == ["warn"] * 3 + ["note"]
    assert "9 more" in told[-1].text


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            lambda n: {"comment": text(n), "ids": "3,5" if n % 10 == 0 else "5,6" if n % 10 == 1 else str(n % 4 + 3)},
            "'ids' holds several labels in some rows, '3,5'.*--task multi_label --columns text=comment,labels=ids",
        ),
        (
            lambda n: {
                "question": {"stem": text(n), "choices": [{"label": key, "text": f"{key}{n}"} for key in "AB"]},
                "answerKey": "AB"[n % 2],
            },
            "the choices of each question stand in 'question.choices'",
        ),
        (
            lambda n: {"db_id": f"db{n % 4}", "query": f"select {text(n)}", "question": f"which of {text(n)}"},
            "'query' and 'question' are texts of each row",
        ),
        (
            lambda n: {"passage": text(n) * 9, "qa_pairs": [{"question": text(n), "answer": {"number": str(n)}}]},
            "'qa_pairs' is named like something to learn",
        ),
        (
            lambda n: {"a": WORDS[n % 6], "b": ["O", "person-actor", "O", "O"][n % 4]},
            "each row is a word with its tag.*types without B- as I-LOC",
        ),
    ],
)
def test_rows_that_were_learned_wrong_get_no_guess(row: Any, message: str, tmp_path: Path) -> None:
    look = looked(tmp_path, row)
    assert look.guess is None
    assert look.doubt is not None
    assert re.search(message, f"{look.doubt.what}. {look.doubt.remedy}")


@pytest.mark.parametrize("label", ["a, b", "a,c"])
def test_names_with_a_comma_whose_parts_are_no_names_are_one_label(label: str, tmp_path: Path) -> None:
    look = looked(tmp_path, lambda n: {"text": text(n), "kind": [label, "a", "d, e"][n % 3]})
    assert look.guess is not None
    assert look.guess.task == "classification"


def test_sentences_that_are_not_read_are_told_with_what_reads_them(tmp_path: Path) -> None:
    look = looked(tmp_path, lambda n: {"premise": text(n), "hypo": f"so {text(n)}", "label": "ab"[n % 2]})
    (told,) = [finding for finding in look.findings if finding.check == "texts"]
    said = {"text": "premise", "label": "label", "text_pair": "hypo"}
    assert f"--columns {','.join(f'{name}={column}' for name, column in said.items())}" in told.text
    again = look_at([str(tmp_path / "rows.jsonl")], task="classification", said=said)
    assert again.guess is not None
    assert again.guess.columns == said
    assert not [finding for finding in again.findings if finding.check == "texts"]


@pytest.mark.parametrize(
    ("labels", "name"), [(["__label__1", "__label__2"], "a.ft.txt.bz2"), (["A:b", "C:d"], "a.txt")]
)
def test_labels_before_texts_are_written_as_a_table_by_the_command_in_the_message(
    labels: list[str], name: str, tmp_path: Path
) -> None:
    written = "".join(f"{labels[n % 2]} {text(n)}\n" for n in range(ROWS)).encode()
    (tmp_path / name).write_bytes(bz2.compress(written) if name.endswith("bz2") else written)
    with pytest.raises(DataError) as caught:
        look_at([str(tmp_path / name)])
    (command,) = re.findall(r"table: (.* > NEW.csv)", str(caught.value))
    run_here(command, tmp_path)
    look = look_at([str(tmp_path / "NEW.csv")])
    assert look.guess is not None
    assert look.guess.columns == {"text": "text", "label": "label"}
    assert look.num_rows == {"train": ROWS}


def run_here(command: str, folder: Path) -> None:
    subprocess.run(["bash", "-c", command.replace("python ", f"{sys.executable} ", 1)], cwd=folder, check=True)


def test_lists_of_pairs_by_split_become_tables_by_the_command_in_the_message(tmp_path: Path) -> None:
    pairs = [[text(n), ["a", "b"][n % 2]] for n in range(ROWS)]
    for name in ("all.json", "alone.json"):
        (tmp_path / name).write_text(json.dumps({"val": pairs[:9], "train": pairs, "test": pairs[:12]}))
        with pytest.raises(DataError) as caught:
            look_at([str(tmp_path / name)])
    (command,) = re.findall(r"of its own: `(.*)`\.", str(caught.value))
    run_here(command, tmp_path)
    look = look_at([str(tmp_path / f"{name}.csv") for name in ("train", "val", "test")])
    assert look.guess is not None
    assert look.num_rows == {"train": ROWS, "validation": 9, "test": 12}
    columns = {"tokens": [["a", "b"]] * ROWS, "tags": [["O", "B-X"]] * ROWS}
    (tmp_path / "columns.json").write_text(json.dumps(columns))
    assert look_at([str(tmp_path / "columns.json")]).num_rows == {"train": ROWS}


def test_a_folder_with_a_row_in_each_file_becomes_lines_by_the_command_in_the_message(tmp_path: Path) -> None:
    (tmp_path / "train" / "algebra").mkdir(parents=True)
    for n in range(12):
        row = {"problem": text(n), "solution": f"it is {n}"}
        (tmp_path / "train" / "algebra" / f"{n}.json").write_text(json.dumps(row, indent=2))
    with pytest.raises(DataError) as caught:
        look_at([str(tmp_path / "train")])
    (command,) = re.findall(r"is a row: `(.*)`", str(caught.value))
    run_here(command, tmp_path)
    look = look_at([str(tmp_path / "NEW.jsonl")])
    assert look.guess is not None
    assert look.guess.columns == {"prompt": "problem", "completion": "solution"}


def test_the_names_of_repositories_are_no_classes(tmp_path: Path) -> None:
    look = looked(tmp_path, lambda n: {"content": text(n), "max_stars_repo_name": f"o/r{n % 4}", "ProductId": n % 3})
    assert look.guess is not None
    assert look.guess.task == "text"
