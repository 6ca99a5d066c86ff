"""A label is one label whatever a file's format did to it; what differs otherwise is folded only when asked."""

from __future__ import annotations

import unicodedata

import pytest

from ftsweep.errors import ConfigError, DataError
from ftsweep.tasks.base import RowError
from ftsweep.tasks.classification import Classification
from ftsweep.tasks.encoding.labels import folded, label_indices, label_text
from ftsweep.tasks.multi_label import MultiLabel
from ftsweep.tasks.token_classification import TokenClassification

ACCENT = unicodedata.normalize("NFC", "ge\u0301nial")


@pytest.mark.parametrize(
    ("written", "label"),
    [
        (("1", 1, 1.0, "1.0", "1.00", " 1 ", "\u00a01\ufeff"), "1"),
        (("true", "True", "TRUE", True, " true "), "true"),
        (("False", False, "false"), "false"),
        ((ACCENT, unicodedata.normalize("NFD", ACCENT)), ACCENT),
        (("1.5",), "1.5"),
        (("007",), "007"),
        (("None",), "None"),
    ],
)
def test_one_label_of_many_writings(written, label):
    assert {label_text(value) for value in written} == {label}


@pytest.mark.parametrize("value", [None, "", "  ", float("nan"), "nan", "NaN", "<NA>", [], 1.5])
def test_what_is_no_label_is_refused(value):
    with pytest.raises(RowError):
        label_text(value)


def test_case_and_spaces_are_folded_only_when_asked():
    assert label_text("Not  Good") == "Not  Good"
    assert label_text("Not  Good", fold=True) == label_text("not good", fold=True) == folded("NOT GOOD") == "not good"


def test_every_task_with_labels_folds_them():
    rows = [{"text": "x", "label": label, "labels": [label], "tokens": ["x"], "tags": [f"B-{label}"]} for label in "aA"]
    assert Classification(fold_labels=True, max_length=8).target_of(rows[1]) == "a"
    assert MultiLabel(fold_labels=True).learn_schema(rows)["labels"] == ["a"]
    assert TokenClassification(fold_labels=True).learn_schema(rows)["labels"] == ["O", "B-a", "I-a"]
    assert TokenClassification().learn_schema(rows)["labels"] == ["O", "B-A", "I-A", "B-a", "I-a"]


def test_a_column_per_label_is_offered_where_there_is_no_column_of_labels():
    with pytest.raises(DataError, match=r"data.columns=\{labels: \[lamp, room, 'very big'\]\}"):
        MultiLabel().check_columns(["text", "lamp", "room", "very big"])


def test_labels_come_with_how_they_are_written():
    assert Classification().labels_in({"label": 1.0}) == [("1", "1.0")]
    assert Classification().labels_in({"label": None}) == []
    decomposed = unicodedata.normalize("NFD", ACCENT)
    assert MultiLabel().labels_in({"labels": [ACCENT, decomposed]}) == [
        (ACCENT, repr(ACCENT)),
        (ACCENT, ascii(decomposed)),
    ]
    assert TokenClassification().labels_in({"tokens": ["a", "b"], "tags": ["B-x", "O"]}) == [("x", "'x'")]


@pytest.mark.parametrize("task", [Classification, MultiLabel, TokenClassification])
def test_a_switch_is_true_or_false(task):
    with pytest.raises(ConfigError, match="fold_labels"):
        task(fold_labels="yes")


def test_a_label_that_train_spells_otherwise_is_told_with_what_makes_them_one():
    index_of = label_indices(["good", "bad"])
    assert index_of("bad") == 1
    with pytest.raises(RowError, match=r"'BAD' does not occur in train. task.fold_labels=true makes it one with 'bad'"):
        index_of("BAD")
    with pytest.raises(RowError, match=r"'bat' does not occur in train. Did you mean 'bad'"):
        index_of("bat")
