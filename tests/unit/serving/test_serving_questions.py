"""Rows to answer are read as training reads its files; one bad row is told beside the others."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ftsweep.cli.answering import answer_rows
from ftsweep.cli.placing import written_to
from ftsweep.data.sources.files import Files
from ftsweep.errors import DataError, UnanswerableError, UsageError
from ftsweep.serving.line_files import has_format
from ftsweep.serving.model import Predictor
from ftsweep.serving.questions import FileQuestions, TypedQuestions
from ftsweep.tasks.classification import Classification
from ftsweep.tasks.encoding.tagged import words_of
from ftsweep.tasks.encoding.tokens import text_of, to_predict
from ftsweep.tasks.multi_label import MultiLabel
from ftsweep.tasks.text import Text
from ftsweep.tasks.token_classification import TokenClassification

READING = {"columns": {"text": "tweet", "label": "mood"}}


class LengthStrategy:
    """Answers with the length of the text."""

    def predict(self, model, task, tokenizer, schema, rows, batch_size):
        lengths = [len(text) for text in to_predict(text_of, rows)]
        return [{"label": str(number), "scores": {"a": number / 2}} for number in lengths]


def predictor(reading=READING):
    return Predictor(None, None, Classification(), LengthStrategy(), {}, reading)


def written(tmp_path, name):
    """Two rows, the second one empty, under the study's names."""
    path, rows = tmp_path / name, [{"tweet": "one", "id": 1}, {"tweet": "", "id": 2}, {"tweet": "three", "id": 3}]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    table = "\n".join(["tweet,id", *(f"{row['tweet']},{row['id']}" for row in rows)]) + "\n"
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif name.endswith(".gz"):
        path.write_bytes(gzip.compress(lines.encode()))
    elif name.endswith(".json"):
        path.write_text(json.dumps(rows))
    else:
        path.write_text(lines if name.endswith(".jsonl") else table.replace(",", "\t" if ".tsv" in name else ","))
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.json", "a.parquet", "a.jsonl.gz"])
def test_every_format_is_read_with_the_studys_columns(tmp_path, capsys, name):
    path = written(tmp_path, name)
    assert answer_rows(predictor(), str(path), None, keeps_columns=False) == 1
    first, second, third = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["label"], third["label"]) == ("3", "5")
    assert second["error"].startswith(f"{name}:")
    assert second["error"].endswith("'text' is empty")


def test_the_tasks_own_names_are_read_too(tmp_path):
    (tmp_path / "a.csv").write_text("text\none\n")
    (question,) = FileQuestions(str(tmp_path / "a.csv"), Classification(), READING)
    assert question.values == {"text": "one"}


def test_a_file_without_a_column_to_read_is_refused_with_the_names_wanted(tmp_path):
    (tmp_path / "a.csv").write_text("body\none\n")
    with pytest.raises(DataError, match=r"body.*'text' \(or 'tweet'"):
        FileQuestions(str(tmp_path / "a.csv"), Classification(), READING)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.jsonl", ""), ("a.json", "[]"), ("a.csv", "tweet\n"), ("a.txt", ""), ("a.txt", "\n\n"), ("rows", "")],
)
def test_a_file_without_a_row_is_refused_and_no_answers_are_written(tmp_path, name, content):
    file, out = tmp_path / name, tmp_path / "answers.csv"
    file.write_text(content)
    with pytest.raises(DataError, match=rf"{name}: there is no row in it"), written_to(out):
        answer_rows(predictor(), str(file), out, keeps_columns=False)
    assert not out.exists()


def test_a_pipe_without_a_row_is_answered_with_none_and_a_note(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert answer_rows(predictor(), "-", None, keeps_columns=False) == 0
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "note: standard input has no rows, so there are no answers\n")


@pytest.mark.parametrize("name", ["nothing.csv", "nothing*.csv"])
def test_a_file_that_is_not_there_is_named_as_it_was_given_not_as_a_key_of_a_sweep_file(tmp_path, name):
    with pytest.raises(DataError) as refused:
        FileQuestions(str(tmp_path / name), Classification(), READING)
    assert str(refused.value).startswith(f"{tmp_path / name}: ")


def test_a_broken_line_has_its_own_error_however_few_rows_there_are(tmp_path, capsys):
    (tmp_path / "a.jsonl").write_text('{"tweet": "one"}\n{"tweet": \n')
    assert answer_rows(predictor(), str(tmp_path / "a.jsonl"), None, keeps_columns=False) == 1
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["label"] == "3"
    assert "a.jsonl:2" in second["error"]


def test_typed_lines_are_text_or_objects():
    lines = ['\ufeff{"tweet": "a", "x": 1}\n', "\n", "plain, with a comma\n", "{broken\n", '{"body": "x"}\n']
    found = list(TypedQuestions(lines, Classification(), READING, name="rows"))
    assert [each.values for each in found] == [{"text": "a"}, {"text": "plain, with a comma"}, {}, {}]
    assert [bool(each.problem) for each in found] == [False, False, True, True]
    assert found[2].place == "rows:4"
    assert "'text' (or 'tweet'" in found[3].problem


@pytest.mark.parametrize("name", ["rows.txt", "rows"])
def test_lines_of_objects_are_questions_whatever_their_number(tmp_path, name, capsys):
    (tmp_path / name).write_text('{"text": "a b"}\n' * 9)
    assert answer_rows(predictor(), str(tmp_path / name), None, keeps_columns=False) == 0
    assert [json.loads(line)["label"] for line in capsys.readouterr().out.splitlines()] == ["3"] * 9


def test_parts_of_objects_are_read_as_in_training(tmp_path):
    reading, row = {"columns": {"text": "data.text"}}, '{"data": {"text": "a"}}\n'
    (typed,) = TypedQuestions([row], Classification(), reading, name="rows")
    (tmp_path / "rows.jsonl").write_text(row)
    (read,) = FileQuestions(str(tmp_path / "rows.jsonl"), Classification(), reading)
    assert typed.values == read.values == {"text": "a"}


def test_text_that_is_not_utf_8_is_refused(tmp_path):
    (tmp_path / "rows.txt").write_bytes("é\n".encode("latin-1"))
    with (tmp_path / "rows.txt").open(encoding="utf-8") as file, pytest.raises(DataError, match="is not UTF-8"):
        list(TypedQuestions(file, Classification(), {}, name="rows.txt"))


@pytest.mark.parametrize(
    ("name", "is_table"), [("a.csv", True), ("a.jsonl.gz", True), ("a.txt", False), ("-", False), ("/dev/fd/63", False)]
)
def test_a_name_says_whether_rows_are_lines(name, is_table):
    assert has_format(name) == is_table


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("keeps", [True, False])
def test_answers_are_written_whole_with_the_rows_own_columns_on_request(tmp_path, suffix, keeps):
    out = tmp_path / f"answers{suffix}"
    answer_rows(predictor(), str(written(tmp_path, "a.jsonl")), out, keeps_columns=keeps)
    if suffix == ".jsonl":
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        assert rows[0]["scores"] == {"a": 1.5}
    elif suffix == ".parquet":
        rows = pq.read_table(out).to_pylist()
        assert rows[0]["scores.a"] == 1.5
    else:
        with out.open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t" if suffix == ".tsv" else ","))
        assert float(rows[0]["scores.a"]) == 1.5
    assert [row.get("label") or "" for row in rows] == ["3", "", "5"]
    assert "a.jsonl:2" in rows[1]["error"]
    assert ("tweet" in rows[0]) == keeps
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_file_that_is_there_or_of_another_kind_is_not_written(tmp_path):
    path = written(tmp_path, "a.jsonl")
    for out in (path, tmp_path / "a.xlsx", tmp_path / "none" / "a.csv"):
        with pytest.raises(UsageError):
            answer_rows(predictor(), str(path), out, keeps_columns=False)
    assert path.read_text().startswith('{"tweet"')


def test_a_kept_column_keeps_its_name_and_the_answer_moves(tmp_path, capsys):
    (tmp_path / "a.jsonl").write_text('{"tweet": "one", "label": "mine"}\n')
    answer_rows(predictor(), str(tmp_path / "a.jsonl"), None, keeps_columns=True)
    row = json.loads(capsys.readouterr().out)
    assert (row["label"], row["answer.label"]) == ("mine", "3")


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt"])
def test_kept_columns_that_some_rows_have_are_no_place_for_answers(name, tmp_path):
    rows = [
        {"tweet": "one", "scores.a": "own"},
        {"tweet": "two", "label": "mine", "answer.label": "too"},
        {"tweet": "x"},
    ]
    (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    answer_rows(predictor(), str(tmp_path / name), tmp_path / "out.csv", keeps_columns=True)
    with (tmp_path / "out.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["label"] for row in found] == ["", "mine", ""]
    assert [row["answer.label"] for row in found] == ["", "too", ""]
    assert [row["scores.a"] for row in found] == ["own", "", ""]
    assert [row["answer.answer.label"] for row in found] == ["3", "3", "1"]


def test_memory_holds_a_bounded_number_of_rows(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    path.write_text('{"tweet": "one"}\n' * 5000)
    sizes = []
    found = predictor()
    answers = found.answers
    monkeypatch.setattr(found, "answers", lambda rows: sizes.append(len(rows)) or answers(rows))
    answer_rows(found, str(path), tmp_path / "out.csv", keeps_columns=False)
    assert max(sizes) <= 1024
    assert sum(sizes) == 5000


class TagStrategy:
    """Tags the word `boat`."""

    def predict(self, model, task, tokenizer, schema, rows, batch_size):
        found = [[place for place, word in enumerate(words) if word == "boat"] for words in to_predict(words_of, rows)]
        return [
            {"tags": places, "entities": [{"start": place, "text": "boat"} for place in places]} for places in found
        ]


def tagger(reading=None):
    return Predictor(None, None, TokenClassification(), TagStrategy(), {}, reading or {})


def test_parquet_holds_lists_that_are_empty_in_all_of_the_first_rows(tmp_path):
    lines = ['{"text": "the cow"}\n'] * 1500 + ['{"text": "the boat"}\n']
    (tmp_path / "a.jsonl").write_text("".join(lines))
    answer_rows(tagger(), str(tmp_path / "a.jsonl"), tmp_path / "out.parquet", keeps_columns=False)
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert len(rows) == 1501
    assert rows[0] == {"tags": [], "entities": [], "error": None}
    assert rows[-1] == {"tags": [1], "entities": [{"start": 1, "text": "boat"}], "error": None}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_column_of_later_rows_is_kept_too(tmp_path, suffix):
    lines = ['{"tweet": "one"}\n'] * 1500 + ['{"tweet": "two", "late": 1}\n']
    (tmp_path / "a.jsonl").write_text("".join(lines))
    out = tmp_path / f"out{suffix}"
    answer_rows(predictor(), str(tmp_path / "a.jsonl"), out, keeps_columns=True)
    if suffix == ".parquet":
        rows = pq.read_table(out).to_pylist()
    else:
        rows = list(csv.DictReader(out.read_text().splitlines()))
    assert len(rows) == 1501
    assert str(rows[-1]["late"]) == "1"
    assert not rows[0]["late"]


def test_an_interrupted_file_leaves_nothing_behind(tmp_path, monkeypatch):
    found = predictor()
    monkeypatch.setattr(found, "answers", lambda rows: 1 / 0)
    for suffix in (".csv", ".parquet", ".jsonl"):
        with pytest.raises(ZeroDivisionError):
            answer_rows(found, str(written(tmp_path, "a.csv")), tmp_path / f"out{suffix}", keeps_columns=False)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_what_reading_the_rows_showed_is_told_behind_them(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("id,tweet\n1,one\n2,three,\n,\n")
    answer_rows(predictor(), str(tmp_path / "a.csv"), None, keeps_columns=False)
    assert "a.csv has lines with only empty cells, which are passed over" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("the\nboat\n\na\ncow\n", {}),
        ("1\tthe\tDET\n2\tboat\tNOUN\n\n1\ta\tDET\n2\tcow\tNOUN\n", {}),
        ("x the\nx boat\n\nx a\nx cow\n", {"columns": {"tokens": 2, "tags": 3}}),
        ("O the\nO boat\n\nO a\nB-x cow\n", {}),
    ],
)
def test_words_need_no_tags_to_be_answered(tmp_path, capsys, text, reading):
    (tmp_path / "a.conll").write_text(text)
    assert answer_rows(tagger(reading), str(tmp_path / "a.conll"), None, keeps_columns=False) == 0
    assert [json.loads(line)["tags"] for line in capsys.readouterr().out.splitlines()] == [[1], []]


def test_two_words_on_a_line_of_one_are_a_row_with_its_error(tmp_path, capsys):
    (tmp_path / "a.conll").write_text("the\nboat\n\nNew York\n\nthe\n\na\n")
    assert answer_rows(tagger(), str(tmp_path / "a.conll"), None, keeps_columns=False) == 1
    assert "a.conll:4: line 4: 2 words" in capsys.readouterr().out


def test_packed_and_western_lines_of_text_are_read(tmp_path, capsys):
    (tmp_path / "a.txt").write_bytes("Größe\nschön\n".encode("cp1252"))
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"one\nfive5\n"))
    for name in ("a.txt", "b.txt.gz"):
        assert answer_rows(predictor(), str(tmp_path / name), None, keeps_columns=False) == 0
    printed = capsys.readouterr()
    assert [json.loads(line)["label"] for line in printed.out.splitlines()] == ["5", "5", "3", "5"]
    assert "a.txt is not UTF-8, and was read as cp1252" in printed.err


def test_a_damaged_line_of_text_has_its_own_error(tmp_path, capsys):
    (tmp_path / "a.txt").write_bytes("schön\n".encode() * 30 + b"da\xffmaged\n")
    assert answer_rows(predictor(), str(tmp_path / "a.txt"), None, keeps_columns=False) == 1
    assert "a.txt:31: this line cannot be decoded (byte 0xff)" in capsys.readouterr().out


def test_a_spreadsheet_is_refused_with_what_to_save_it_as(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match="CSV UTF-8"):
        answer_rows(predictor(), str(tmp_path / "a.xlsx"), None, keeps_columns=False)


def test_a_file_that_is_separated_otherwise_than_the_studys_is_read_as_it_is(tmp_path):
    (tmp_path / "a.csv").write_text("id,tweet\n1,one\n")
    (question,) = FileQuestions(str(tmp_path / "a.csv"), Classification(), {**READING, "delimiter": ";"})
    assert question.values == {"text": "one"}


def test_texts_of_an_archive_and_rows_that_datasets_saved_are_read(tmp_path):
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("one.txt", "a b\n\nc d\n")
    found = [each.values for each in FileQuestions(str(tmp_path / "a.zip"), Text(), {})]
    assert found == [{"text": "a b"}, {"text": "c d"}]
    features = Features({"tweet": Value("string"), "mood": ClassLabel(names=["bad", "good"])})
    saved = Dataset.from_dict({"tweet": ["a", "b"], "mood": [0, 1]}, features=features)
    saved.save_to_disk(tmp_path / "saved")
    found = [each.values for each in FileQuestions(str(tmp_path / "saved"), Classification(), READING)]
    assert found == [{"text": "a"}, {"text": "b"}]
    DatasetDict({"test": saved}).save_to_disk(tmp_path / "splits")
    with pytest.raises(DataError, match=r"has splits: test.*splits/test"):
        FileQuestions(str(tmp_path / "splits"), Classification(), READING)


def test_all_rows_that_cannot_be_asked_are_named():
    with pytest.raises(UnanswerableError, match=r"^row 2: 'text' is empty") as refusal:
        to_predict(text_of, [{"text": "a"}, {"text": ""}, {}])
    assert list(refusal.value.reasons) == [1, 2]


def test_texts_of_a_folder_are_a_row_each_as_in_training_where_labels_are_answered(tmp_path):
    whole = {"pos/1.txt": "fine\n\nvery fine\n", "neg/2.txt": "bad\n\nvery bad\n"}
    for name, text in {**whole, "new/3.txt": "so\n\nso\n", "new/4.txt": "and\n\nso\n"}.items():
        (tmp_path / "a" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "a" / name).write_text(text)
    trained = Files(train=str(tmp_path / "a"), columns=None).load(("text", "label"))["train"]
    asked = FileQuestions(str(tmp_path / "a"), Classification(), {})
    texts = [row.values["text"] for row in trained]
    assert [each.values for each in asked] == [{"text": text} for text in texts]
    assert "each file of text in a is one row" in [finding.message for finding in asked.findings]
    flat = FileQuestions(str(tmp_path / "a" / "new"), MultiLabel(), {})
    assert [each.values["text"] for each in flat] == ["so\n\nso", "and\n\nso"]
    paragraphs = FileQuestions(str(tmp_path / "a" / "new"), Text(), {})
    assert [each.values["text"] for each in paragraphs] == ["so", "so", "and", "so"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.yaml", b"data: {train: a}\n", "kind '.yaml' cannot be read. A sweep file is for `ftsweep plan`"),
        ("a.toml", b"a = 1\n", "kind '.toml' cannot be read. A list of rows: `python"),
        ("a.ini.gz", gzip.compress(b"a = 1\n", mtime=0), "cannot be read"),
        ("a.html", b"<html>\n", "If its text is to be read, name it .txt"),
        ("a.docx", b"PK\x03\x04", "Save its text as .txt"),
        ("a.safetensors", b"\x00\x00", "kind '.safetensors' cannot be read"),
        ("a", b"%PDF-1.7\n", "is a PDF, by its first bytes"),
        ("b.txt", b"\x89PNG\r\n\x1a\n", "is a picture, by its first bytes"),
        ("c.txt", b"GGUF\x03\0\0\0", "is a model's weights"),
        ("d.txt", b"good\ta fine day\n" * 9, "is a table by its lines"),
        ("e.txt", b"__label__good a fine day\n" * 9, "as fastText does"),
    ],
)
def test_files_that_have_no_rows_a_line_are_refused_as_in_training(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        answer_rows(predictor(), str(tmp_path / name), None, keeps_columns=False)
    if "." in name:
        with pytest.raises(DataError, match=message):
            Files(train=str(tmp_path / name)).load(("text", "label"))


@pytest.mark.parametrize("content", [b"GGUF is a kind of file\n", b"ORCs are many\n", b"ID3 and RIFF\n"])
def test_words_that_such_files_begin_with_are_text(tmp_path, content, capsys):
    (tmp_path / "rows").write_bytes(content)
    assert answer_rows(predictor(), str(tmp_path / "rows"), None, keeps_columns=False) == 0
    assert json.loads(capsys.readouterr().out)["label"] == str(len(content) - 1)


@pytest.mark.parametrize("name", ["tmp.x8Fq2", "questions.2024", "rows.part1.gz", "questions.br"])
def test_an_extension_that_says_nothing_is_no_reason_to_refuse_lines(tmp_path, name, capsys):
    content = b"one\ntwo words\n"
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert answer_rows(predictor(), str(tmp_path / name), None, keeps_columns=False) == 0
    assert [json.loads(line)["label"] for line in capsys.readouterr().out.splitlines()] == ["3", "9"]


def test_words_and_tags_named_txt_are_sentences_as_in_training(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("the O\nboat B-X\ngoes O\n\na O\ncow B-X\n")
    assert answer_rows(tagger(), str(tmp_path / "a.txt"), None, keeps_columns=False) == 0
    assert [json.loads(line)["tags"] for line in capsys.readouterr().out.splitlines()] == [[1], []]


def test_lines_of_a_text_that_blank_lines_part_are_told(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("one\n\ntwo\n\n")
    (tmp_path / "b.txt").write_text("one\ntwo\n\n")
    for name, is_told in (("a.txt", True), ("b.txt", False)):
        assert answer_rows(predictor(), str(tmp_path / name), None, keeps_columns=False) == 0
        printed = capsys.readouterr()
        assert len(printed.out.splitlines()) == 2
        assert (f"each line of {name} is a row, although blank lines part it" in printed.err) == is_told


def test_empty_lines_between_questions_are_told_for_they_have_no_answer() -> None:
    asked = TypedQuestions(["one\n", "\n", " \n", "two\n", "\n"], Classification(), READING, name="rows")
    assert [question.place for question in asked] == ["rows:1", "rows:4"]
    (finding,) = asked.late_findings
    assert finding.text == "lines: 2 lines between others have nothing to ask and no answer."
    plain = TypedQuestions(["one\n", "two\n", "\n"], Classification(), READING, name="rows")
    assert len(list(plain)) == 2
    assert plain.late_findings == []
