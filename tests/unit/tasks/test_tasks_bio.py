from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import classification_report
from seqeval.metrics.sequence_labeling import get_entities

from ftsweep.tasks.base import RowError
from ftsweep.tasks.encoding.bio import EntityCounts, break_in, find_entities, labels_of, type_of, types_of

TYPES = ["a", "b-c", "d"]
LABELS = labels_of(TYPES)
sequences = st.lists(st.sampled_from(range(len(LABELS))), min_size=1, max_size=12)


def tags(ids):
    return [LABELS[label] for label in ids]


def test_labels_begin_with_o_and_have_b_and_i_of_every_type_by_name():
    assert labels_of({"z", "a"}) == ["O", "B-a", "I-a", "B-z", "I-z"]
    assert types_of(LABELS) == TYPES
    assert [type_of(label) for label in LABELS] == [None, "a", "a", "b-c", "b-c", "d", "d"]


@pytest.mark.parametrize("tag", ["", "B", "B-", "S-a", "E-a", "a", "o", "b-a", "Ba"])
def test_what_is_no_bio_tag_is_refused(tag):
    with pytest.raises(RowError, match="is no BIO tag"):
        type_of(tag)


@pytest.mark.parametrize(
    ("sequence", "told"),
    [
        ("O B-a I-a I-a O B-a B-b-c I-b-c", None),
        ("I-a", "tag 1, I-a, comes after O and continues nothing: an entity begins with B-a"),
        ("B-a O I-a", "tag 3, I-a, comes after O"),
        ("B-a I-d", "tag 2, I-d, comes after B-a"),
    ],
)
def test_an_i_that_continues_nothing_is_told_with_its_place(sequence, told):
    found = break_in(sequence.split())
    assert found == told if told is None else found.startswith(told)


@given(sequences)
def test_entities_are_those_that_seqeval_finds(ids):
    found = find_entities(np.array(ids))
    mine = [
        (TYPES[kind], start, stop - 1) for kind, start, stop in zip(found.types, found.starts, found.stops, strict=True)
    ]
    assert mine == get_entities(tags(ids))


@given(sequences)
def test_entities_written_as_labels_are_valid_and_are_the_same_entities(ids):
    found = find_entities(np.array(ids))
    written = found.write(len(ids))
    assert break_in(tags(written)) is None
    again = find_entities(written)
    assert (again.types.tolist(), again.starts.tolist()) == (found.types.tolist(), found.starts.tolist())
    assert again.stops.tolist() == found.stops.tolist()
    assert (break_in(tags(ids)) is None) == (written.tolist() == ids)


@settings(max_examples=200, deadline=None)
@given(st.lists(sequences.flatmap(lambda ids: st.tuples(st.just(ids), same_length(ids))), min_size=1, max_size=6))
def test_the_report_is_that_of_seqeval(rows):
    true, predicted = [tags(row) for row, _ in rows], [tags(row) for _, row in rows]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # seqeval's own, about types without predictions
        expected = classification_report(true, predicted, output_dict=True, zero_division=0)
    joined = [np.array([label for row in side for label in [*row, 0]]) for side in zip(*rows, strict=True)]
    report = EntityCounts.of(*joined, len(TYPES)).report(TYPES)
    assert list(report) == list(expected)
    for name, scores in expected.items():
        # Of no entity at all seqeval's means are NaN, which JSON does not know; here they are 0.
        numbers = {key: 0.0 if np.isnan(value) else float(value) for key, value in scores.items()}
        assert report[name] == pytest.approx(numbers, abs=1e-12), name


def same_length(ids):
    return st.lists(st.sampled_from(range(len(LABELS))), min_size=len(ids), max_size=len(ids))


def test_entities_out_of_reach_lower_recall_and_are_told():
    ids = np.array([1, 2, 0, 5, 0])
    seen = EntityCounts.of(ids, ids, 3)
    missed = EntityCounts.of(ids, ids, 3, num_missed=2)
    assert seen.micro() == {"precision": 1.0, "recall": 1.0, "f1-score": 1.0, "support": 2}
    assert missed.micro() == {"precision": 1.0, "recall": 0.5, "f1-score": pytest.approx(2 / 3), "support": 4}
    assert missed.report(TYPES)["missed"] == {"support": 2}
