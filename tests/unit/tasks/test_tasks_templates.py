from __future__ import annotations

import pytest

from ftsweep.errors import ConfigError
from ftsweep.tasks.base import RowError
from ftsweep.tasks.prompts.templates import Template

COLUMNS = ("text", "text_pair")


def parse(text: str) -> Template:
    return Template.parse(text, target="label", columns=COLUMNS)


def test_white_space_before_the_target_goes_with_the_answer():
    template = parse("Text: {text}\nLabel: {label}.\n")
    assert template.question({"text": "hi"}) == "Text: hi\nLabel:"
    assert template.gap == " "
    assert template.demonstration({"text": "hi"}, "joy") == "Text: hi\nLabel: joy.\n"
    assert template.before_answer == "\nLabel:"


def test_braces_are_written_twice():
    template = parse("{{{text}}} -> {label}")
    assert template.question({"text": "{x}"}) == "{{x}} ->"


def test_pair_is_shown_in_the_order_of_the_template():
    template = parse("{text_pair} follows from {text}: {label}")
    assert template.columns == ("text_pair", "text")
    assert template.question({"text": "a", "text_pair": "b"}) == "b follows from a:"


def test_row_without_a_column_is_no_question():
    with pytest.raises(RowError, match="text_pair"):
        parse("{text} {text_pair} {label}").texts_of({"text": "a"})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Text: {text}", "label"),
        ("Label: {label}", "shows nothing of a row"),
        ("{label} {label} {text}", "once"),
        ("{label}: {text}", "behind all columns"),
        ("{text} {txt} {label}", "Did you mean 'text'"),
        ("{text!r} {label}", "no column"),
        ("{text:>9} {label}", "no column"),
        ("{} {text} {label}", "no column"),
        ("{text {label}", "no template|no column"),
        ("{text} } {label}", "no template"),
        ("", "label"),
    ],
)
def test_template_that_cannot_be_asked_or_answered_is_refused(text, told):
    with pytest.raises(ConfigError, match=told) as caught:
        parse(text)
    assert caught.value.where == "strategy.template"
