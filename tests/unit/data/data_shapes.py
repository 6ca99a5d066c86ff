"""Shapes of data that people have, each with what must be read of it, or what refuses it and the remedy that works.

One entry is one shape: add yours to `SHAPES`. `write` writes files into the folder and returns the keys of `data`;
paths in them are relative to the folder. `rows` is what the task must see, as `seen` has it. A shape that is refused
says how (`refused`, a pattern), and `follow` does what the message says: keys to add, or files to write; then `rows`
count.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import unicodedata
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Keys = dict[str, Any]

WORDS = ["red", "green", "blue", "warm", "cold", "quick", "slow", "new", "old", "small", "large", "plain"]
TEXTS = [f"the {WORDS[i % 12]} {WORDS[(5 * i + 1) % 12]} thing, number {i}" for i in range(24)]
LABELS = ["good" if i % 3 else "bad" for i in range(24)]
ROWS = list(zip(TEXTS, LABELS, strict=True))
SEVERAL = [[], ["soup"], ["lamp", "soup"], ["room"]] * 6
MULTI = [(text, tuple(labels)) for text, labels in zip(TEXTS, SEVERAL, strict=True)]
VECTORS = [[0, 0, 1], [1, 0, 1], [0, 0, 0], [0, 1.0, 1]] * 6
SENTENCES = [(("Ada", "Lovelace", "met", name), ("B-PER", "I-PER", "O", "B-PER")) for name in ("Bob", "Eve", "Ian") * 8]


@dataclass(frozen=True)
class Shape:
    """One kind of data."""

    name: str
    write: Callable[[Path], Keys]
    rows: Sequence[Any] = field(default_factory=lambda: ROWS)
    task: str = "classification"
    finds: tuple[str, ...] = ()
    """Names of findings that reading must give."""
    num_bad: int = 0
    """Rows that must be there with a problem."""
    refused: str = ""
    follow: Callable[[Path], Keys] | Keys = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the task."""


def csv_of(rows: Sequence[Sequence[str]], header: str = "text,label", delimiter: str = ",", end: str = "\n") -> str:
    lines = [header] if header else []
    for row in rows:
        lines.append(delimiter.join(f'"{cell}"' if delimiter in cell or '"' in cell else cell for cell in row))
    return end.join(lines) + end


def jsonl_of(rows: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


OBJECTS = [{"text": text, "label": label} for text, label in ROWS]
JSONL = jsonl_of(OBJECTS).encode()
CSV = csv_of(ROWS).encode()


def file(name: str, content: bytes | str, **keys: Any) -> Callable[[Path], Keys]:
    """Writes one file, which is `train`."""

    def write(folder: Path) -> Keys:
        data = content.encode() if isinstance(content, str) else content
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        return {"train": name, **keys}

    return write


def files(contents: Mapping[str, bytes | str], **keys: Any) -> Callable[[Path], Keys]:
    """Writes several files; the keys say which are read."""

    def write(folder: Path) -> Keys:
        for name, content in contents.items():
            file(name, content)(folder)
        return dict(keys)

    return write


def parquet(table: Callable[[], Any], name: str = "r.parquet", **keys: Any) -> Callable[[Path], Keys]:
    def write(folder: Path) -> Keys:
        import pyarrow.parquet as pq

        pq.write_table(table(), folder / name)
        return {"train": name, **keys}

    return write


def arrow(columns: Mapping[str, Sequence[Any]], metadata: Mapping[str, Any] | None = None) -> Callable[[], Any]:
    def table() -> Any:
        import pyarrow as pa

        made = pa.table(dict(columns))
        features = None if metadata is None else {b"huggingface": json.dumps({"info": {"features": metadata}}).encode()}
        return made if features is None else made.replace_schema_metadata(features)

    return table


def categories() -> Any:
    import pyarrow as pa

    return pa.table({"text": TEXTS, "label": pa.array(LABELS).dictionary_encode()})


def saved(folder: Path) -> Keys:
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["bad", "good"])})
    numbers = [int(label == "good") for label in LABELS]
    Dataset.from_dict({"text": TEXTS, "label": numbers}, features=features).save_to_disk(folder / "saved")
    return {"train": "saved"}


def zipped(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def zstd(data: bytes) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


def bomb(folder: Path) -> Keys:
    with gzip.open(folder / "r.csv.gz", "wb") as packed:
        for _ in range(130):
            packed.write(b"text" * (1 << 18))
    return {"train": "r.csv.gz"}


def conll(line: Callable[[int, str, str], str], before: str = "") -> str:
    """Sentences as words a line; `line` makes one of the word's number, the word and its tag."""
    sentences = [
        before
        + "".join(line(number, word, tag) + "\n" for number, (word, tag) in enumerate(zip(*each, strict=True), 1))
        for each in SENTENCES
    ]
    return "\n".join(sentences)


WORD_CLASSES = {"B-PER": "PROPN", "I-PER": "PROPN", "O": "VERB"}
WORD_CLASS_ROWS = [(words, tuple(f"B-{WORD_CLASSES[tag]}" for tag in tags)) for words, tags in SENTENCES]


def in_scheme(tags: Mapping[int, str]) -> str:
    """The sentences with other tags at some places."""
    return conll(lambda number, word, tag: f"{word} {tags.get(number, tag)}")


ACCENTS = [(f"{text} café", label) for text, label in ROWS]
NUMBERS = [(text, str(int(label == "good"))) for text, label in ROWS]
TRUTHS = [(text, "true" if label == "good" else "false") for text, label in ROWS]
FRENCH = [(text, "négatif" if label == "bad" else "génial") for text, label in ROWS]
STRAY = ['"the stray mark, opened', "bad"]
TYPES = {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": ["bad", "good"], "_type": "ClassLabel"}}
ONE_HOT = csv_of(
    [[text, *(str(int(name in labels)) for name in ("lamp", "soup", "room"))] for text, labels in MULTI],
    "text,lamp,soup,room",
)
COLUMNS_ONE_HOT = {"labels": ["lamp", "soup", "room"]}
CARD = [{"prompt": text, "completion": f"about {text}"} for text in TEXTS]
CARDS = [(row["prompt"], row["completion"]) for row in CARD]
NUMBER_OF = {"bad": 0, "good": 1}


def one(rows: Sequence[tuple[str, str]], at: int, line: str) -> str:
    """A csv file with one more line, as it is, behind so many rows."""
    lines = csv_of(rows).splitlines(keepends=True)
    return "".join([*lines[: at + 1], line + "\n", *lines[at + 1 :]])


SHAPES = [
    # tables
    Shape("csv", file("r.csv", CSV)),
    Shape("csv crlf", file("r.csv", csv_of(ROWS, end="\r\n"))),
    Shape("csv of an old mac", file("r.csv", csv_of(ROWS, end="\r"))),
    Shape("csv mixed line ends", file("r.csv", csv_of(ROWS[:9], end="\r\n") + csv_of(ROWS[9:], "", end="\n"))),
    Shape("csv without last line end", file("r.csv", CSV.rstrip())),
    Shape("csv semicolons", file("r.csv", csv_of(ROWS, "text;label", ";")), finds=("delimiter",)),
    Shape("csv tabs", file("r.csv", csv_of(ROWS, "text\tlabel", "\t")), finds=("delimiter",)),
    Shape("csv pipes", file("r.csv", csv_of(ROWS, "text|label", "|")), finds=("delimiter",)),
    Shape("csv another sign", file("r.csv", csv_of(ROWS, "text~label", "~"), delimiter="~")),
    Shape("csv sep line", file("r.csv", "sep=;\n" + csv_of(ROWS, "text;label", ";")), finds=("delimiter",)),
    Shape("tsv", file("r.tsv", csv_of(ROWS, "text\tlabel", "\t"))),
    Shape("tsv with commas", file("r.tsv", CSV), finds=("delimiter",)),
    Shape(
        "csv unnamed columns",
        file("r.csv", csv_of([[*row, "", ""] for row in ROWS], "text,label,,")),
        finds=("columns",),
    ),
    Shape(
        "csv index column",
        file("r.csv", csv_of([[str(i), *row] for i, row in enumerate(ROWS)], ",text,label")),
        finds=("columns",),
    ),
    Shape("csv cells beyond", file("r.csv", csv_of([[*row, "", ""] for row in ROWS])), finds=("columns",)),
    Shape("csv empty lines", file("r.csv", csv_of([*ROWS[:5], ("", ""), *ROWS[5:]])), finds=("columns",)),
    Shape(
        "csv 200 columns",
        file(
            "r.csv",
            csv_of([[*row, *["x"] * 198] for row in ROWS], "text,label," + ",".join(f"c{i}" for i in range(198))),
        ),
    ),
    Shape(
        "csv 5000 columns",
        file(
            "r.csv",
            csv_of([[*row, *["x"] * 4998] for row in ROWS], "text,label," + ",".join(f"c{i}" for i in range(4998))),
        ),
    ),
    Shape(
        "csv doubled column",
        file("r.csv", csv_of([[row[0], "old", row[1]] for row in ROWS], "text,label,label")),
        refused=r"r.csv:1: has more than one column 'label' .*data.columns.label=2",
        follow={"columns": {"label": 3}},
    ),
    Shape(
        "csv doubled column unread",
        file("r.csv", csv_of([[*row, "1", "2"] for row in ROWS], "text,label,x,x")),
        finds=("columns",),
    ),
    Shape(
        "csv without header",
        file("r.csv", csv_of(ROWS, "")),
        refused=r"r.csv:1: its first line looks like a row.*data.header=false 'data.columns={text: 1, label: 2}'",
        follow={"header": False, "columns": {"text": 1, "label": 2}},
    ),
    Shape(
        "csv without header, label first",
        file("r.csv", "".join(f'{i},{b},"{a}, he said"\n' for i, (a, b) in enumerate(ROWS))),
        [(f"{a}, he said", b) for a, b in ROWS],
        refused=r"r.csv:1: its first line looks like a row.*data.header=false 'data.columns={text: 3, label: 2}'",
        follow={"header": False, "columns": {"text": 3, "label": 2}},
    ),
    Shape(
        "csv with a title",
        file("r.csv", "Export of May\n" + CSV.decode()),
        refused=r"r.csv:1: its first line has one name, and .* 2 cells: Export of May\. .*tail -n \+2",
        follow=file("r.csv", CSV),
    ),
    Shape(
        "csv with a title that Excel filled up",
        file("r.csv", "Export of May,\n" + CSV.decode()),
        refused=r"r.csv:1: its first line has one name.*tail -n \+2",
        follow=file("r.csv", CSV),
    ),
    Shape(
        "csv with names of rows that the header has not",
        file("r.csv", '"text","label"\n' + "".join(f'"{i + 1}","{a}","{b}"\n' for i, (a, b) in enumerate(ROWS))),
        finds=("columns",),
    ),
    Shape("csv spaces behind commas", file("r.csv", "text, label\n" + "".join(f'"{a}", "{b}"\n' for a, b in ROWS))),
    Shape(
        "csv spaces behind commas, mixed",
        file(
            "r.csv",
            "label, text\n"
            + "".join(f'{b}, "{a}, so"\n' if i % 2 else f"{b}, plain {i}\n" for i, (a, b) in enumerate(ROWS)),
        ),
        [(f"{a}, so" if i % 2 else f"plain {i}", b) for i, (a, b) in enumerate(ROWS)],
    ),
    *(
        Shape(f"csv separated by {sign!r}", file("r.csv", csv_of(ROWS, f"text{sign}label", sign)), finds=("delimiter",))
        for sign in ("^", ":", "\x01", "~")
    ),
    *(
        Shape(
            f"{name} that is something else",
            file(name, content),
            refused=rf"{name}(:1)?: {what}",
            follow=lambda folder: file("s.jsonl", JSONL)(folder),
        )
        for name, content, what in (
            ("r.csv", b"PK\x03\x04 a workbook", "is an Excel workbook or a zip archive, .*CSV UTF-8"),
            (
                "r.jsonl",
                b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
                "is a pointer of .*git lfs pull",
            ),
            ("r.tsv", "<!DOCTYPE html>\n<html></html>\n", "is a web page"),
            ("s.csv", JSONL, r"holds JSON, and no csv\. Name it \.jsonl"),
            ("t.csv", json.dumps(OBJECTS), r"holds JSON, and no csv\. Name it \.json"),
            ("u.csv", b"PAR1", r"is a parquet file.*Name it \.parquet"),
        )
    ),
    Shape("csv columns by number", file("r.csv", csv_of(ROWS, "a,b"), columns={"text": 1, "label": 2})),
    Shape("csv columns by name", file("r.csv", csv_of(ROWS, "a,b"), columns={"text": "a", "label": "b"})),
    Shape(
        "csv line ends in cells",
        file("r.csv", csv_of([(f"{a}\nand, more", b) for a, b in ROWS])),
        [(f"{a}\nand, more", b) for a, b in ROWS],
    ),
    Shape(
        "csv quotes in cells",
        file("r.csv", csv_of(ROWS).replace("thing", 'the ""thing""')),
        [(a.replace("thing", 'the "thing"'), b) for a, b in ROWS],
    ),
    Shape(
        "csv backslash quotes",
        file("r.csv", csv_of(ROWS).replace("thing", 'the \\"thing\\"')),
        [(a.replace("thing", 'the "thing"'), b) for a, b in ROWS],
        finds=("quotes",),
    ),
    Shape("csv one stray quote", file("r.csv", one(ROWS, 7, '"a mark that never closes,bad')), num_bad=1),
    Shape(
        "csv two stray quotes",
        file("r.csv", one(ROWS, 3, '"a mark that opens,bad').rstrip() + '\na mark that closes",bad\n'),
        num_bad=2,
    ),
    Shape(
        "csv quotes as text",
        file(
            "r.tsv",
            csv_of([(f'"{a}', b) for a, b in ROWS], "text\tlabel", "\t")
            .replace('""', '"')
            .replace('\t"', "\t")
            .replace('"\t', "\t"),
        ),
        [(f'"{a}', b) for a, b in ROWS],
        refused=r"r.tsv:2: a quote mark opens a cell and does not close it.*data.quotes=none",
        follow={"quotes": "none"},
    ),
    Shape("csv a row too long", file("r.csv", one(ROWS, 7, "one,two,three")), num_bad=1),
    Shape("csv a row too short", file("r.csv", one(ROWS, 7, "alone")), num_bad=1),
    Shape("csv a nul byte", file("r.csv", one(ROWS, 7, "a te\0xt,bad")), num_bad=1),
    Shape("csv empty", file("r.csv", ""), refused="r.csv: has no rows", follow=file("r.csv", CSV)),
    Shape("csv header only", file("r.csv", "text,label\n"), refused="r.csv: has no rows", follow=file("r.csv", CSV)),
    # encodings
    Shape("utf-8 with a mark", file("r.csv", csv_of(ACCENTS).encode("utf-8-sig")), ACCENTS),
    Shape("utf-16", file("r.csv", csv_of(ACCENTS).encode("utf-16")), ACCENTS, finds=("encoding",)),
    Shape(
        "utf-16 big end first",
        file("r.csv", b"\xfe\xff" + csv_of(ACCENTS).encode("utf-16-be")),
        ACCENTS,
        finds=("encoding",),
    ),
    Shape("utf-16 without a mark", file("r.csv", csv_of(ACCENTS).encode("utf-16-le")), ACCENTS, finds=("encoding",)),
    Shape("utf-16-be without a mark", file("r.csv", csv_of(ACCENTS).encode("utf-16-be")), ACCENTS, finds=("encoding",)),
    *(
        Shape(
            f"{encoding} without a mark {word}",
            file("r.csv", csv_of([(f"{word} {number}", b) for number, (_, b) in enumerate(ROWS)]).encode(encoding)),
            [(f"{word} {number}", b) for number, (_, b) in enumerate(ROWS)],
            finds=("encoding",),
        )
        for encoding, word in (
            ("utf-16-le", "сегодня хорошая погода"),
            ("utf-16-be", "今天天气很好我们去公园玩吧"),
            ("utf-16-le", "저기 네가 정말 좋네요"),
            ("utf-32-le", "größer"),
            ("utf-32-be", "größer"),
        )
    ),
    *(
        Shape(
            f"{encoding} {text}",
            file("r.csv", csv_of([(f"{text} {number}", b) for number, (_, b) in enumerate(ROWS)]).encode(encoding)),
            [(f"{text} {number}", b) for number, (_, b) in enumerate(ROWS)],
            refused=rf"r.csv:2: is not UTF-8 .*data.encoding={encoding} \(it seems",
            follow={"encoding": encoding},
        )
        for encoding, text in (
            ("cp1254", "hiç beğenmedim, şişe kötü"),
            ("iso8859-2", "Dzień dobry, chciałbym zamówić książkę, nie podoba mi się ten zły produkt, źle działa"),
            ("cp1250", "Dzień dobry, chciałbym zamówić książkę, nie podoba mi się ten zły produkt, źle działa"),
        )
    ),
    *(
        Shape(
            f"cp1252 {word}",
            file("r.csv", csv_of([(f"{a} {word}", b) for a, b in ROWS]).encode("cp1252")),
            [(f"{a} {word}", b) for a, b in ROWS],
            finds=("encoding",),
        )
        for word in ("Größe", "informação", "AÇÕES", "pää sää", "créée", "“café”… à")
    ),
    Shape(
        "cp1252",
        file("r.csv", csv_of([(f"{a} \u2013 \u201ccaf\u00e9\u201d", b) for a, b in ROWS]).encode("cp1252")),
        [(f"{a} \u2013 \u201ccaf\u00e9\u201d", b) for a, b in ROWS],
        finds=("encoding",),
    ),
    Shape(
        "latin-1 said of utf-8",
        file("r.csv", csv_of(ACCENTS).encode(), encoding="latin-1"),
        [(a.encode().decode("latin-1"), b) for a, b in ACCENTS],
        finds=("encoding",),
    ),
    Shape("latin-1 said", file("r.csv", csv_of(ACCENTS).encode("latin-1"), encoding="latin-1"), ACCENTS),
    Shape(
        "cyrillic",
        file(
            "r.csv",
            csv_of([(f"{a} \u044d\u0442\u043e \u0441\u043b\u043e\u0432\u043e", b) for a, b in ROWS]).encode("cp1251"),
        ),
        [(f"{a} \u044d\u0442\u043e \u0441\u043b\u043e\u0432\u043e", b) for a, b in ROWS],
        refused=r"r.csv:2: is not UTF-8 .*data.encoding=.*cp1251",
        follow={"encoding": "cp1251"},
    ),
    Shape(
        "mac roman",
        file("r.csv", csv_of(ACCENTS).encode("mac-roman")),
        ACCENTS,
        refused=r"r.csv:2: is not UTF-8 .*data.encoding=.*mac-roman",
        follow={"encoding": "mac-roman"},
    ),
    Shape("one damaged line", file("r.csv", csv_of(ACCENTS).encode() + b"\xff damaged,bad\n"), ACCENTS, num_bad=1),
    Shape("jsonl utf-16", file("r.jsonl", jsonl_of(OBJECTS).encode("utf-16")), finds=("encoding",)),
    Shape("jsonl one damaged line", file("r.jsonl", jsonl_of(OBJECTS) + "{broken\n"), num_bad=1),
    # containers
    Shape("jsonl", file("r.jsonl", JSONL)),
    Shape("ndjson", file("r.ndjson", JSONL)),
    Shape("jsonl of an old mac", file("r.jsonl", JSONL.replace(b"\n", b"\r"))),
    Shape("jsonl named json", file("r.json", JSONL)),
    Shape("json list", file("r.json", json.dumps(OBJECTS))),
    Shape("json list named jsonl", file("r.jsonl", json.dumps(OBJECTS, indent=1))),
    Shape("json list under a name", file("r.json", json.dumps({"version": 1, "data": OBJECTS})), finds=("columns",)),
    Shape("json columns", file("r.json", json.dumps({"text": TEXTS, "label": LABELS})), finds=("columns",)),
    Shape(
        "json pandas columns",
        file("r.json", json.dumps({"text": dict(enumerate(TEXTS)), "label": dict(enumerate(LABELS))})),
        finds=("columns",),
    ),
    Shape(
        "json pandas split",
        file("r.json", json.dumps({"columns": ["text", "label"], "index": list(range(24)), "data": ROWS})),
        finds=("columns",),
    ),
    Shape(
        "json pandas index",
        file("r.json", json.dumps({str(i): row for i, row in enumerate(OBJECTS)})),
        finds=("columns",),
    ),
    Shape("parquet", parquet(arrow({"text": TEXTS, "label": LABELS}))),
    Shape("jsonl.gz", file("r.jsonl.gz", gzip.compress(JSONL))),
    Shape("csv.gz", file("r.csv.gz", gzip.compress(CSV))),
    Shape("csv packed without saying so", file("r.csv", gzip.compress(CSV))),
    Shape("csv.bz2", file("r.csv.bz2", bz2.compress(CSV))),
    Shape("csv.xz", file("r.csv.xz", lzma.compress(CSV))),
    Shape("json.zst", file("r.json.zst", zstd(json.dumps(OBJECTS).encode()))),
    Shape(
        "parquet.gz",
        lambda folder: (
            parquet(arrow({"text": TEXTS, "label": LABELS}), "r.parquet")(folder)
            and file("r.parquet.gz", gzip.compress((folder / "r.parquet").read_bytes()))(folder)
        ),
    ),
    Shape(
        "gz cut short",
        file("r.csv.gz", gzip.compress(CSV)[:-30]),
        refused="r.csv.gz: is packed, and damaged",
        follow=file("r.csv.gz", gzip.compress(CSV)),
    ),
    Shape(
        "gz that never ends",
        bomb,
        refused="unpacks to more than 250 times",
        follow=file("r.csv", CSV),
    ),
    Shape("zip", file("r.zip", zipped({"readme.txt": b"x", "r.csv": CSV}))),
    Shape("zip member", file("r.zip", zipped({"other.csv": b"x", "r.csv": CSV}), train="r.zip/r.csv")),
    Shape("list of files", files({"a.csv": csv_of(ROWS[:9]), "b.csv": csv_of(ROWS[9:])}, train=["a.csv", "b.csv"])),
    Shape(
        "list of two formats",
        files({"a.csv": csv_of(ROWS[:9]), "b.jsonl": jsonl_of(OBJECTS[9:])}, train=["a.csv", "b.jsonl"]),
    ),
    Shape("pattern", files({"s/p-2.csv": csv_of(ROWS[:9]), "s/p-10.csv": csv_of(ROWS[9:])}, train="s/p-*.csv")),
    Shape(
        "folder",
        files(
            {"s/p-0.jsonl": jsonl_of(OBJECTS[:9]), "s/p-1.jsonl": jsonl_of(OBJECTS[9:]), "s/README.md": "x"}, train="s"
        ),
    ),
    Shape(
        "folder of splits",
        files(
            {
                "s/train-00000-of-00002.csv": csv_of(ROWS[:9]),
                "s/train-00001-of-00002.csv": csv_of(ROWS[9:]),
                "s/test.csv": CSV,
            },
            train="s",
        ),
        finds=("files",),
    ),
    Shape(
        "folder lacks a shard",
        files(
            {"s/train-00000-of-00003.csv": csv_of(ROWS[:9]), "s/train-00001-of-00003.csv": csv_of(ROWS[9:])}, train="s"
        ),
        finds=("shards",),
    ),
    Shape(
        "folder of several kinds",
        files({"s/a.csv": CSV, "s/b.txt": "x"}, train="s"),
        refused=r"several kinds.*data.train='.*\*\*/\*.csv'",
        follow={"train": "s/**/*.csv"},
    ),
    Shape(
        "files with other columns",
        files({"a.csv": csv_of(ROWS), "b.csv": csv_of(ROWS[:1], "text,other")}, train=["a.csv", "b.csv"]),
        finds=("columns",),
        num_bad=1,
    ),
    Shape("xlsx", file("r.xlsx", b"PK"), refused="CSV UTF-8", follow=file("r.csv", CSV.decode().encode("utf-8-sig"))),
    Shape("saved data set", saved),
    # labels
    Shape("labels as numbers", file("r.csv", csv_of(NUMBERS)), NUMBERS),
    Shape("labels as floats", file("r.csv", csv_of([(a, f"{b}.0") for a, b in NUMBERS])), NUMBERS),
    Shape(
        "labels as json numbers",
        file("r.jsonl", jsonl_of([{"text": a, "label": float(b)} for a, b in NUMBERS])),
        NUMBERS,
    ),
    Shape("labels as truths", file("r.csv", csv_of([(a, b.capitalize()) for a, b in TRUTHS])), TRUTHS),
    Shape("labels as loud truths", file("r.csv", csv_of([(a, b.upper()) for a, b in TRUTHS])), TRUTHS),
    Shape(
        "labels as json truths",
        file("r.jsonl", jsonl_of([{"text": a, "label": b == "true"} for a, b in TRUTHS])),
        TRUTHS,
    ),
    Shape(
        "labels padded", file("r.csv", csv_of([(a, f"\u00a0{b} " if i % 2 else b) for i, (a, b) in enumerate(ROWS)]))
    ),
    Shape(
        "labels decomposed",
        file(
            "r.csv", csv_of([(a, unicodedata.normalize("NFD", b) if i % 2 else b) for i, (a, b) in enumerate(FRENCH)])
        ),
        FRENCH,
    ),
    Shape(
        "labels in capitals",
        file("r.csv", csv_of([(a, b.upper() if i % 2 else b) for i, (a, b) in enumerate(ROWS)])),
        settings={"fold_labels": True},
    ),
    Shape("labels as categories", parquet(categories)),
    Shape(
        "labels as class numbers", parquet(arrow({"text": TEXTS, "label": [NUMBER_OF[each] for each in LABELS]}, TYPES))
    ),
    Shape(
        "labels missing",
        file("r.jsonl", jsonl_of([*OBJECTS, {"text": "x", "label": None}, {"text": "y", "label": "NaN"}])),
        num_bad=2,
    ),
    Shape(
        "labels nan in parquet",
        parquet(arrow({"text": [*TEXTS, "x"], "label": [*[float(b) for _, b in NUMBERS], float("nan")]})),
        NUMBERS,
        num_bad=1,
    ),
    # several labels
    Shape("lists", file("r.jsonl", jsonl_of([{"text": a, "labels": list(b)} for a, b in MULTI])), MULTI, "multi_label"),
    Shape(
        "lists as text",
        file("r.csv", csv_of([(a, str(list(b))) for a, b in MULTI], "text,labels")),
        MULTI,
        "multi_label",
    ),
    Shape(
        "lists as numpy prints them",
        file("r.csv", csv_of([(a, str(list(b)).replace(",", "")) for a, b in MULTI], "text,labels")),
        MULTI,
        "multi_label",
    ),
    Shape(
        "labels as sets of text",
        file("r.csv", csv_of([(a, "{'" + "', '".join(b) + "'}" if b else "set()") for a, b in MULTI], "text,labels")),
        [(a, tuple(sorted(b))) for a, b in MULTI],
        "multi_label",
    ),
    *(
        Shape(
            f"labels as zeros and ones in {kind}",
            write,
            [(a, tuple("012"[place] for place in range(3) if VECTORS[i][place])) for i, (a, _) in enumerate(MULTI)],
            "multi_label",
            finds=("labels",),
        )
        for kind, write in (
            ("lists", file("r.jsonl", jsonl_of([{"text": a, "labels": VECTORS[i]} for i, a in enumerate(TEXTS)]))),
            ("text", file("r.csv", csv_of([(a, str(VECTORS[i])) for i, a in enumerate(TEXTS)], "text,labels"))),
        )
    ),
    Shape(
        "labels with slashes",
        file("r.csv", csv_of([(a, "/".join(b) or "room") for a, b in MULTI], "text,labels")),
        [(a, ("/".join(b) or "room",)) for a, b in MULTI],
        "multi_label",
        finds=("labels",),
    ),
    Shape(
        "labels with bars",
        file("r.csv", csv_of([(a, "|".join(b)) for a, b in MULTI], "text,labels")),
        MULTI,
        "multi_label",
        ("labels",),
    ),
    Shape(
        "labels with semicolons",
        file("r.csv", csv_of([(a, "; ".join(b)) for a, b in MULTI], "text,labels")),
        MULTI,
        "multi_label",
        ("labels",),
    ),
    Shape(
        "labels with commas",
        file("r.csv", csv_of([(a, ",".join(b)) for a, b in MULTI], "text,labels")),
        MULTI,
        "multi_label",
        ("labels",),
    ),
    Shape(
        "labels with spaces",
        file("r.csv", csv_of([(a, " ".join(b)) for a, b in MULTI], "text,labels")),
        [(a, (" ".join(b),) if b else ()) for a, b in MULTI],
        "multi_label",
        ("labels",),
    ),
    Shape("a column per label", file("r.csv", ONE_HOT, columns=COLUMNS_ONE_HOT), MULTI, "multi_label"),
    Shape("a column per label that nobody names", file("r.csv", ONE_HOT), MULTI, "multi_label", ("labels",)),
    Shape(
        "a float column per label",
        file("r.csv", ONE_HOT.replace(",0", ",0.0").replace(",1", ",1.0"), columns=COLUMNS_ONE_HOT),
        MULTI,
        "multi_label",
    ),
    Shape(
        "a column per label with a gap",
        file("r.csv", ONE_HOT + "x,,1,0\n", columns=COLUMNS_ONE_HOT),
        MULTI,
        "multi_label",
        num_bad=1,
    ),
    Shape(
        "several labels as class numbers",
        parquet(
            arrow(
                {"text": TEXTS, "labels": [[("lamp", "soup", "room").index(each) for each in b] for _, b in MULTI]},
                {"labels": {"feature": {"names": ["lamp", "soup", "room"], "_type": "ClassLabel"}, "_type": "List"}},
            )
        ),
        MULTI,
        "multi_label",
    ),
    # words and tags
    Shape("conll", file("r.conll", conll(lambda _, word, tag: f"{word} {tag}")), SENTENCES, "token_classification"),
    Shape(
        "conll tabs", file("r.conll", conll(lambda _, word, tag: f"{word}\t{tag}")), SENTENCES, "token_classification"
    ),
    Shape(
        "conll 2003",
        file("r.conll", "-DOCSTART- -X- O O\n\n" + conll(lambda _, word, tag: f"{word} NN B-NP {tag}")),
        SENTENCES,
        "token_classification",
        ("columns",),
    ),
    Shape(
        "conll numbered",
        file("r.conll", conll(lambda i, word, tag: f"{i}\t{word}\t{tag}", "# sentence\n")),
        SENTENCES,
        "token_classification",
        ("columns",),
    ),
    Shape(
        "conll-u",
        file(
            "r.conllu",
            conll(lambda i, word, tag: f"{i}\t{word}\t_\t_\t{tag}", "# text = x\n1-2\tAda Lovelace\t_\t_\t_\n"),
        ),
        SENTENCES,
        "token_classification",
        ("columns",),
    ),
    Shape(
        "multiconer",
        file("r.conll", conll(lambda _, word, tag: f"{word} _ _ {tag}", "# id 1\tdomain=en\n")),
        SENTENCES,
        "token_classification",
    ),
    Shape(
        "tag first",
        file("r.bio", conll(lambda _, word, tag: f"{tag}\t{word}")),
        SENTENCES,
        "token_classification",
        ("columns",),
    ),
    Shape(
        "tags by number",
        file("r.conll", conll(lambda _, word, tag: f"O {word} x {tag} O"), columns={"tokens": 2, "tags": 4}),
        SENTENCES,
        "token_classification",
    ),
    Shape("bioes", file("r.conll", in_scheme({2: "E-PER", 4: "S-PER"})), SENTENCES, "token_classification", ("tags",)),
    Shape("bilou", file("r.conll", in_scheme({2: "L-PER", 4: "U-PER"})), SENTENCES, "token_classification", ("tags",)),
    Shape("iob1", file("r.conll", in_scheme({1: "I-PER", 4: "I-PER"})), SENTENCES, "token_classification", ("tags",)),
    Shape(
        "tags without marks",
        file("r.conll", conll(lambda _, word, tag: f"{word} {tag.rpartition('-')[2]}")),
        SENTENCES,
        "token_classification",
        ("tags",),
    ),
    Shape(
        "tags without marks in lists",
        file("r.jsonl", jsonl_of([{"tokens": a, "tags": [tag.rpartition("-")[2] for tag in b]} for a, b in SENTENCES])),
        SENTENCES,
        "token_classification",
        ("tags",),
    ),
    *(
        Shape(
            f"tags with {name}",
            file("r.conll", conll(lambda _, word, tag, spelled=spelled: f"{word}\t{spelled(tag)}")),
            SENTENCES,
            "token_classification",
            ("tags",),
        )
        for name, spelled in (
            ("colons", lambda tag: tag.replace("-", ":")),
            ("marks at the end", lambda tag: "-".join(reversed(tag.split("-")))),
        )
    ),
    Shape(
        "documents without a blank line",
        file(
            "r.conll",
            conll(lambda i, word, tag: f"-DOCSTART- O\n{word} {tag}" if i == 1 else f"{word} {tag}").replace(
                "\n\n", "\n"
            ),
        ),
        SENTENCES,
        "token_classification",
    ),
    Shape(
        "words and tags named tsv",
        file("r.tsv", conll(lambda _, word, tag: f"{word}\t{tag}")),
        SENTENCES,
        "token_classification",
        ("files",),
    ),
    Shape(
        "a word and its tag a row",
        file(
            "r.csv",
            "tokens,tags\n" + "".join(f"{w},{t}\n" for ws, ts in SENTENCES for w, t in zip(ws, ts, strict=True)),
        ),
        [((w,), (t,)) for ws, ts in SENTENCES for w, t in zip(ws, ts, strict=True)],
        "token_classification",
        ("tags",),
    ),
    Shape(
        "tags with underscores",
        file("r.conll", conll(lambda _, word, tag: f"{word}\t{tag.replace('-', '_')}")),
        SENTENCES,
        "token_classification",
        ("tags",),
    ),
    Shape(
        "conll with a first line of names",
        file("r.conll", "word\tpos\tner\n" + conll(lambda _, word, tag: f"{word}\tNOUN\t{tag}")),
        SENTENCES,
        "token_classification",
        ("columns",),
    ),
    Shape(
        "conll columns by their names",
        file(
            "r.conll",
            "O1\tFORM\tNE\tO2\n" + conll(lambda _, word, tag: f"O\t{word}\t{tag}\tO"),
            columns={"tokens": "FORM", "tags": "NE"},
        ),
        SENTENCES,
        "token_classification",
    ),
    Shape(
        "conll-u plus",
        file(
            "r.conllup",
            "# global.columns = ID FORM UPOS NE MISC\n" + conll(lambda i, word, tag: f"{i}\t{word}\tX\t{tag}\tO"),
            columns={"tokens": "FORM", "tags": "NE"},
        ),
        SENTENCES,
        "token_classification",
    ),
    Shape(
        "conll columns by names that nothing gives",
        file("r.conll", conll(lambda _, word, tag: f"{word} {tag}"), columns={"tags": "NE"}),
        SENTENCES,
        "token_classification",
        refused=r"no column 'NE', which data.columns.tags names.*data.columns.tags=2",
        follow={"columns": {"tags": 2}},
    ),
    Shape(
        "parts of speech",
        file("r.conll", conll(lambda _, word, tag: f"{word} {WORD_CLASSES[tag]}")),
        WORD_CLASS_ROWS,
        "token_classification",
        refused=r"column 2 holds no tags of entities, but 'PROPN'.*write B- before each: B-NOUN",
        follow=file("r.conll", conll(lambda _, word, tag: f"{word} B-{WORD_CLASSES[tag]}")),
    ),
    Shape(
        "parts of speech named by number",
        file(
            "r.conllu",
            conll(lambda i, word, tag: f"{i}\t{word}\t{WORD_CLASSES[tag]}\t{tag}"),
            columns={"tokens": 2, "tags": 3},
        ),
        SENTENCES,
        "token_classification",
        refused=r"column 3 holds no tags of entities, but 'PROPN'.*data.columns.tags=NUMBER",
        follow={"columns": {"tokens": 2, "tags": 4}},
    ),
    Shape(
        "a sentence with a short line",
        file("r.conll", "alone\nmore O\n\n" + conll(lambda _, word, tag: f"{word} {tag}")),
        SENTENCES,
        "token_classification",
        num_bad=1,
    ),
    Shape(
        "several files of a corpus",
        files(
            {"a.conll": conll(lambda _, word, tag: f"{word} {tag}"), "b.conll": "Bob B-PER\n"},
            train=["a.conll", "b.conll"],
        ),
        [*SENTENCES, (("Bob",), ("B-PER",))],
        "token_classification",
    ),
    Shape(
        "tags as lists",
        file("r.jsonl", jsonl_of([{"tokens": a, "tags": b} for a, b in SENTENCES])),
        SENTENCES,
        "token_classification",
    ),
    Shape(
        "tags as lists of text",
        file("r.csv", csv_of([(str(list(a)), str(list(b))) for a, b in SENTENCES], "tokens,tags")),
        SENTENCES,
        "token_classification",
    ),
    Shape(
        "tags as words",
        file("r.csv", csv_of([(" ".join(a), " ".join(b)) for a, b in SENTENCES], "tokens,tags")),
        SENTENCES,
        "token_classification",
    ),
    Shape(
        "tags as class numbers",
        parquet(
            arrow(
                {
                    "tokens": [list(a) for a, _ in SENTENCES],
                    "tags": [[("O", "B-PER", "I-PER").index(tag) for tag in b] for _, b in SENTENCES],
                },
                {"tags": {"feature": {"names": ["O", "B-PER", "I-PER"], "_type": "ClassLabel"}, "_type": "Sequence"}},
            )
        ),
        SENTENCES,
        "token_classification",
    ),
    Shape(
        "words without tags",
        file("r.conll", "Ada\nmet\nBob\n"),
        SENTENCES,
        "token_classification",
        refused="a word without a tag, such as 'Ada'.*a word and its tag",
        follow=file("r.conll", conll(lambda _, word, tag: f"{word} {tag}")),
    ),
    Shape(
        "tags named by number",
        file("r.conll", conll(lambda i, word, tag: f"{i} {word} {tag} NOUN"), columns={"tags": 3}),
        SENTENCES,
        "token_classification",
        ("columns",),
    ),
    # texts and answers
    Shape("paragraphs", file("r.txt", "\n\n".join(TEXTS)), TEXTS, "text"),
    Shape("paragraphs crlf", file("r.txt", "\r\n\r\n".join(TEXTS)), TEXTS, "text"),
    Shape(
        "paragraphs cp1252",
        file("r.txt", "\n\n".join(a for a, _ in ACCENTS).encode("cp1252")),
        [a for a, _ in ACCENTS],
        "text",
        ("encoding",),
    ),
    Shape("csv one column", file("r.csv", csv_of([[each] for each in TEXTS], "text")), TEXTS, "text"),
    Shape(
        "csv one column with commas",
        file("r.csv", "text\n" + "\n".join(TEXTS) + "\n"),
        TEXTS,
        "text",
        refused="r.csv:1: its first line has one name.*data.delimiter=tab",
        follow={"delimiter": "tab"},
    ),
    Shape("prompts", file("r.jsonl", jsonl_of(CARD)), CARDS, "instruction"),
    Shape(
        "prompts csv",
        file("r.csv", csv_of([list(row.values()) for row in CARD], "prompt,completion")),
        CARDS,
        "instruction",
    ),
    Shape(
        "prompts parquet",
        parquet(arrow({"prompt": [a for a, _ in CARDS], "completion": [b for _, b in CARDS]})),
        CARDS,
        "instruction",
    ),
]
