from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftsweep.data.splitting.own_split import link_rows, make_splits
from ftsweep.errors import DataError

FRACTIONS = {"train": 0.7, "validation": 0.15, "test": 0.15}


def split_of(splits):
    return {row: name for name, rows in splits.items() for row in rows}


rows_with_ties = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.one_of(st.none(), st.integers(0, 30)),  # group
        st.integers(0, 60),  # input
    ),
    min_size=60,
    max_size=200,
)


@settings(max_examples=60, deadline=None)
@given(rows=rows_with_ties, seed=st.integers(0, 5))
def test_no_group_and_no_copy_lies_on_two_sides_and_every_row_is_kept(rows, seed):
    strata, groups, inputs = (list(column) for column in zip(*rows, strict=True))
    try:
        splits = make_splits(strata=strata, links=[groups, inputs], fractions=FRACTIONS, seed=seed)
    except DataError as error:  # everything tied together: refused, never split wrongly
        assert "splitting leaves no row" in str(error)  # noqa: PT017
        return
    assert sorted(row for members in splits.values() for row in members) == list(range(len(rows)))
    assert all(members == sorted(members) for members in splits.values())
    side = split_of(splits)
    for keys in (groups, inputs):
        sides = {}
        for row, key in enumerate(keys):
            if key is not None:
                assert sides.setdefault(key, side[row]) == side[row]


@settings(max_examples=40, deadline=None)
@given(counts=st.lists(st.integers(1, 60), min_size=2, max_size=6), seed=st.integers(0, 5))
def test_proportions_hold_and_train_has_every_stratum(counts, seed):
    counts = [*counts, 100]
    strata = [str(label) for label, count in enumerate(counts) for _ in range(count)]
    splits = make_splits(strata=strata, links=[], fractions=FRACTIONS, seed=seed)
    assert {strata[row] for row in splits["train"]} == set(strata)
    for name, fraction in FRACTIONS.items():
        found = Counter(strata[row] for row in splits[name])
        for label, count in enumerate(counts):
            if count >= 7:  # large enough that the smallest split gets one
                assert abs(found[str(label)] - fraction * count) < 1.5
        assert abs(len(splits[name]) - fraction * len(strata)) <= len(counts) + 1


def test_rows_linked_through_others_are_one_cluster():
    clusters = link_rows(6, [["g", "g", None, None, None, None], ["x", "y", "y", "z", "z", "w"]])
    assert sorted(map(sorted, clusters)) == [[0, 1, 2], [3, 4], [5]]


def test_same_seed_same_split_and_another_seed_another():
    def split(seed):
        return make_splits(strata=["a", "b"] * 50, links=[], fractions=FRACTIONS, seed=seed)

    assert split(3) == split(3)
    assert split(3) != split(4)


def test_a_class_of_one_row_goes_to_train():
    for seed in range(20):
        splits = make_splits(strata=["common"] * 30 + ["rare"], links=[], fractions=FRACTIONS, seed=seed)
        assert 30 in splits["train"]


def test_every_class_too_rare_to_be_kept_in_proportion_has_a_row_in_train():
    strata = ["common"] * 60 + [f"rare {number}" for number in range(8)] * 2
    for seed in range(20):
        splits = make_splits(strata=strata, links=[], fractions=FRACTIONS, seed=seed)
        assert {strata[row] for row in splits["train"]} == set(strata)


def test_a_large_group_does_not_starve_a_split():
    groups = ["big"] * 50 + [f"g{index}" for index in range(50)]
    for seed in range(20):
        splits = make_splits(strata=[None] * 100, links=[groups], fractions=FRACTIONS, seed=seed)
        assert set(range(50)) <= set(splits["train"])
        assert len(splits["validation"]) in (14, 15, 16)


@pytest.mark.parametrize(("num_rows", "words"), [(1, "1 row"), (2, "2 rows")])
def test_too_few_rows_are_refused_with_the_split_that_stays_empty(num_rows, words):
    with pytest.raises(DataError, match=rf"no row for (validation and )?test: {words}$|test: {words}\."):
        make_splits(strata=[None] * num_rows, links=[], fractions=FRACTIONS, seed=0)


def test_one_group_for_all_is_refused_with_the_reason():
    with pytest.raises(DataError, match="tie into 1 that cannot be divided"):
        make_splits(strata=[None] * 50, links=[["g"] * 50], fractions=FRACTIONS, seed=0)
