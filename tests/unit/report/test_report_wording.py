from __future__ import annotations

import math

import pytest

from ftsweep.domain.spelling import number, param, plural
from ftsweep.report.tables.cells import setting
from ftsweep.report.wording import plain, seconds


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.43125, "0.4313"), (0.5, "0.5"), (1250.0, "1250"), (12345.6, "12346"), (3e-4, "3e-4"), (-0.25, "-0.25"),
        (0, "0"), (1.5e9, "1.5e9"), (math.inf, "∞"), (math.nan, "\N{EN DASH}"), (None, "\N{EN DASH}"), (100, "100"),
    ],
)  # fmt: skip
def test_numbers_are_short_and_keep_four_digits(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (16, "16"),
        (2.2e-3, "0.0022"),
        (1e-5, "1e-5"),
        ("a b", "a b"),
        ("{text}\nMood: {label}", "{text}⏎Mood: {label}"),
        (["q_proj", None, 0.5], "[q_proj, null, 0.5]"),
        ({"joy": 1, "calm": True}, "{joy: 1, calm: true}"),
    ],
)
def test_params_are_spelled_as_in_yaml(value, text):
    assert param(value) == text


def test_a_text_of_two_lines_is_one_line_to_read_and_itself_in_a_file():
    cell = setting("{text}\n{label}")
    assert (cell.text, cell.value) == ("{text}⏎{label}", "{text}\n{label}")


@pytest.mark.parametrize(("value", "text"), [(4.51, "4.5 s"), (59.4, "59 s"), (185, "3 min 5 s"), (7440, "2 h 4 min")])
def test_durations_have_their_two_largest_units(value, text):
    assert seconds(value) == text


def test_plain_text_keeps_no_markup_and_counts_have_a_plural():
    assert plain("<b>&") == "&lt;b&gt;&amp;"
    assert (plural(1, "row"), plural(1200, "row")) == ("1 row", "1,200 rows")
