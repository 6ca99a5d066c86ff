"""More shapes of data: files that hold something else than their name says, and things put together by hand."""

from __future__ import annotations

import io
import json
import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

from data_shapes import (
    CSV,
    JSONL,
    LABELS,
    OBJECTS,
    ROWS,
    SENTENCES,
    TEXTS,
    Keys,
    Shape,
    arrow,
    conll,
    csv_of,
    file,
    files,
    jsonl_of,
    parquet,
)

LINES = JSONL.decode().splitlines()
TABS = "".join(f"{label}\t{text}\n" for text, label in ROWS)
INNER = [{"data": {"text": text}, "marks": [{"label": label}], "id": 7} for text, label in ROWS]
INNER_KEYS = {"text": "data.text", "label": "marks.0.label"}
ENTITIES = "-DOCSTART- -X- O\n\n" + conll(lambda _, word, tag: f"{word} NN {tag}")


def tagged_csv(folder: Path) -> Keys:
    return file("r.csv", csv_of(ROWS) + csv_of(ROWS))(folder)


def zipped(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return packed.getvalue()


def zip_in_folder(folder: Path) -> Keys:
    return files({"data/train.zip": zipped(r_csv=CSV), "data/notes.xlsx": b"PK", "data/read.md": b"#"}, train="data")(
        folder
    )


def zip_in_zip(folder: Path) -> Keys:
    return file("outer.zip", zipped(inner_zip=zipped(r_csv=CSV)))(folder)


def apart(folder: Path) -> Keys:
    """What the refusal of several lists says to do."""
    for name, rows in json.loads((folder / "r.json").read_text()).items():
        (folder / f"{name}.json").write_text(json.dumps(rows))
    return {"train": "train.json"}


def from_fasttext(folder: Path) -> Keys:
    lines = (folder / "r.txt").read_text()
    table = re.sub(r"(?m)^__label__([^ ]+) +", r"\1\t", lines)
    return file("new.tsv", table, header=False, columns={"label": 1, "text": 2})(folder)


def feather(name: str, *, is_stream: bool) -> Any:
    def write(folder: Path) -> Keys:
        import pyarrow as pa

        table = arrow({"text": TEXTS, "label": LABELS})()
        with pa.OSFile(str(folder / name), "wb") as sink:
            new = pa.ipc.new_stream if is_stream else pa.ipc.new_file
            with new(sink, table.schema) as writer:
                writer.write_table(table)
        return {"train": name}

    return write


def by_folders(folder: Path) -> Keys:
    for label in ("bad", "good"):
        (folder / f"r/label={label}").mkdir(parents=True)
        parquet(arrow({"text": [text for text, each in ROWS if each == label]}))(folder / f"r/label={label}")
    return {"train": "r"}


def with_tabs(sign: str) -> Any:
    """Tabs in the place of a sign, in another way than by the command of the refusal."""

    def follow(folder: Path) -> Keys:
        (old,) = folder.glob("r.*")
        pattern = sign.replace("$", "[$]")
        table = subprocess.run(["sed", f"s/ *{pattern} */\\t/g", old], capture_output=True, check=True).stdout
        (folder / "r.tsv").write_bytes(table)
        return {"train": "r.tsv", "header": False, "columns": {"text": 2, "label": 3}}

    return follow


def spans_of(words: Any, tags: Any) -> list[list[Any]]:
    """The entities of a sentence, by the places of their characters."""
    found: list[list[Any]] = []
    place = 0
    for word, tag in zip(words, tags, strict=True):
        if tag.startswith("B-"):
            found.append([place, place + len(word), tag[2:]])
        elif tag.startswith("I-"):
            found[-1][1] = place + len(word)
        place += len(word) + 1
    return found


SPANS = [(" ".join(words), spans_of(words, tags)) for words, tags in SENTENCES]
ENTITY = {"tokens": "text", "tags": "entities"}

MORE = [
    # tables
    Shape("csv comments first", file("r.csv", b"# made by hand\n# in two, lines\n" + CSV), finds=("lines",)),
    Shape("csv first name with a sign", file("r.csv", CSV.replace(b"text", b"#text", 1), columns={"text": "#text"})),
    Shape("csv names again", tagged_csv, [*ROWS, *ROWS], finds=("columns",)),
    Shape(
        "csv numbers of rows beside one column",
        file("r.csv", csv_of([[str(i), text] for i, text in enumerate(TEXTS)], ",text")),
        TEXTS,
        "text",
        ("columns",),
    ),
    Shape(
        "csv numbers of rows and unquoted commas",
        file("r.csv", ",text\n" + "".join(f"{i},{text}\n" for i, text in enumerate(TEXTS))),
        TEXTS,
        "text",
        refused=r"24 lines cannot be read: r.csv:2: 3 cells, 2 columns",
        follow=file("r.csv", csv_of([[str(i), text] for i, text in enumerate(TEXTS)], ",text")),
    ),
    Shape("labels of a database", file("r.csv", csv_of([*ROWS, ["a text", r"\N"]])), num_bad=1),
    # JSON
    Shape("jsonl commas", file("r.jsonl", ",\n".join(LINES) + ",\n"), finds=("lines",)),
    Shape(
        "jsonl two a line",
        file("r.jsonl", "".join(f"{a}{b}\n" for a, b in zip(LINES[::2], LINES[1::2], strict=True))),
        finds=("lines",),
    ),
    Shape("jsonl indented", file("r.jsonl", "\n".join(json.dumps(row, indent=1) for row in OBJECTS)), finds=("lines",)),
    Shape("json behind each other", file("r.json", "".join(LINES)), finds=("lines",)),
    Shape("jsonl a key twice", file("r.jsonl", JSONL + b'{"text": "a", "label": "bad", "label": "good"}\n'), num_bad=1),
    Shape("json a key twice", file("r.json", json.dumps(OBJECTS)[:-1] + ', {"text": "a", "text": "b"}]'), num_bad=1),
    Shape("jsonl a key twice alike", file("r.jsonl", JSONL.replace(b"}", b', "x": 1, "x": 1}'))),
    Shape(
        "json a comma too many",
        file("r.json", json.dumps(OBJECTS)[:-1] + ",\n]"),
        refused=r"r.json:2: .*a comma stands before the end of a list",
        follow=file("r.json", json.dumps(OBJECTS)),
    ),
    Shape(
        "json a list a split",
        file("r.json", json.dumps({"train": OBJECTS, "test": OBJECTS})),
        refused=r"several lists of rows: train \(24\), test \(24\)",
        follow=apart,
    ),
    Shape(
        "json a column of objects",
        file("r.json", json.dumps({"text": TEXTS, "label": LABELS, "meta": [{}] * 24})),
        finds=("columns",),
    ),
    Shape("jsonl within objects", file("r.jsonl", jsonl_of(INNER), columns=INNER_KEYS)),
    Shape("json within objects", file("r.json", json.dumps(INNER), columns=INNER_KEYS)),
    Shape(
        "parquet within objects",
        parquet(
            arrow({"data": [row["data"] for row in INNER], "marks": [row["marks"] for row in INNER]}),
            columns=INNER_KEYS,
        ),
    ),
    Shape(
        "json names of rows",
        file("r.json", json.dumps({f"doc{i}": row for i, row in enumerate(OBJECTS)})),
        finds=("columns",),
    ),
    # entities as spans
    Shape(
        "spans as lists",
        file("r.jsonl", jsonl_of([{"text": a, "entities": b} for a, b in SPANS]), columns=ENTITY),
        SENTENCES,
        "token_classification",
    ),
    Shape(
        "spans as objects",
        file(
            "r.json",
            json.dumps(
                [
                    {"text": a, "entities": [{"value": {"start": s, "end": e, "labels": [t]}} for s, e, t in b]}
                    for a, b in SPANS
                ]
            ),
            columns=ENTITY,
        ),
        SENTENCES,
        "token_classification",
    ),
    Shape(
        "spans of spaCy",
        file("r.json", json.dumps([[a, {"entities": b}] for a, b in SPANS]), columns=ENTITY),
        SENTENCES,
        "token_classification",
        ("columns",),
    ),
    Shape(
        "spans that overlap or lie outside",
        file(
            "r.jsonl",
            jsonl_of(
                [{"text": a, "entities": b} for a, b in SPANS]
                + [
                    {"text": "Ada ran", "entities": [[0, 3, "X"], [2, 5, "Y"]]},
                    {"text": "Ada", "entities": [[0, 9, "X"]]},
                ]
            ),
            columns=ENTITY,
        ),
        SENTENCES,
        "token_classification",
        num_bad=2,
    ),
    Shape(
        "spans within words",
        file("r.jsonl", jsonl_of([{"text": "In (Rome), ran.", "entities": [[4, 8, "LOC"]]}] * 24), columns=ENTITY),
        [(("In", "(", "Rome", ")", ",", "ran", "."), ("O", "O", "B-LOC", "O", "O", "O", "O"))] * 24,
        "token_classification",
    ),
    Shape(
        "a text beside its tags",
        file(
            "r.jsonl",
            jsonl_of([{"text": " ".join(a), "tags": list(b)} for a, b in SENTENCES]),
            columns={"tokens": "text"},
        ),
        SENTENCES,
        "token_classification",
    ),
    # signs of several characters between cells
    *(
        Shape(
            f"{kind} cells with {sign.strip()} between",
            file(f"r.{kind}", "".join(f"{i}{sign}{text}{sign}{label}\n" for i, (text, label) in enumerate(ROWS))),
            refused=rf"3 cells each with '{re.escape(sign.strip())}' between them.*python -c .*NEW.csv",
            follow=with_tabs(sign.strip()),
        )
        for kind, sign in (("txt", "::"), ("txt", " +++$+++ "), ("csv", " ::: "), ("csv", " ||| "))
    ),
    Shape(
        "pipes with empty cells",
        file(
            "r.csv", "id|text|a|b|label\n" + "".join(f"{i}|{text}|||{label}\n" for i, (text, label) in enumerate(ROWS))
        ),
    ),
    Shape(
        "pipes with empty cells, no names",
        file(
            "r.csv",
            "".join(f"{i}|{text}|||{label}\n" for i, (text, label) in enumerate(ROWS)),
            header=False,
            columns={"text": 2, "label": 5},
        ),
    ),
    Shape(
        "texts with such signs in them",
        file("r.tsv", "text\tlabel\n" + "".join(f"a ||| {text}\t{label}\n" for text, label in ROWS)),
        [(f"a ||| {text}", label) for text, label in ROWS],
    ),
    Shape(
        "texts with such signs in them, no names",
        file(
            "r.tsv",
            "".join(f"a::{text}\t{label}\n" for text, label in ROWS),
            header=False,
            columns={"text": 1, "label": 2},
        ),
        [(f"a::{text}", label) for text, label in ROWS],
    ),
    Shape(
        "a name above texts with such signs in them",
        file("r.csv", "text\n" + "".join(f'"a || {text}"\n' for text, _ in ROWS)),
        [f"a || {text}" for text, _ in ROWS],
        "text",
    ),
    Shape(
        "a text beside tags with commas",
        file(
            "r.csv", csv_of([[" ".join(a), ",".join(b)] for a, b in SENTENCES], "text,tags"), columns={"tokens": "text"}
        ),
        SENTENCES,
        "token_classification",
    ),
    # other names
    Shape(
        "parquet bytes",
        parquet(arrow({"text": [text.encode() for text in TEXTS], "label": LABELS})),
    ),
    Shape("parquet by folders", by_folders, sorted(ROWS, key=lambda row: row[1]), finds=("files",)),
    Shape("arrow", feather("r.arrow", is_stream=False)),
    Shape("arrow stream", feather("r.arrow", is_stream=True)),
    Shape("feather", feather("r.feather", is_stream=False)),
    Shape("conll named txt", file("r.txt", ENTITIES), SENTENCES, "token_classification", ("files",)),
    Shape(
        "fasttext",
        file("r.txt", "".join(f"__label__{label} {text}\n" for text, label in ROWS)),
        refused="r.txt:1: has labels before its texts as fastText",
        follow=from_fasttext,
    ),
    Shape(
        "table named txt",
        file("r.txt", TABS),
        refused=r"r.txt:1: is a table by its lines.*Name it \.tsv",
        follow=file("r.tsv", TABS, header=False, columns={"label": 1, "text": 2}),
    ),
    Shape("tabs in texts", file("r.txt", TABS.replace("\n", "\n\n")), TABS.splitlines(), "text"),
    Shape("a text a line", file("r.txt", "\n".join(TEXTS)), ["\n".join(TEXTS)], "text", ("lines",)),
    Shape(
        "a folder a label",
        files({f"r/{label}/{n}.txt": f"{text}\n\nend\n" for n, (text, label) in enumerate(ROWS)}, train="r"),
        sorted(((f"{text}\n\nend", label) for text, label in ROWS), key=lambda row: row[1]),
        finds=("files",),
    ),
    # put together of several, or made for the eye
    Shape(
        "csv marks within",
        file("r.csv", b"\xef\xbb\xbf" + csv_of(ROWS[:9]).encode() + b"\xef\xbb\xbf" + csv_of(ROWS[9:]).encode()),
        finds=("columns",),
    ),
    Shape(
        "csv marks within, one header",
        file("r.csv", csv_of(ROWS[:9]).encode() + b"\xef\xbb\xbf" + csv_of(ROWS[9:], header="").encode()),
    ),
    Shape(
        "csv marks within, and cells of lines",
        file(
            "r.csv",
            'text,label\n"a\n\nb",good\n\ufeff"c\n\n\ufeffd, e",bad\n' + csv_of(ROWS, header=""),
        ),
        [("a\n\nb", "good"), ("c\n\n\ufeffd, e", "bad"), *ROWS],
    ),
    Shape(
        "jsonl marks within",
        file("r.jsonl", jsonl_of(OBJECTS[:9]).encode() + b"\xef\xbb\xbf" + jsonl_of(OBJECTS[9:]).encode()),
    ),
    Shape(
        "markdown table",
        file("r.csv", "|text|label|\n|:---|---:|\n" + "".join(f"|{text}|{label}|\n" for text, label in ROWS)),
        finds=("columns", "delimiter"),
    ),
    Shape(
        "dashes that are a row",
        file("r.csv", csv_of([*ROWS, ("---", "good"), ("--", "bad")])),
        [*ROWS, ("---", "good"), ("--", "bad")],
    ),
    Shape(
        "title with cells",
        file("r.csv", "Survey of 2024,\n,\n" + csv_of(ROWS)),
        refused=r"r.csv:1: its first line has one name.*tail -n \+3 OLD",
        follow=file("r.csv", csv_of(ROWS)),
    ),
    Shape("zip in a folder", zip_in_folder, finds=("files",)),
    Shape(
        "zip in a zip",
        zip_in_zip,
        refused="holds no file of rows. It holds: inner.zip. Unpack it, and name what is in it",
        follow=file("r.csv", CSV),
    ),
]
