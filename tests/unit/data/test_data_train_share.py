from __future__ import annotations

from collections import Counter

from ftsweep.data.prepared import prepare
from ftsweep.data.subsets.train_share import TrainShare, nested_share
from ftsweep.testing.guard import GivenRows, WordTask
from ftsweep.testing.rows import labelled

LABELS = ["a"] * 700 + ["b"] * 260 + ["c"] * 40


def test_shares_are_nested_and_keep_labels_in_proportion():
    quarter, half, whole = (set(nested_share(LABELS, share, 0)) for share in (0.25, 0.5, 1.0))
    assert quarter < half < whole == set(range(1000))
    assert (len(quarter), len(half)) == (250, 500)
    for chosen in (quarter, half):
        counts = Counter(LABELS[place] for place in chosen)
        assert all(abs(counts[label] - len(chosen) * LABELS.count(label) / 1000) <= 2 for label in "abc")


def test_labels_of_one_example_are_not_all_left_for_the_end():
    half = nested_share([f"own {place}" for place in range(400)], 0.5, 0)
    assert len(half) == 200


def test_another_seed_takes_other_rows_and_the_same_seed_the_same():
    assert nested_share(LABELS, 0.25, 0) == nested_share(LABELS, 0.25, 0) != nested_share(LABELS, 0.25, 1)


def test_a_part_of_train_leaves_all_else_as_it_is(tmp_path):
    config = {"data": {}, "task": {}, "seed": {"data": 0}}
    rows = GivenRows(splits={"train": labelled(200), "validation": labelled(60, seed=1)})
    whole = prepare(config, rows, WordTask(), None, "tokenizer", tmp_path)
    part = TrainShare(whole, 0.25, 0)
    assert len(part.split("train")) == 50
    assert part.split("validation") is whole.split("validation")
    assert part.meta["hash"] != whole.meta["hash"], "what is cached of the whole is not taken for the part"
    places = [part.split("train").row_index(index) for index in range(50)]
    assert len(set(places)) == 50
    assert part.rows("train") == whole.rows("train")
