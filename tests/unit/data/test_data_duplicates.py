from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftsweep.data.likeness.duplicates import input_keys, normalise


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("See https://a.example/x?y=1 now", "see http://other.example NOW!"),
        ("@alice  said 12 things", "@bob said 345 things."),
        ("\ufb01ne Stra\u00dfe", "fine STRASSE"),
        ("well-known, snake_case", "well known snake case"),
    ],
)
def test_what_does_not_matter_is_folded_away(left, right):
    assert normalise(left) == normalise(right)


@pytest.mark.parametrize(("left", "right"), [("I am happy", "I am not happy"), ("user@home", "@home")])
def test_what_matters_stays(left, right):
    assert normalise(left) != normalise(right)


@pytest.mark.parametrize("text", ["", "!!!", "12 34", "@someone https://a.example", "\U0001f600"])
def test_a_text_of_masks_alone_has_no_normalised_form(text):
    assert normalise(text) is None


def test_texts_of_masks_alone_are_only_equal_when_they_are_equal():
    keys = input_keys(["12", "13", "12", "!!"])
    assert keys.normalised[0] == keys.normalised[2]
    assert len(set(keys.normalised)) == 3


def test_a_template_filled_in_with_numbers_is_not_a_copy():
    sums = [f"What is {first} + {second}?" for first in range(10) for second in range(10)]
    keys = input_keys([*sums, "What is 3 + 4?"])
    assert len(set(keys.normalised)) == 100
    assert keys.num_templated == 101
    assert keys.normalised[-1] == keys.normalised[34]


def test_one_text_many_times_is_no_template():
    keys = input_keys(["again and again"] * 500)
    assert keys.num_templated == 0
    assert len(set(keys.normalised)) == 1


@given(st.lists(st.text(max_size=12), max_size=60))
def test_equal_texts_have_equal_normalised_keys(texts):
    keys = input_keys(texts)
    first = {}
    for text, exact, normalised in zip(texts, keys.exact, keys.normalised, strict=True):
        assert first.setdefault(text, (exact, normalised)) == (exact, normalised)


@pytest.mark.parametrize(
    "text",
    ["A_b-c 1.50, 007", "see HTTPS://x.y/z?a=1 @user, me@home", "WWW.place.org x", "a\x1cb\0c\td", "http:// @ www. 00"],
)
def test_plain_letters_are_folded_as_all_others_are(text: str) -> None:
    assert normalise(text) == normalise(f"{text} \N{INVERTED QUESTION MARK}")
