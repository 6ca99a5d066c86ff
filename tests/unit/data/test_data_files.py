from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ftsweep.data.files.found import find_files
from ftsweep.data.sources.files import Files
from ftsweep.errors import ConfigError, DataError

COLUMNS = ("text", "label")


def write(path, content, encoding="utf-8"):
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return str(path)


def values(rows):
    return [dict(row.values) for row in rows]


EXPECTED = [{"text": "f\u00fcr", "label": "a"}, {"text": "two\nlines", "label": "b"}]


def _parquet(path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(EXPECTED), path)


@pytest.mark.parametrize(
    ("name", "content", "places"),
    [
        ("r.jsonl", "\n".join(json.dumps(row) for row in EXPECTED), ["r.jsonl:1", "r.jsonl:2"]),
        ("gap.jsonl", "\n\n".join(json.dumps(row) for row in EXPECTED) + "\n\n", ["gap.jsonl:1", "gap.jsonl:3"]),
        ("r.json", json.dumps(EXPECTED), ["r.json:1", "r.json:2"]),
        ("lines.json", "\n".join(json.dumps(row) for row in EXPECTED), ["lines.json:1", "lines.json:2"]),
        ("r.csv", 'text,label\nf\u00fcr,a\n"two\nlines",b\n', ["r.csv:2", "r.csv:3"]),
        ("r.tsv", 'text\tlabel\r\nf\u00fcr\ta\r\n"two\nlines"\tb\r\n', ["r.tsv:2", "r.tsv:3"]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_text_formats_give_the_same_rows(tmp_path, name, content, places, encoding):
    rows = Files(train=write(tmp_path / name, content, encoding)).load(COLUMNS)["train"]
    assert values(rows) == EXPECTED
    assert [row.place for row in rows] == places


def test_parquet_gives_the_same_rows(tmp_path):
    _parquet(tmp_path / "r.parquet")
    rows = Files(train=str(tmp_path / "r.parquet")).load(COLUMNS)["train"]
    assert values(rows) == EXPECTED
    assert [row.place for row in rows] == ["r.parquet:1", "r.parquet:2"]


def test_txt_gives_a_row_per_paragraph(tmp_path):
    path = write(tmp_path / "r.txt", "\nfirst line\nsecond line\n\n  \nnext\n")
    rows = Files(train=path).load(("text",))["train"]
    assert [(row.values["text"], row.place) for row in rows] == [
        ("first line\nsecond line", "r.txt:2"),
        ("next", "r.txt:6"),
    ]


@pytest.mark.parametrize("ending", ["conll", "bio"])
def test_conll_gives_a_row_per_sentence_with_the_line_of_its_first_word(tmp_path, ending):
    lines = [
        "-DOCSTART- -X- O O",
        "",
        "Ada NNP B-NP B-per",
        "Lovelace NNP I-NP I-per",
        "",
        " \t",
        "",
        "#\tO",
        "New York\tB-loc",
    ]
    rows = Files(train=write(tmp_path / f"r.{ending}", "\r\n".join(lines))).load(("tokens", "tags"))["train"]
    assert [(row.values, row.place) for row in rows] == [
        ({"tokens": ["Ada", "Lovelace"], "tags": ["B-per", "I-per"]}, f"r.{ending}:3"),
        ({"tokens": ["#", "New York"], "tags": ["O", "B-loc"]}, f"r.{ending}:8"),
    ]


def test_a_saved_dataset_gives_names_for_lists_of_class_numbers(tmp_path):
    from datasets import ClassLabel, Dataset, Features, List, Value

    features = Features({"tokens": List(Value("string")), "tags": List(ClassLabel(names=["O", "B-per", "I-per"]))})
    rows = {"tokens": [["Ada", "Lovelace", "wrote"]], "tags": [[1, 2, 0]]}
    Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "saved")
    (row,) = Files(train=str(tmp_path / "saved")).load(("tokens", "tags"))["train"]
    assert row.values == {"tokens": ["Ada", "Lovelace", "wrote"], "tags": ["B-per", "I-per", "O"]}


def test_a_saved_dataset_gives_names_for_class_numbers(tmp_path):
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    Dataset.from_dict({"text": ["x", "y"], "label": [1, 0]}, features=features).save_to_disk(tmp_path / "saved")
    rows = Files(train=str(tmp_path / "saved")).load(COLUMNS)["train"]
    assert values(rows) == [{"text": "x", "label": "yes"}, {"text": "y", "label": "no"}]


def test_a_saved_dataset_dict_brings_its_other_splits(tmp_path):
    from datasets import Dataset, DatasetDict

    def dataset(word):
        return Dataset.from_dict({"text": [word], "label": ["a"]})

    saved = DatasetDict({"train": dataset("t"), "dev": dataset("d"), "test": dataset("s")})
    saved.save_to_disk(tmp_path / "saved")
    loaded = Files(train=str(tmp_path / "saved")).load(COLUMNS)
    assert {split: rows[0].values["text"] for split, rows in loaded.items()} == {
        "train": "t",
        "validation": "d",
        "test": "s",
    }


def test_nulls_and_absent_columns_are_passed_on(tmp_path):
    path = write(tmp_path / "r.jsonl", '{"text": null, "label": "a"}\n{"label": "b", "more": 1}\n')
    assert values(Files(train=path).load(COLUMNS)["train"]) == [{"text": None, "label": "a"}, {"label": "b"}]


def test_columns_are_renamed_and_the_group_is_kept(tmp_path):
    path = write(tmp_path / "r.jsonl", '{"tweet": "x", "emotion": "a", "user": 7, "text": "not this"}\n')
    source = Files(train=path, columns={"text": "tweet", "label": "emotion"}, group="user")
    assert values(source.load(COLUMNS)["train"]) == [{"text": "x", "label": "a", "user": 7}]


@pytest.mark.parametrize(
    ("settings", "key"), [({"columns": {"text": "twet"}}, "data.columns.text"), ({"group": "twets"}, "data.group")]
)
def test_a_column_that_does_not_exist_is_refused_with_near_names(tmp_path, settings, key):
    path = write(tmp_path / "r.jsonl", '{"tweet": "x", "emotion": "a"}\n')
    with pytest.raises(DataError, match=f"{key} names.*Did you mean 'tweet'"):
        Files(train=path, **settings).load(COLUMNS)


def test_a_column_that_no_task_reads_is_not_passed_over(tmp_path):
    path = write(tmp_path / "r.jsonl", '{"tweet": "x", "text": "y", "label": "a"}\n')
    with pytest.raises(ConfigError, match=r"data.columns.txt: 'txt' is no column .* Did you mean 'text'"):
        Files(train=path, columns={"txt": "tweet"}).load(COLUMNS)


def test_bad_jsonl_lines_are_named_all_in_one_message(tmp_path):
    lines = ['{"text": "ok"}', "{broken", "[1, 2]", b"\xff\xfe bad".decode("latin-1"), "nope", "3", "true", '{"a": 1']
    content = "\n".join([*lines, *['{"text": "ok"}'] * 30]).encode("latin-1")
    with pytest.raises(DataError) as caught:
        Files(train=write(tmp_path / "r.jsonl", content)).load(COLUMNS)
    message = str(caught.value)
    for line in (2, 3, 4, 5, 6):
        assert f"r.jsonl:{line}: " in message
    assert "{broken" in message
    assert "not an object" in message
    assert "cannot be decoded (byte 0xff)" in message
    assert "7 lines cannot be read" in message
    assert "and 2 more" in message


@pytest.mark.parametrize(
    ("name", "lines", "problem"),
    [
        ("r.jsonl", ['{"text": "a", "label": "b"}'] * 30 + ["{broken"], "at column 2: {broken"),
        ("r.csv", ["text,label", *["a,b"] * 30, "alone"], "1 cells, 2 columns: alone"),
    ],
)
def test_a_few_bad_lines_are_rows_that_say_what_is_wrong(tmp_path, name, lines, problem):
    rows = Files(train=write(tmp_path / name, "\n".join(lines))).load(COLUMNS)["train"]
    (bad,) = [row for row in rows if row.problem]
    assert len(rows) == 31
    assert bad.problem.endswith(problem)
    assert (bad.values, bad.place) == ({}, f"{name}:{len(lines)}")


def test_bad_csv_lines_are_named(tmp_path):
    content = 'text,label\nfine,a\none,two,three\n"multi\nline",b\nalone\n'
    with pytest.raises(DataError, match=r"r.csv:3: 3 cells, 2 columns: one,two,three; r.csv:6: 1 cells"):
        Files(train=write(tmp_path / "r.csv", content)).load(COLUMNS)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.jsonl", "", "has no rows"),
        ("r.csv", "text,label\n", "has no rows"),
        ("r.csv", "text,text\nx,y\n", "more than one column 'text'"),
        ("r.csv", 'text,label\n"never closed,a\n', "r.csv:2: a quote mark opens a cell and does not close it"),
        ("r.json", "[]", "has no rows"),
        ("r.json", '[{"a": 1},\n{"b" 2}]', "r.json:2: cannot be read as JSON: Expecting ':' delimiter"),
        ("r.json", '[{"a": 1}, 5]', "r.json:2: not an object: 5"),
        ("r.json", '"text"', "holds one str, not a list"),
        ("r.txt", b"fine\ncaf\x8e\n", r"r.txt:2: is not UTF-8 \(byte 0x8e"),
        (
            "r.conll",
            "fine O\nalone\n\ntoo\nmany O\nmore O\n",
            "2 lines cannot be read: r.conll:1: line 2: a word without a tag: alone; r.conll:4",
        ),
        ("r.bio", "\n-DOCSTART- O\n", "has no rows"),
        ("r.parquet", b"PAR1nonsense", "cannot be read as parquet"),
        ("r.docx", b"x", "files of the kind '.docx' cannot be read. Save its text as .txt"),
    ],
)
def test_files_that_cannot_be_read_are_refused_clearly(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message):
        Files(train=write(tmp_path / name, content)).load(COLUMNS)


def test_a_missing_file_is_refused_with_what_lies_beside_it(tmp_path):
    write(tmp_path / "tweets.jsonl", "{}")
    source = Files(train=str(tmp_path / "twets.jsonl"))
    for act in (source.fingerprint, lambda: source.load(COLUMNS)):
        with pytest.raises(
            DataError, match=r"data.train=.*twets.jsonl: there is no such file. Beside it.*tweets.jsonl"
        ):
            act()


def test_a_folder_that_is_no_saved_dataset_is_refused(tmp_path):
    with pytest.raises(DataError, match="a folder without a file of rows"):
        Files(train=str(tmp_path)).load(COLUMNS)


def test_limit_draws_from_the_whole_file_and_always_the_same(tmp_path):
    lines = "".join(
        json.dumps({"text": str(index), "label": "a" if index < 500 else "b"}) + "\n" for index in range(1000)
    )
    path = write(tmp_path / "sorted.jsonl", lines)
    rows = Files(train=path, limit=100).load(COLUMNS)["train"]
    assert rows == Files(train=path, limit=100).load(COLUMNS)["train"]
    assert len(rows) == 100
    assert 35 < sum(row.values["label"] == "a" for row in rows) < 65
    assert [int(row.values["text"]) for row in rows] == sorted(int(row.values["text"]) for row in rows)


def test_fingerprint_follows_contents_and_settings_but_not_the_folder(tmp_path):
    first, second = tmp_path / "one", tmp_path / "two"
    first.mkdir()
    second.mkdir()
    prints = [
        Files(train=write(first / "r.jsonl", '{"text": "x"}')).fingerprint(),
        Files(train=write(second / "r.jsonl", '{"text": "x"}')).fingerprint(),
        Files(train=write(second / "r.jsonl", '{"text": "y"}')).fingerprint(),
        Files(train=str(first / "r.jsonl"), limit=3).fingerprint(),
        Files(train=str(first / "r.jsonl"), validation=str(first / "r.jsonl")).fingerprint(),
    ]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 4


def test_places_tell_two_files_of_one_name_apart(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "r.jsonl", '{"text": "x"}')
    loaded = Files(train=str(tmp_path / "a/r.jsonl"), validation=str(tmp_path / "b/r.jsonl")).load(COLUMNS)
    assert loaded["train"][0].place == "a/r.jsonl:1"
    assert loaded["validation"][0].place == "b/r.jsonl:1"


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"limit": 0}, "data.limit"),
        ({"limit": 2.5}, "data.limit"),
        ({"validation_fraction": 0}, "data.validation_fraction"),
        ({"test_fraction": 1.5}, "data.test_fraction"),
        ({"test_fraction": "0.1"}, "data.test_fraction"),
        ({"validation_fraction": 0.6, "test_fraction": 0.4}, "leave no rows to train on"),
        ({"columns": {"text": 3.5}}, "data.columns"),
        ({"columns": "text"}, "data.columns"),
        ({"validation": 3}, "data.validation"),
    ],
)
def test_settings_that_cannot_be_honoured_are_refused(settings, key):
    with pytest.raises(ConfigError, match=key):
        Files(train="rows.jsonl", **settings)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("half.jsonl", '{"text": "\\ud83d", "label": "a"}', "half a character"),
        ("half.json", '[{"text": "\\ud83d", "label": "a"}]', "half a character"),
        ("long.jsonl", '{"text": ' + "9" * 5000 + "}", "too many digits"),
        ("long.json", "[" + "9" * 5000 + "]", "too many digits"),
        ("deep.json", "[" * 100_000, "too deep"),
    ],
)
def test_json_that_no_text_can_come_of_is_refused(tmp_path, name, content, says):
    with pytest.raises(DataError, match=says):
        Files(train=write(tmp_path / name, content)).load(COLUMNS)


def test_parquet_with_texts_that_are_none_and_with_equal_columns_is_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    broken = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")])
    pq.write_table(pa.table({"text": broken}), tmp_path / "broken.parquet")
    with pytest.raises(DataError, match="cannot be read as parquet: 'utf-8' codec"):
        Files(train=str(tmp_path / "broken.parquet")).load(COLUMNS)
    pq.write_table(pa.table([["a"], ["b"]], names=["text", "text"]), tmp_path / "twice.parquet")
    with pytest.raises(DataError, match="more than one column 'text'"):
        Files(train=str(tmp_path / "twice.parquet")).load(COLUMNS)


def test_what_never_ends_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    for path in (tmp_path / "pipe.jsonl", "/dev/zero"):
        with pytest.raises(DataError, match="neither a file nor a folder"):
            Files(train=str(path)).fingerprint()


def test_a_folder_of_many_files_is_gone_through_once(tmp_path, monkeypatch):
    num_hashed, own = 0, Path.__hash__

    def hashed(path):
        nonlocal num_hashed
        num_hashed += 1
        return own(path)

    def num_hashed_of(num_files):
        nonlocal num_hashed
        (tmp_path / str(num_files)).mkdir()
        for number in range(num_files):
            write(tmp_path / str(num_files) / f"{number}.txt", "a")
        num_hashed = 0
        assert len(find_files(str(tmp_path / str(num_files))).splits["train"]) == num_files
        return num_hashed

    monkeypatch.setattr(type(tmp_path), "__hash__", hashed)
    assert 0 < num_hashed_of(100) < 2.5 * num_hashed_of(50)  # four times as many where each is compared with each
