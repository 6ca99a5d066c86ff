"""Labels in lines of text, and JSON that holds no rows: the command in the message makes rows, and loses none."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ftsweep.data.looking.look import Look, look_at
from ftsweep.errors import DataError

_NUM = 40


def text(number: int) -> str:
    """Some with quote marks that close nothing, commas, and letters that are not ASCII."""
    return f"{'é' * (number % 3 == 0)}{chr(34) * (number % 4 == 0)}the café at mile {number}, they said, is open"


def made(data: Path, folder: Path) -> Look:
    """A look at what the refusal's command makes, run in a folder."""
    try:
        doubt = look_at([str(data)]).doubt
        assert doubt is not None
        said = doubt.remedy
    except DataError as error:
        said = str(error)
    quoted, plain = next(iter(re.findall(r"`(.*?)`|: (cat .*?NEW\.\w+)", said)))
    command = (quoted or plain).replace("python ", f"{sys.executable} ", 1)
    subprocess.run(["bash", "-c", command], cwd=folder, check=True)
    return look_at([str(next(folder.glob("NEW*")))])


@pytest.mark.parametrize("form", ["{text}@{label}", "{text} , {label}", "{label}, {text}", "__label__{label} {text}"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_labels_in_lines_become_a_column_by_the_command_in_the_message(form: str, encoding: str, tmp_path: Path):
    lines = "".join(form.format(text=text(n), label=["good", "bad"][n % 2]) + "\n" for n in range(_NUM))
    (tmp_path / "rows.txt").write_bytes(lines.encode(encoding))
    look = made(tmp_path / "rows.txt", tmp_path)
    assert look.guess is not None
    assert look.guess.columns == {"text": "text", "label": "label"}
    assert look.num_rows == {"train": _NUM}
    assert look.num_unreadable == 0
    assert dict(look.columns["label"].counts) == {"good": 20, "bad": 20}


@pytest.mark.parametrize(
    ("line", "columns"),
    [
        (lambda n: f"{n % 2} {text(n)}", {"text": "text", "label": "label"}),
        (lambda n: f"({n % 3} (2 Mile) (2 (1 number) ({n % 4} n{n})))", {"text": "text", "label": "label"}),
        (lambda n: f"mile/B-PLACE {n}/I-PLACE is/O open/O", {"tokens": "tokens", "tags": "tags"}),
        (lambda n: f"{n}::{text(n)}::{'ab'[n % 2]}", {"text": "2", "label": "3"}),
    ],
)
def test_numbers_trees_and_tags_in_lines_become_columns(line: Any, columns: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text("".join(f"{line(n)}\n" for n in range(_NUM)))
    look = made(tmp_path / "rows.txt", tmp_path)
    assert look.guess is not None
    assert look.guess.columns == columns
    assert (look.num_rows, look.num_unreadable) == ({"train": _NUM}, 0)


def test_words_and_tags_without_blank_lines_are_told_with_what_puts_them(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("London B-LOC\nis O\nbig O\n. O\n" * _NUM)
    assert made(tmp_path / "words.txt", tmp_path).num_rows == {"train": _NUM}


@pytest.mark.parametrize(
    "line",
    [
        "{n} a verse of the book",
        "The {n}th line of a poem",
        "Anna: I ate {n} plums",
        "{word}, I ate {n} plums",
        "I ate {n} plums @{word}",
        "I ate {n} plums @ {word}",
    ],
)
def test_lines_of_other_texts_have_no_labels(line: str, tmp_path: Path) -> None:
    lines = (line.format(n=n, word=["Then", "Later"][n % 2]) for n in range(_NUM))
    (tmp_path / "poem.txt").write_text("".join(f"{each}\n\n" for each in lines))
    look = look_at([str(tmp_path / "poem.txt")])
    assert look.guess is not None
    assert (look.guess.task, look.num_rows) == ("text", {"train": _NUM})


def test_mentions_and_addresses_in_lines_and_a_list_of_numbers_are_no_labels_and_no_json(tmp_path: Path) -> None:
    for lines in ("I ate {n} plums @{word}", "day{n}@{word}"):
        text = "".join(f"{lines.format(n=n, word=['Ann', 'Ben'][n % 2])}\n" for n in range(_NUM))
        (tmp_path / "lines.txt").write_text(text)
        with pytest.raises(DataError, match="put a blank line behind each"):
            look_at([str(tmp_path / "lines.txt")])
    (tmp_path / "note.txt").write_text("[1]\n")
    with pytest.raises(DataError, match="holds one row"):
        look_at([str(tmp_path / "note.txt")])


def test_verses_by_number_have_no_labels(tmp_path: Path) -> None:
    psalm = "".join(f"{verse} a verse of the book\n" for verse in range(1, 8))
    (tmp_path / "psalms.txt").write_text(f"{psalm}\n" * 10)
    assert look_at([str(tmp_path / "psalms.txt")]).num_rows == {"train": 10}


@pytest.mark.parametrize("encodings", [("cp1252", "cp1252"), ("cp1252", "utf-8-sig")])
def test_files_of_lines_named_after_labels_become_labelled_rows(encodings: tuple[str, str], tmp_path: Path) -> None:
    for name, encoding in zip(("good", "bad"), encodings, strict=True):
        (tmp_path / f"{name}.txt").write_bytes("".join(f"{text(n)}\n" for n in range(_NUM)).encode(encoding))
    doubt = look_at([str(tmp_path)]).doubt
    assert doubt is not None
    (command,) = re.findall(r"are labels: `(.*?)`", doubt.remedy)
    subprocess.run(["bash", "-c", command.replace("python ", f"{sys.executable} ", 1)], cwd=tmp_path, check=True)
    look = look_at([str(tmp_path / "NEW.jsonl")])
    assert dict(look.columns["label"].counts) == {"bad": _NUM, "good": _NUM}


def test_rows_deep_within_an_object_and_tasks_with_a_definition_become_rows(tmp_path: Path) -> None:
    rows = [{"text": text(n), "label": "ab"[n % 2]} for n in range(_NUM)]
    for folder in ("deep", "task"):
        (tmp_path / folder).mkdir()
    (tmp_path / "deep" / "my data.json").write_text(json.dumps({"set": {"name": "x", "my rows": rows}}))
    assert made(tmp_path / "deep" / "my data.json", tmp_path / "deep").num_rows == {"train": _NUM}
    instances = [{"input": text(n), "output": [f"it is {n}", f"{n} it is"]} for n in range(_NUM)]
    task = {"Definition": ["Say it."], "Positive Examples": instances[:2], "Instances": instances}
    (tmp_path / "task" / "t.json").write_text(json.dumps(task))
    look = made(tmp_path / "task" / "t.json", tmp_path / "task")
    assert look.guess is not None
    assert look.guess.columns == {name: name for name in ("instruction", "input", "output")}
    assert look.num_rows == {"train": 2 * _NUM}


@pytest.mark.parametrize(("num", "indent"), [(_NUM, None), (_NUM, 1), (_NUM - 5, None), (_NUM - 5, 1)])
def test_lists_of_texts_under_their_labels_become_rows(num: int, indent: int | None, tmp_path: Path) -> None:
    lists = {name: [f"{name} {text(n)}" for n in range(count)] for name, count in (("pos", num), ("neg", _NUM))}
    (tmp_path / "my lists.json").write_text(json.dumps(lists, indent=indent))
    look = made(tmp_path / "my lists.json", tmp_path)
    assert dict(look.columns["label"].counts) == {"pos": num, "neg": _NUM}


@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_rows_deep_within_an_object_of_an_archive_become_rows(bom: str, tmp_path: Path) -> None:
    rows = [{"text": text(n), "label": "ab"[n % 2]} for n in range(_NUM)]
    with zipfile.ZipFile(tmp_path / "-a b.zip", "w") as archive:
        archive.writestr("it's [1].json", bom + json.dumps({"set": {"rows": rows}}))
    assert made(tmp_path / "-a b.zip", tmp_path).num_rows == {"train": _NUM}


def test_an_object_in_each_text_of_a_folder_is_no_text_and_becomes_a_row_with_its_split(tmp_path: Path) -> None:
    for split, num in (("train", _NUM), ("dev", 10)):
        for level in ("high", "middle"):
            (tmp_path / "set" / split / level).mkdir(parents=True)
            for n in range(num):
                row = json.dumps({"article": text(n), "summary": f"mile {n}"}, indent=1)
                (tmp_path / "set" / split / level / f"{n}.txt").write_text(row)
    look = made(tmp_path / "set", tmp_path)
    assert (look.split_column, look.num_rows) == ("split", {"train": 2 * _NUM, "validation": 20})
    assert dict(look.columns["folder"].counts) == {"high": _NUM + 10, "middle": _NUM + 10}


def test_annotations_between_texts_become_entities_and_relations_a_column(tmp_path: Path) -> None:
    for folder in ("pubtator", "semeval"):
        (tmp_path / folder).mkdir()
    docs = (f"{n}|t|Ache {n}\n{n}|a|An ache.\n{n}\t0\t4\tAche\tDisease\tD1\n{n}\tCID\tD1\tD2\n\n" for n in range(_NUM))
    (tmp_path / "pubtator" / "docs.txt").write_text("".join(docs))
    look = made(tmp_path / "pubtator" / "docs.txt", tmp_path / "pubtator")
    assert look.guess is not None
    assert look.guess.columns == {"tokens": "text", "tags": "entities"}
    assert dict(look.columns["entities"].counts) == {"[[0, 4, 'Disease']]": _NUM}
    assert "Ache 7 An ache." in look.columns["text"].counts
    pair = '{n}\t"The <e1>tap</e1> of {n} "cups" made <e2>foam</e2>."\n{label}\nComment: \n\n'
    pairs = (pair.format(n=n, label=["Cause-Effect(e1,e2)", "Other"][n % 2]) for n in range(_NUM))
    (tmp_path / "semeval" / "train.TXT").write_text("".join(pairs))
    look = made(tmp_path / "semeval" / "train.TXT", tmp_path / "semeval")
    assert dict(look.columns["label"].counts) == {"Cause-Effect(e1,e2)": 20, "Other": 20}
    assert 'The <e1>tap</e1> of 7 "cups" made <e2>foam</e2>.' in look.columns["text"].counts


def test_the_stories_of_reuters_become_rows_with_topics_and_splits(tmp_path: Path) -> None:
    story = (
        '<REUTERS TOPICS="YES" LEWISSPLIT="{split}" NEWID="{n}">\n<TOPICS><D>{topic}</D></TOPICS>\n'
        "<TEXT>&#2;\n<TITLE>STORY {n}</TITLE><BODY>Prices &lt;rose> by {n}.\n&#3;</BODY></TEXT>\n</REUTERS>\n"
    )
    (tmp_path / "sgm").mkdir()
    for n, split in enumerate(("TRAIN", "TEST", "NOT-USED")):
        stories = (story.format(split=split, n=m, topic=["cocoa", "grain"][m % 2]) for m in range(_NUM))
        (tmp_path / "sgm" / f"reut2-00{n}.sgm").write_text("".join(stories), encoding="latin-1")
    look = made(tmp_path / "sgm", tmp_path)
    assert (look.split_column, look.num_rows) == ("split", {"train": _NUM, "test": _NUM})
    assert set(look.columns["labels"].counts) == {"cocoa", "grain"}
    assert any("Prices <rose> by 7." in text for text in look.columns["text"].counts)
