"""Draws of few examples: the same for everybody, nested in k, as many of each class as asked."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from ftsweep.data.subsets.draws import Draws, TooFewExamplesError, drawn, orderings
from ftsweep.errors import ConfigError

LABELS = [index % 3 for index in range(60)] + [3] * 4


def test_draw_depends_on_seed_and_number_alone():
    one = drawn(LABELS, k=8, per="total", draw=2, seeds=[0, 7])
    assert one == drawn(LABELS, k=8, per="total", draw=2, seeds=[0, 7])
    assert one != drawn(LABELS, k=8, per="total", draw=3, seeds=[0, 7])
    assert one != drawn(LABELS, k=8, per="total", draw=2, seeds=[0, 8])


@pytest.mark.parametrize("per", ["class", "total"])
def test_larger_draw_adds_to_the_smaller_one(per):
    draws = [set(drawn(LABELS, k=k, per=per, draw=1, seeds=[0, 0])) for k in (0, 1, 2, 4)]
    assert all(small < large for small, large in pairwise(draws))


def test_draw_per_class_has_k_of_every_label_and_no_example_twice():
    chosen = drawn(LABELS, k=4, per="class", draw=0, seeds=[0, 0])
    assert Counter(LABELS[index] for index in chosen) == {0: 4, 1: 4, 2: 4, 3: 4}
    assert len(set(chosen)) == len(chosen)
    in_order = [LABELS[index] for index in chosen]
    assert in_order != sorted(in_order), "examples of one label stand together"
    assert chosen != sorted(chosen), "examples stand as they do in train"


@pytest.mark.parametrize(("k", "per", "numbers"), [(5, "class", "5.*has 4 of label number 3"), (65, "total", "65.*64")])
def test_too_few_examples_are_told_with_the_numbers(k, per, numbers):
    with pytest.raises(TooFewExamplesError, match=numbers) as caught:
        drawn(LABELS, k=k, per=per, draw=0, seeds=[0, 0])
    assert ("train has 4 of 'rare': " in caught.value.told(["a", "b", "c", "rare"])) == (per == "class")


def test_orders_are_different_orders_of_the_same_examples_the_drawn_one_first():
    indices = [5, 3, 9, 1]
    found = orderings(indices, orders=6, draw=0, seeds=[0, 0])
    assert found[0] == indices
    assert len({tuple(order) for order in found}) == 6
    assert all(sorted(order) == sorted(indices) for order in found)
    assert found[:3] == orderings(indices, orders=3, draw=0, seeds=[0, 0])


def test_no_more_orders_are_made_than_there_are():
    assert len(orderings([1, 2], orders=5, draw=0, seeds=[0, 0])) == 2
    assert orderings([], orders=5, draw=0, seeds=[0, 0]) == [[]]


def test_all_draws_of_nothing_are_one():
    assert list(Draws(k=0, per="total", num=5, first=2).numbers) == [2]
    assert list(Draws(k=1, per="total", num=3, first=2).numbers) == [2, 3, 4]


@pytest.mark.parametrize("wrong", [{"k": -1}, {"k": 1.5}, {"k": True}, {"num": 0}, {"first": -1}, {"per": "label"}])
def test_draws_that_cannot_be_are_refused(wrong):
    with pytest.raises(ConfigError):
        Draws(**{"k": 1, "per": "total", "num": 1, "first": 0, **wrong})
