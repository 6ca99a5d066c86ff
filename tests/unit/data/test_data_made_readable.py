"""A file of a kind that holds no rows is refused with a command, and the command writes rows."""

from __future__ import annotations

import contextlib
import io
import json
import mailbox
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from ftsweep.data.files.made_readable import way_to_read
from ftsweep.data.looking.look import Look, look_at
from ftsweep.data.sources.files import Files
from ftsweep.errors import DataError

ROWS = [{"text": f"the thing, number {n} é", "label": ["good", "NA"][n % 2]} for n in range(20)]


def frame() -> Any:
    import pandas as pd

    return pd.DataFrame(ROWS)


def followed(message: str) -> list[Path]:
    """Do what a command in a message says, in this process, and return what it wrote."""
    (command,) = [each for each in re.findall(r"`([^`]*)`", message) if each.startswith("python -c ")]
    _, _, code, *arguments = shlex.split(command)
    out = io.StringIO()
    target = Path(arguments[-1])
    if ">" in arguments:
        arguments = arguments[: arguments.index(">")]
    expanded = [
        name
        for each in arguments
        for name in (sorted(map(str, Path(each).parent.glob("*.eml"))) if each.endswith("*.eml") else [each])
    ]
    former, sys.argv = sys.argv, ["-c", *expanded]
    try:
        with contextlib.redirect_stdout(out):
            exec(code, {"__name__": "__main__"})  # what a person would run
    finally:
        sys.argv = former
    if out.getvalue():
        target.write_text(out.getvalue(), encoding="utf-8")
    return [target]


def letter(number: int) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = f"Über {number}"
    mail.set_content(ROWS[number]["text"])
    return mail


def as_mbox(file: Path) -> None:
    box = mailbox.mbox(file)
    for number in range(len(ROWS)):
        box.add(mailbox.mboxMessage(letter(number)))
    box.close()


def as_sqlite(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as base:
        base.execute('create table "other" (a)')
        base.execute('create table "order" (text, label)')
        base.executemany('insert into "order" values (?, ?)', [tuple(row.values()) for row in ROWS])
        base.commit()


def as_xml(file: Path) -> None:
    items = "".join(f"<item><text>{row['text']}</text><label>{row['label']}</label></item>" for row in ROWS)
    file.write_text(f'<rss xmlns="urn:x">{items}</rss>', encoding="utf-8")


KINDS: dict[str, Callable[[Path], Any]] = {
    "r.yaml": lambda file: file.write_text(json.dumps(ROWS), encoding="utf-8"),
    "r.toml": lambda file: file.write_text(
        "".join(f'[[row]]\ntext = "{row["text"]}"\nlabel = "{row["label"]}"\n' for row in ROWS), encoding="utf-8"
    ),
    "r.html": lambda file: frame().to_html(file, index=False),
    "r.xml": as_xml,
    "r.db": as_sqlite,
    "r.dta": lambda file: frame().astype({"label": "category"}).to_stata(file, write_index=False, version=118),
    "r.pkl": lambda file: frame().to_pickle(file),
    "r.orc": lambda file: frame().to_orc(file),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_table_of_another_kind_is_read_after_the_command(name: str, tmp_path: Path) -> None:
    file = tmp_path / "a folder" / name
    file.parent.mkdir()
    KINDS[name](file)
    with pytest.raises(DataError) as caught:
        look_at([str(file)])
    (made,) = followed(str(caught.value).replace("ITEM", "item"))
    rows = Files(train=str(made)).load(("text", "label"))["train"]
    assert [dict(row.values) for row in rows] == ROWS


def as_a_shell_takes_it(command: str) -> list[str]:
    """The words that the program of a command gets, which is not run."""
    program = command.split()[0]
    show = f"{program}() {{ printf '%s\\0' \"$@\"; }}; {command}"
    return subprocess.run(["bash", "-c", show], capture_output=True, text=True, check=True).stdout.split("\0")[:-1]


HOSTILE = """a $(echo ran) `echo ran` "b" it's\nnew"""


def test_what_names_hold_is_nothing_to_a_shell(tmp_path: Path) -> None:
    file = tmp_path / f"{HOSTILE}.db"
    table = HOSTILE.replace('"', '""')
    with contextlib.closing(sqlite3.connect(file)) as base:
        base.execute(f'create table "{table}" (text)')
    way = way_to_read(file)
    _, code, *words = as_a_shell_takes_it(way[way.index("`python") + 1 : way.rindex("`")])
    assert "ran" not in code
    assert words == [str(file), f'select * from "{table}"', str(file.with_suffix(".parquet"))]
    way = way_to_read(file.with_suffix(".duckdb"))
    words = as_a_shell_takes_it(way[way.index("`duckdb") + 1 : way.rindex("`")])
    assert words == [str(file.with_suffix(".duckdb")), "COPY TABLE TO 'NEW.parquet'"]


def test_a_command_writes_over_no_file_and_takes_no_name_for_an_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.csv").write_text("mine")
    assert way_to_read(Path("r.rds")).endswith("r.rds r-new.csv`")
    assert "`gzip -d ./-r.z`" in way_to_read(Path("-r.z"))


def test_letters_are_texts_after_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    as_mbox(tmp_path / "r.mbox")
    (tmp_path / "mail").mkdir()
    for number in range(len(ROWS)):
        (tmp_path / "mail" / f"{number:02}.eml").write_bytes(bytes(letter(number)))
    for name in ("r.mbox", "mail"):
        with pytest.raises(DataError) as caught:
            look_at([str(tmp_path / name)])
        (made,) = followed(str(caught.value))
        written = [json.loads(line) for line in made.read_text("utf-8").splitlines()]
        assert [row["text"].strip() for row in written] == [row["text"] for row in ROWS]
        assert written[3]["subject"] == "Über 3"


def test_cells_of_a_notebook_are_texts_after_the_command(tmp_path: Path) -> None:
    cells = [{"cell_type": "code", "source": [f"x = {n}\n", "x"]} for n in range(20)]
    (tmp_path / "r.ipynb").write_text(json.dumps({"cells": cells}))
    with pytest.raises(DataError) as caught:
        look_at([str(tmp_path / "r.ipynb")])
    (made,) = followed(str(caught.value))
    assert json.loads(made.read_text().splitlines()[1]) == {"text": "x = 1\nx", "kind": "code"}


def test_annotations_beside_texts_are_told_with_a_command_that_makes_entities_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "brat"
    folder.mkdir()
    for n in range(20):
        (folder / f"{n:02}.txt").write_text(f"Ünna Lee went\nto Rome, {n}", encoding="utf-8")
        marks = "T1\tPER 0 8\tÜnna Lee\nT2\tLOC 17 21\tRome\nT3\tEV 9 13;14 16\twent to\nR1\tin Arg1:T1 Arg2:T2\n"
        (folder / f"{n:02}.ann").write_text(marks, encoding="utf-8")
    (finding,) = look_at([str(folder)]).findings
    assert "annotations beside 20 texts" in finding.text
    (made,) = followed(finding.text)
    look: Look = look_at([str(made)])
    assert look.guess is not None
    assert dict(look.guess.columns) == {"tokens": "text", "tags": "entities"}
    row = Files(train=str(made), columns=look.guess.columns).load(("tokens", "tags"))["train"][0]
    tags = dict(zip(row.values["tokens"], row.values["tags"], strict=True))
    assert tags == {
        **{"Ünna": "B-PER", "Lee": "I-PER", "went": "B-EV", "to": "I-EV", "Rome": "B-LOC"},
        **{",": "O", "0": "O"},
    }


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.manifest", b'{"text": "a"}\n{"text": "b"}\n', "holds a JSON object a line: name it .jsonl"),
        ("r.br", "ur ger brezhonek \u00f1\n".encode(), "is text by its first bytes. Name it after"),
        ("s.br", b"\x1b\xff\x80", "brotli -d"),
        ("r.por", b"ASCII SPSS PORT FILE", "read_spss"),
        ("r.dat", b"a;b\n", "Name it after what it holds: .csv"),
        ("r.xls", b"<table></table>", "is text by its first bytes. Name it after"),
        ("r.xlsx", b"PK\x03\x04", "pandas.read_excel.*r.xlsx .*r.csv`"),
        ("r.sav", b"$FL2", r"pip install pyreadstat\).*read_spss"),
        ("r.mdb", b"\0", "`mdb-export .*r.mdb TABLE > .*r.csv`"),
        ("r.rds", b"\0", "`Rscript -e .*readRDS"),
        ("r.tar.gz", b"\0", "Unpack it .`tar xf .*r.tar.gz`"),
    ],
)
def test_a_kind_says_its_way(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        look_at([str(tmp_path / name)])


def test_a_translation_memory_keeps_all_its_languages(tmp_path: Path) -> None:
    units = "".join(
        f'<tu><tuv xml:lang="de"><note>x</note><seg>Der <b>Hund</b> {n}</seg></tuv>'
        f'<tuv xml:lang="en"><seg>dog {n}</seg></tuv></tu>'
        for n in range(12)
    )
    (tmp_path / "de-en.tmx").write_text(f'<tmx version="1.4"><header/><body>{units}</body></tmx>')
    with pytest.raises(DataError) as caught:
        look_at([str(tmp_path / "de-en.tmx")])
    (made,) = followed(str(caught.value))
    assert json.loads(made.read_text().splitlines()[1]) == {"de": "Der Hund 1", "en": "dog 1"}


def test_articles_of_squads_layout_become_a_row_per_question(tmp_path: Path) -> None:
    asked = [
        {"question": "who?", "id": "1", "answers": [{"text": "Anna", "answer_start": 0}]},
        {"question": "why?", "id": "2", "answers": [], "is_impossible": True},
    ]
    pages = [{"title": f"t{n}", "paragraphs": [{"context": f"Anna went, {n}.", "qas": asked}]} for n in range(12)]
    (tmp_path / "OLD.json").write_text(json.dumps({"version": "v2.0", "data": pages}))
    look = look_at([str(tmp_path / "OLD.json")])
    assert look.doubt is not None
    (made,) = followed(look.doubt.remedy.replace("OLD.json > NEW", f"{tmp_path}/OLD.json > {tmp_path}/NEW"))
    rows = [json.loads(line) for line in made.read_text().splitlines()]
    assert rows[:2] == [
        {"question": "who?", "context": "Anna went, 0.", "answer": "Anna"},
        {"question": "why?", "context": "Anna went, 0.", "answer": "no answer"},
    ]
    assert len(rows) == 24


def test_a_folder_of_files_without_extensions_is_named_by_the_command_in_the_message(tmp_path: Path) -> None:
    for kind in ("rec.autos", "sci.space"):
        (tmp_path / "news" / kind).mkdir(parents=True)
        for n in range(12):
            (tmp_path / "news" / kind / str(n)).write_text(f"{kind} has news, {n}")
    with pytest.raises(DataError) as caught:
        look_at([str(tmp_path / "news")])
    (command,) = re.findall(r"`(find [^`]*)`", str(caught.value))
    subprocess.run(shlex.split(command), check=True)
    look = look_at([str(tmp_path / "news")])
    assert look.guess is not None
    assert (look.guess.task, look.num_rows) == ("classification", {"train": 24})
