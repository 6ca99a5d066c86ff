"""A task and a tokenizer small enough to see through, and a source of given rows."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import pytest

from ftsweep.data.base import DataSource, Row
from ftsweep.errors import DataError


class FakeExample(NamedTuple):
    input_ids: list[int]
    labels: list[int]
    was_cut: bool = False
    was_target_cut: bool = False


class FakeRowError(ValueError):
    pass


class WordLengths:
    """A tokenizer: one token per word, its length."""

    def __call__(self, text: str) -> list[int]:
        return [len(word) for word in text.split()]


class LabelTask:
    """Classification as the prepared set sees it."""

    head: ClassVar[str] = "sequence_classification"
    label_shape: ClassVar[Literal["example", "token", "vector"]] = "example"
    label_type: ClassVar[Literal["int", "float"]] = "int"
    loss_settings: ClassVar[frozenset[str]] = frozenset()
    mixes_rows: ClassVar[bool] = False
    columns = ("text", "label")

    def __init__(self, max_length: int = 100) -> None:
        self.max_length = max_length

    def check_columns(self, available):
        missing = set(self.columns) - set(available)
        if missing:
            raise DataError(f"columns {sorted(missing)} are missing")

    def input_text(self, values):
        return values.get("text") or ""

    def target_text(self, values):
        return values.get("label") or ""

    def row_problem(self, values):
        return "it says so" if "an odd row" in values["text"] else None

    def stratum(self, values):
        return values.get("label")

    def learn_schema(self, train_rows):
        return {"labels": sorted({values["label"] for values in train_rows})}

    def encode(self, rows, tokenizer, schema):
        for values in rows:
            ids = tokenizer(values["text"])
            if values["label"] not in schema["labels"]:
                yield FakeRowError(f"label {values['label']!r} does not occur in train")
            elif "unusable" in values["text"]:
                yield FakeRowError("no supervised token")
            else:
                is_long = len(ids) > self.max_length
                yield FakeExample(ids[: self.max_length], [schema["labels"].index(values["label"])], is_long, is_long)


class PackingTask(LabelTask):
    """Puts three rows into one example; the rest comes after the last row."""

    head = "causal_lm"
    label_shape = "token"
    mixes_rows = True
    columns = ("text",)

    def target_text(self, values):
        return ""

    def stratum(self, values):
        return None

    def learn_schema(self, train_rows):
        return {}

    def encode(self, rows, tokenizer, schema):
        kept: list[int] = []
        for number, values in enumerate(rows, start=1):
            kept += tokenizer(values["text"])
            if number % 3 == 0:
                yield FakeExample(kept, kept)
                kept = []
            else:
                yield None
        if kept:
            yield FakeExample(kept, kept)


class GivenRows(DataSource):
    """Rows from memory. Every load appends a letter to `log`, if given."""

    def __init__(
        self, splits, *, group=None, validation_fraction=0.1, test_fraction=0.1, log: Path | None = None
    ) -> None:
        self.splits = splits
        self.group = group
        self.validation_fraction = validation_fraction
        self.test_fraction = test_fraction
        self.log = log

    def fingerprint(self):
        return f"{hash(str(self.splits)):x}"

    def load(self, columns):
        if self.log is not None:
            with self.log.open("a") as file:
                file.write("x")
        kept = {*columns, self.group}
        return {
            split: [
                Row({key: value for key, value in values.items() if key in kept}, f"{split}.jsonl:{number}")
                for number, values in enumerate(rows, start=1)
            ]
            for split, rows in self.splits.items()
        }


@pytest.fixture
def tokenizer():
    return WordLengths()


@pytest.fixture
def task():
    return LabelTask()


@pytest.fixture
def make_task():
    return LabelTask


@pytest.fixture
def packing_task():
    return PackingTask()


@pytest.fixture
def given_rows():
    return GivenRows


@pytest.fixture
def labelled():
    """`num` different rows of two labels, in letters: digits are masked when inputs are compared."""

    def make(num: int, start: int = 0) -> list[dict[str, str]]:
        return [
            {"text": f"{_in_letters(index)} says something", "label": "ab"[index % 2]}
            for index in range(start, start + num)
        ]

    return make


def _in_letters(number: int) -> str:
    return "".join("abcdefghij"[int(digit)] for digit in str(number))


@pytest.fixture
def config():
    return {"data": {"_target_": "given"}, "task": {"_target_": "labels", "max_length": 100}, "seed": {"data": 0}}
