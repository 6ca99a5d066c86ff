"""Rows as annotation programs export them, and as people mark them in sheets: no guess that learns them wrong."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ftsweep.config.compose import compose_sweep
from ftsweep.control.new_sweep import write_new_sweep
from ftsweep.data.looking.look import Look, look_at
from ftsweep.data.sources.files import Files
from ftsweep.errors import DataError

WORDS = ["red", "green", "blue", "warm", "cold", "quick"]
KINDS = ["good", "bad", "so-so"]
ROWS = 40


def text(number: int) -> str:
    return f"the {WORDS[number % 6]} and the {WORDS[number // 6 % 6]} thing, number {number} of them"


def looked(folder: Path, rows: list[dict[str, Any]], **said: Any) -> Look:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return look_at([str(folder / "rows.jsonl")], **said)


def refusal(folder: Path, rows: list[dict[str, Any]]) -> str:
    look = looked(folder, rows)
    assert look.guess is None
    with pytest.raises(DataError) as caught:
        write_new_sweep(look)
    return str(caught.value)


def label_studio(number: int) -> dict[str, Any]:
    result = [{"id": "x", "from_name": "mood", "value": {"choices": [KINDS[number % 3]]}, "type": "choices"}]
    return {
        "id": number,
        "data": {"text": text(number)},
        "annotations": [{"id": number, "completed_by": 1, "result": result}],
    }


def argilla(number: int) -> dict[str, Any]:
    said = [{"value": KINDS[number % 3], "user_id": "u"}]
    return {"fields": {"text": text(number)}, "responses": {"label": said}, "status": "completed"}


@pytest.mark.parametrize("row", [label_studio, argilla])
def test_the_part_that_is_the_label_is_named_and_reads_right(tmp_path: Path, row: Any) -> None:
    rows = [row(number) for number in range(ROWS)]
    said = refusal(tmp_path, rows)
    found = re.search(r"--task classification --columns (text=\S+),(label=[^\s]+)\. To learn", said)
    assert found is not None, said
    columns = dict(part.split("=") for part in found.groups())
    look = looked(tmp_path, rows, task="classification", said=columns)
    assert look.guess is not None
    read = Files(train=str(tmp_path / "rows.jsonl"), columns=look.guess.columns).load(("text", "label"))["train"]
    assert [tuple(each.values.values()) for each in read] == [(text(n), KINDS[n % 3]) for n in range(ROWS)]


def test_rows_that_prodigy_rejected_are_not_learned(tmp_path: Path) -> None:
    def rows(answers: list[str], **more: Any) -> list[dict[str, Any]]:
        return [{"text": text(n), **more, "answer": answers[n % len(answers)]} for n in range(ROWS)]

    spans = [{"start": 4, "end": 7, "label": "COLOUR"}]
    for answers, more in ((["accept", "reject"], {"spans": spans}), (["accept", "ignore"], {"label": "GOOD"})):
        said = refusal(tmp_path, rows(answers, **more))
        assert f"'answer' says of each row whether its annotation was accepted, accept (20), {answers[1]} (20)" in said
        assert "Leave out the rows whose answer is not accept" in said
    look = looked(tmp_path, rows(["accept"], spans=spans))
    assert look.guess is not None
    assert look.guess.task == "token_classification"
    look = looked(tmp_path, rows(["accept", "reject"], label="GOOD"))
    assert look.guess is not None
    assert dict(look.guess.columns) == {"text": "text", "label": "answer"}


def test_labels_in_numbered_columns_are_not_learned_by_one_alone(tmp_path: Path) -> None:
    def rows(first: str, second: str) -> list[dict[str, Any]]:
        return [{"text": text(n), first: KINDS[n % 3], second: WORDS[n % 2]} for n in range(ROWS)]

    for names in (("label1", "label2"), ("label", "label_2"), ("Category 1", "Category 2")):
        assert f"the columns {', '.join(map(repr, names))} all seem to hold labels" in refusal(tmp_path, rows(*names))
    look = looked(tmp_path, rows("label1", "label2"), task="classification", said={"text": "text", "label": "label1"})
    assert look.guess is not None
    look = looked(tmp_path, rows("label", "source"))
    assert look.guess is not None
    assert look.guess.columns["label"] == "label"


def test_marks_in_columns_of_a_sheet_are_not_passed_over(tmp_path: Path) -> None:
    names = ["joy", "anger", "fear"]
    cells = [["x" if n % 3 == place or n % 7 == 0 else "" for place in range(3)] for n in range(ROWS)]
    rows = [{"text": text(n), **dict(zip(names, cells[n], strict=True))} for n in range(ROWS)]
    said = refusal(tmp_path, rows)
    assert "the columns 'joy', 'anger', 'fear' have 'x' in some rows and nothing in the others" in said
    mended = [{"text": text(n), **{name: int(row[name] == "x") for name in names}} for n, row in enumerate(rows)]
    look = looked(tmp_path, mended)
    assert look.guess is not None
    assert look.guess.columns["labels"] == names


def test_one_language_is_learned_from_the_other(tmp_path: Path) -> None:
    rows = [{"translation": {"en": text(n), "de": text(n + 9)}} for n in range(ROWS)]
    assert "--task instruction --columns prompt=translation.en,completion=translation.de" in refusal(tmp_path, rows)
    columns = {"prompt": "translation.en", "completion": "translation.de"}
    look = looked(tmp_path, rows, task="instruction", said=columns)
    assert look.guess is not None
    read = Files(train=str(tmp_path / "rows.jsonl"), columns=look.guess.columns).load(("prompt", "completion"))["train"]
    assert dict(read[3].values) == {"prompt": text(3), "completion": text(12)}


@pytest.mark.parametrize("is_empty", [True, False])
@pytest.mark.parametrize("is_folder", [True, False])
def test_held_out_rows_without_labels_are_left_out_of_folders_too(
    tmp_path: Path, is_empty: bool, is_folder: bool
) -> None:
    folder = tmp_path / "reviews"
    folder.mkdir()
    for name, start in (("train", 0), ("dev", 40)):
        lines = "".join(f'"{text(start + n)}",{KINDS[n % 3]}\n' for n in range(ROWS))
        (folder / f"{name}.csv").write_text(f"text,label\n{lines}")
    lines = "".join(f'"{text(90 + n)}"{"," * is_empty}\n' for n in range(ROWS))
    (folder / "test.csv").write_text(f"text{',label' * is_empty}\n{lines}")
    named = [str(folder)] if is_folder else [str(folder / f"{name}.csv") for name in ("train", "dev", "test")]
    look = look_at(named)
    assert look.num_rows == {"train": ROWS, "validation": ROWS}
    (finding,) = [each for each in look.findings if each.check == "columns"]
    assert f"test.csv has {'nothing in the' if is_empty else 'no'} column 'label' as train has" in finding.text
    written = write_new_sweep(look, out=tmp_path / "sweep.yaml")
    data = dict(compose_sweep(str(written.file)).composed["data"])
    source = Files(train=data["train"], validation=data["validation"], test=data["test"])
    assert {split: len(rows) for split, rows in source.load(("text", "label")).items()} == look.num_rows


def test_decimals_of_a_database_are_numbers_to_learn(tmp_path: Path) -> None:
    numbers = [Decimal(f"{n % 9}.25") for n in range(ROWS)]
    pq.write_table(pa.table({"text": [text(n) for n in range(ROWS)], "score": numbers}), tmp_path / "rows.parquet")
    look = look_at([str(tmp_path / "rows.parquet")])
    assert look.guess is not None
    assert (look.guess.task, look.guess.columns["label"]) == ("regression", "score")
    read = Files(train=str(tmp_path / "rows.parquet"), columns=look.guess.columns).load(("text", "label"))["train"]
    assert [row.values["label"] for row in read] == [float(number) for number in numbers]


def test_files_that_name_a_column_in_two_ways_get_no_guess(tmp_path: Path) -> None:
    rows = [{("Text", "text")[n % 2]: text(n), "label": KINDS[n % 3]} for n in range(ROWS)]
    assert "differ in capitals alone, and each is in some of the rows: 'Text' and 'text'" in refusal(tmp_path, rows)


def test_several_labels_as_json_beside_single_ones_get_no_guess(tmp_path: Path) -> None:
    several = json.dumps({"choices": KINDS[:2]})
    rows = [{"text": text(n), "mood": several if n % 4 == 0 else KINDS[n % 3]} for n in range(ROWS)]
    assert "'mood' holds one label in some rows and several as JSON in others" in refusal(tmp_path, rows)
    mended = [{**row, "mood": row["mood"].replace(several, "|".join(KINDS[:2]))} for row in rows]
    columns = {"text": "text", "labels": "mood"}
    look = looked(tmp_path, mended, task="multi_label", said=columns)
    assert look.guess is not None
    assert dict(look.guess.columns) == columns
    read = Files(train=str(tmp_path / "rows.jsonl"), columns=columns).load(("text", "labels"))["train"]
    assert [row.values["labels"] for row in read][:2] == [["good", "bad"], ["bad"]]


def test_what_is_no_label_is_named_with_what_it_is(tmp_path: Path) -> None:
    answers = [{"question": f"Which {text(n)}?", "answers": {"text": [text(n)], "start": [3]}} for n in range(ROWS)]
    said = refusal(tmp_path, answers)
    assert "--task instruction --columns prompt=question,completion=answers.text.0 learns it" in said
    columns = {"prompt": "question", "completion": "answers.text.0"}
    look = looked(tmp_path, answers, task="instruction", said=columns)
    assert look.guess is not None
    read = Files(train=str(tmp_path / "rows.jsonl"), columns=look.guess.columns).load(("prompt", "completion"))["train"]
    assert read[5].values["completion"] == text(5)
    cells = [{"text": text(n), "label": json.dumps([{"label": KINDS[n % 3], "start": 0}])} for n in range(ROWS)]
    assert "It is JSON within text: write the label itself to the column" in refusal(tmp_path, cells)
    with pytest.raises(DataError, match="no task of ftsweep seems to fit these columns: 'kind'"):
        write_new_sweep(looked(tmp_path, [{"kind": "a text of some words", "n": n} for n in range(ROWS)]))


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        (lambda n: {"stars": 1 + n % 5, "cool": n % 2, "text": text(n)}, {"text": "text", "label": "stars"}),
        (
            lambda n: {"sentence1": text(n), "gold_label": KINDS[n % 3], "annotator_labels": [KINDS[n % 3], "bad"]},
            {"text": "sentence1", "label": "gold_label"},
        ),
        (
            lambda n: {"user": text(n), "assistant": f"Yes, {text(n + 7)}"},
            {"prompt": "user", "completion": "assistant"},
        ),
    ],
)
def test_what_is_named_so_is_learned(tmp_path: Path, row: Any, columns: dict[str, str]) -> None:
    look = looked(tmp_path, [row(number) for number in range(ROWS)])
    assert look.guess is not None
    assert dict(look.guess.columns) == columns


@pytest.mark.parametrize("has_header", [True, False])
def test_long_questions_of_a_survey_name_columns(tmp_path: Path, has_header: bool) -> None:
    asked = "What do you think about our product, in your own words and at any length?"
    lines = "".join(f'"{text(n)}",{KINDS[n % 3]}\n' for n in range(ROWS))
    first = f'"{asked}","And how do you feel about it all in general?"\n' if has_header else f'"{asked}",good\n'
    (tmp_path / "rows.csv").write_text(first + lines)
    look = look_at([str(tmp_path / "rows.csv")])
    assert look.is_headless is not has_header
    assert look.num_rows == {"train": ROWS + (not has_header)}


def test_a_separator_that_makes_a_column_of_classes_counts_before_the_usual_one(tmp_path: Path) -> None:
    texts = [f"{text(n)}, as number {n * n} says" for n in range(ROWS)]
    texts = [each.replace(", number", " number") for each in texts]
    (tmp_path / "rows.csv").write_text("".join(f"{each};{KINDS[n % 3]}\n" for n, each in enumerate(texts)))
    look = look_at([str(tmp_path / "rows.csv")])
    assert look.guess is not None
    assert dict(look.guess.columns) == {"text": "1", "label": "2"}
    read = Files(train=str(tmp_path / "rows.csv"), columns={"text": 1, "label": 2}, header=False)
    assert [row.values["text"] for row in read.load(("text", "label"))["train"]] == texts


@pytest.mark.parametrize("has_splits", [True, False])
def test_a_folder_that_datasets_saved_is_looked_at(tmp_path: Path, has_splits: bool) -> None:
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=KINDS)})

    def rows(start: int) -> Dataset:
        numbers = range(start, start + ROWS)
        columns = {"text": [text(n) for n in numbers], "label": [n % 3 for n in numbers]}
        return Dataset.from_dict(columns, features=features)

    saved = DatasetDict({"train": rows(0), "dev": rows(60), "extra": rows(90)}) if has_splits else rows(0)
    saved.save_to_disk(tmp_path / "saved")
    look = look_at([str(tmp_path / "saved")])
    assert look.num_rows == ({"train": ROWS, "validation": ROWS} if has_splits else {"train": ROWS})
    assert set(look.columns["label"].counts) == set(KINDS)
    told = [finding.message for finding in look.findings]
    assert told == ["saved has splits that are not read, by their names: extra"] * has_splits
    data = dict(compose_sweep(str(write_new_sweep(look).file)).composed["data"])
    source = Files(train=data["train"], columns=data["columns"])
    loaded = source.load(("text", "label"))
    assert [finding.message for finding in source.findings] == told
    assert {split: len(found) for split, found in loaded.items()} == look.num_rows
    assert dict(loaded["train"][4].values) == {"text": text(4), "label": KINDS[1]}


def test_a_saved_folder_without_a_train_split_is_refused(tmp_path: Path) -> None:
    from datasets import Dataset, DatasetDict

    DatasetDict({"extra": Dataset.from_dict({"text": ["a"]})}).save_to_disk(tmp_path / "saved")
    with pytest.raises(DataError, match=r"has no split 'train', only extra\. Name one split's folder instead"):
        look_at([str(tmp_path / "saved")])


def guessed(folder: Path, rows: list[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    look = looked(folder, rows)
    assert look.guess is not None, look.doubt
    return look.guess.task, dict(look.guess.columns)


def test_answers_that_somebody_gave_are_classes(tmp_path: Path) -> None:
    verdicts = ["accept", "reject", "ignore"]
    rows = [{"question": text(n), "answer": verdicts[n % 3]} for n in range(ROWS)]
    assert guessed(tmp_path, rows) == ("classification", {"text": "question", "label": "answer"})
    assert "all of them would be learned" in refusal(tmp_path, [{**row, "_input_hash": 1} for row in rows])


def test_fractions_beside_a_label_are_no_second_label(tmp_path: Path) -> None:
    rows = [{"text": text(n), "label": KINDS[n % 3], "label_1": n / 64} for n in range(ROWS)]
    assert guessed(tmp_path, rows) == ("classification", {"text": "text", "label": "label"})


def test_marks_of_several_kinds_beside_a_text_are_no_labels(tmp_path: Path) -> None:
    rows = [{"text": text(n), "edited": "1" * (n % 3 == 0), "pinned": "yes" * (n % 4 == 0)} for n in range(ROWS)]
    assert guessed(tmp_path, rows) == ("text", {"text": "text"})


def test_capitals_of_columns_that_nobody_learns_are_no_doubt(tmp_path: Path) -> None:
    rows = [{"text": text(n), "label": KINDS[n % 3], "id" if n % 2 else "ID": n} for n in range(ROWS)]
    assert guessed(tmp_path, rows) == ("classification", {"text": "text", "label": "label"})
    rows = [{"Text" if n % 2 else "text": text(n), "label": KINDS[n % 3]} for n in range(ROWS)]
    assert "differ in capitals alone, and each is in some of the rows: 'text' and 'Text'" in refusal(tmp_path, rows)


@pytest.mark.parametrize("name", ["polarity", "is_spam"])
def test_a_judgement_counts_before_the_rating_beside_it(tmp_path: Path, name: str) -> None:
    rows = [{"text": text(n), "score": n % 7, name: n % 2} for n in range(ROWS)]
    assert guessed(tmp_path, rows) == ("classification", {"text": "text", "label": name})


def test_a_count_that_is_named_like_a_rating_is_no_class(tmp_path: Path) -> None:
    rows = [{"text": text(n), "stars": n % 13, "written_in": WORDS[n % 3]} for n in range(ROWS)]
    assert guessed(tmp_path, rows)[1]["label"] == "written_in"


def test_a_text_that_is_the_same_everywhere_gives_way_to_another(tmp_path: Path) -> None:
    rows = [{"text": "What is it like?", "body": text(n)} for n in range(ROWS)]
    assert guessed(tmp_path, rows) == ("text", {"text": "body"})


def test_a_question_with_two_answers_is_no_pair_of_them(tmp_path: Path) -> None:
    pair = [{"human": text(n), "gpt": text(n + 50)} for n in range(ROWS)]
    assert guessed(tmp_path, pair)[1] == {"prompt": "human", "completion": "gpt"}
    asked = [{"question": text(n + 90), **row} for n, row in enumerate(pair)]
    assert "are texts of each row, and 'question' alone would be learned" in refusal(tmp_path, asked)
    labelled = [{**row, "label": KINDS[n % 3]} for n, row in enumerate(pair)]
    assert guessed(tmp_path, labelled)[0] == "classification"


def test_a_value_that_comes_but_once_in_the_first_line_is_no_name(tmp_path: Path) -> None:
    lines = "".join(f'"{text(n)}, and what is said of it goes on",{KINDS[n % 2]}\n' for n in range(ROWS))
    for first, is_headless in (("so-so", True), ("Label", False), ("In a word, how was it", False)):
        (tmp_path / "rows.csv").write_text(f'"{text(99)}, and what is said of it goes on","{first}"\n{lines}')
        assert look_at([str(tmp_path / "rows.csv")]).is_headless is is_headless


def test_texts_without_an_entity_speak_for_label_studios_spans_and_not_against_them(tmp_path: Path) -> None:
    def row(number: int) -> dict[str, Any]:
        span = {"start": 4, "end": 7, "text": text(number)[4:7], "labels": ["COLOUR"]}
        result = [{"value": span, "type": "labels"}] if number % 2 else []
        return {"id": number, "data": {"text": text(number)}, "annotations": [{"result": result}]}

    said = refusal(tmp_path, [row(number) for number in range(ROWS)])
    assert "--task token_classification --columns tokens=data.text,tags=annotations.0.result" in said
