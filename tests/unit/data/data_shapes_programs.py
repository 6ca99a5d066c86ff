"""More shapes of data: what survey programs, data mining programs and clones of the hub write around the rows."""

from __future__ import annotations

import json

from data_shapes import CSV, JSONL, MULTI, ROWS, SENTENCES, TEXTS, Shape, conll, csv_of, file, files

QUESTIONS = 'Start,"How was it?\nPlease, say",Rate us\n'
IMPORTS = ",".join(f'"{{""ImportId"":""QID{number}""}}"' for number in range(3)) + "\n"
SURVEY = csv_of([[str(n), *row] for n, row in enumerate(ROWS)], "Q0,Q1,Q2\n" + QUESTIONS + IMPORTS.rstrip())
README = """---
license: mit
configs:
- config_name: default
  data_files:
  - split: train
    path: en/a.csv
  - split: test
    path: "en/b*.csv"
- config_name: other
  data_files: de/*.csv
---
# A data set
"""
PARTS = {"r/en/a.csv": CSV, "r/raw.zip": b"PK", "r/en/b.csv": csv_of(ROWS[:3]), "r/de/a.csv": csv_of(ROWS[:5])}
SEVERAL = README.replace("default", "english")
GROUPED = csv_of([[str(n), text, label] for n, (text, label) in enumerate(ROWS)], "Customer,Feedback,\nid,text,label")
WEBANNO = "#FORMAT=WebAnno TSV 3.3\n\n\n#Text=Ada ran\n1-1\t0-3\tAda\tPER\n1-2\t4-7\tran\t_\n"

PROGRAMS = [
    Shape(
        "types below the names",
        file("r.csv", csv_of([("varchar(255)", "Integer"), *ROWS])),
        finds=("columns",),
    ),
    Shape(
        "types of Orange",
        file("r.tab", csv_of([("string", "discrete"), ("meta", "class"), *ROWS], "text\tlabel", "\t")),
        finds=("columns",),
    ),
    Shape(
        "a row of words that are types, too",
        file("r.csv", csv_of([("text", "object"), ("date", "object"), ("time", "object"), *ROWS])),
        [("text", "object"), ("date", "object"), ("time", "object"), *ROWS],
    ),
    Shape(
        "questions and ids of Qualtrics",
        file("r.csv", SURVEY, columns={"text": "Q1", "label": "Q2"}),
        finds=("columns",),
    ),
    Shape(
        "two lines of names",
        file("r.csv", GROUPED),
        refused=r"r.csv:1: .* groups of columns \(Customer, Feedback\).*id, text, label.*tail -n \+2 OLD",
        follow=file("r.csv", GROUPED.split("\n", 1)[1]),
    ),
    Shape(
        "a column without a name above a row like the others",
        file("r.csv", csv_of([[text, label, str(n)] for n, (text, label) in enumerate(ROWS)], "text,label,")),
        finds=("columns",),
    ),
    Shape("a README that tells the splits", files({**PARTS, "r/README.md": README}, train="r"), finds=("files",)),
    Shape(
        "a README that tells of several data sets",
        files({**PARTS, "r/README.md": SEVERAL}, train="r"),
        refused=r"README.md tells of 2 data sets in it: english, other.*of english that is .*r/en",
        follow={"train": "r/en/a.csv"},
    ),
    Shape(
        "labels with line ends between",
        file("r.csv", "text,labels\n" + "".join(f'"{text}","{chr(10).join(labels)}"\n' for text, labels in MULTI)),
        MULTI,
        "multi_label",
        ("labels",),
    ),
    Shape(
        "json lines named txt",
        file("r.txt", JSONL),
        refused=r"r.txt:1: holds a JSON object a line.*Name it \.jsonl",
        follow=file("r.jsonl", JSONL),
    ),
    Shape(
        "csv named txt",
        file("r.txt", CSV),
        refused=r"r.txt:1: is a table by its lines, with the names text, label.*Name it \.csv",
        follow=file("r.csv", CSV),
    ),
    Shape("texts with commas", file("r.txt", "\n\n".join(TEXTS)), TEXTS, "text"),
    Shape(
        "WebAnno TSV",
        file("r.tsv", WEBANNO),
        SENTENCES,
        "token_classification",
        refused=r"r.tsv: is WebAnno TSV.*Export it as CoNLL 2002 .*\.conll",
        follow=file("r.conll", conll(lambda _, word, tag: f"{word} {tag}")),
    ),
    Shape(
        "spans of UBIAI",
        file(
            "r.json",
            json.dumps(
                [
                    {
                        "document": " ".join(words),
                        "tokens": [
                            {"text": "Ada Lovelace", "start": 0, "end": 12, "entityLabel": "PER"},
                            {"text": words[3], "start": 17, "end": 20, "entityLabel": "PER"},
                        ],
                    }
                    for words, _ in SENTENCES
                ]
            ),
            columns={"tokens": "document", "tags": "tokens"},
        ),
        SENTENCES,
        "token_classification",
    ),
]
