"""Splits that ftsweep makes: what is kept together, and what cannot be."""

from __future__ import annotations

import pytest

from ftsweep.data.likeness.alike import Likeness, Overlap
from ftsweep.data.prepared import prepare
from ftsweep.data.sources.files import Files
from ftsweep.data.splitting.splitting import split_rows
from ftsweep.errors import DataError
from ftsweep.tasks.regression import Regression
from ftsweep.tasks.token_classification import TokenClassification
from ftsweep.testing.guard import GivenRows, WordTask
from ftsweep.testing.rows import edited, labelled, sentences


def split_of(rows, group=None, **rules):
    source = GivenRows(splits={"train": rows}, group=group)
    return split_rows(source.load(()), source, WordTask(), seed=0, **rules)


def sides(split):
    return {row.place: name for name, rows in split.rows.items() for row in rows}


def test_near_duplicates_and_rows_made_of_others_passages_stay_on_one_side():
    rows = labelled(200)
    near = [{**row, "text": edited(row["text"])} for row in rows[:50]]
    longer = zip(rows[50:100], sentences(50, seed=3), strict=True)
    passages = [{**row, "text": f"{row['text']} {text}"} for row, text in longer]
    side = sides(split_of([*rows, *near, *passages], likeness=Likeness(), overlap=Overlap()))
    assert all(side[f"train.jsonl:{1 + row}"] == side[f"train.jsonl:{201 + row}"] for row in range(100))
    assert len(set(side.values())) == 3
    loose = sides(split_of([*rows, *near, *passages]))
    assert any(loose[f"train.jsonl:{1 + row}"] != loose[f"train.jsonl:{201 + row}"] for row in range(100))


def test_ties_that_would_leave_no_room_are_let_go_and_told():
    (template,) = sentences(1, words=20)
    rows = [{"text": f"{template} {text}", "label": "a"} for text in sentences(300, words=3)]
    rows += [{"text": text, "label": "a"} for text in sentences(10, seed=4)]
    split = split_of(rows, likeness=Likeness(common_share=1.0))
    assert min(len(members) for members in split.rows.values()) > 20
    (note,) = split.notes
    assert note.message.startswith("near-duplicates tie 300 of 310 rows together, too many to keep on one side")


def test_a_split_far_smaller_than_was_asked_for_is_told():
    sizes = (90, 2, 2, 2, 2, 2)
    groups = [number for number, size in enumerate(sizes) for _ in range(size)]
    rows = [{**row, "of": str(group)} for row, group in zip(labelled(100), groups, strict=True)]
    split = split_of(rows, group="of")
    assert {name: len(members) for name, members in split.rows.items()} == {"train": 90, "validation": 6, "test": 4}
    (note,) = split.notes
    assert note.message.startswith("test has 4 rows, far from the 10 asked for")


def test_labels_keep_their_proportions_where_ties_allow():
    rows = labelled(400)
    rows += [{**row, "text": edited(row["text"])} for row in rows[:100]]
    split = split_of(rows, likeness=Likeness(), overlap=Overlap())
    for members in split.rows.values():
        assert abs(sum(row.values["label"] == "a" for row in members) - len(members) / 2) <= 1


def test_leaving_rows_of_train_out_changes_nothing_else():
    split = split_of(labelled(100))
    fewer = split.without({0, 3})
    assert fewer.rows["validation"] == split.rows["validation"]
    rows, ids = split.rows["train"], split.ids["train"].tolist()
    assert fewer.rows["train"] == [rows[1], rows[2], *rows[4:]]
    assert fewer.ids["train"].tolist() == [ids[1], ids[2], *ids[4:]]


def test_a_target_that_cannot_be_used_is_told_with_what_the_task_says_of_it():
    rows = [{"text": f"text {number}", "label": number / 7} for number in range(60)]
    source = GivenRows(splits={"train": rows, "validation": [{"text": "a", "label": "3,5"}, {"text": "b"}, *rows[:9]]})
    split = split_rows(source.load(()), source, Regression(), seed=0)
    assert [reason for _, reason in split.left_out["validation"]] == [
        "no usable target: 'label' is '3,5', not a finite number: write it with a point and no other sign, such as 3.5",
        "no usable target: 'label' is missing or empty",
    ]


def test_rows_that_all_have_a_problem_are_told_by_it_and_not_by_missing_columns(tmp_path, config, tokenizer, task):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"text": "Ada ran", "entities": [[0, 3, "X"], [2, 5, "Y"]]}\n' * 20)
    source = Files(train=str(file), columns={"tokens": "text", "tags": "entities"})
    with pytest.raises(DataError, match=r"the spans at 0 \(X\) and 2 \(Y\) overlap"):
        prepare(config, source, TokenClassification(), tokenizer, "tokenizer-1", tmp_path / "cache")
