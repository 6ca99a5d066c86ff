"""First rows of tables that look like lines of types or of names, and first lines of texts that look like names."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftsweep.data.files.second_lines import lines_about_columns, refuse_groups
from ftsweep.data.looking.look import look_at
from ftsweep.errors import DataError

WORDS = ["river", "house", "stone", "walk", "talk", "home"]


@pytest.mark.parametrize(
    ("first", "others", "is_about"),
    [
        (["time", "date"], [[word, "Wort"] for word in WORDS], False),
        (["int", "string"], [[word, "Wort"] for word in WORDS], True),
        (["text", "number"], [[word, "3"] for word in WORDS], True),
        (["text", "category"], [[f"the {word}", "a"] for word in WORDS], True),
    ],
)
def test_words_above_words_are_a_row_although_types_have_these_names(
    first: list[str], others: list[list[str]], is_about: bool
) -> None:
    assert lines_about_columns([first, *others]) == ([first] if is_about else [])


def test_a_first_row_with_a_text_as_the_others_is_no_line_of_names() -> None:
    names = ["text", "", "label"]
    rows = [[f"the {WORDS[n % 6]} and the {WORDS[n // 6]}", f"u{n}", "ab"[n % 2]] for n in range(24)]
    refuse_groups(names, [["the red and the blue", "u", "rare"], *rows], "rows.csv", 1)
    with pytest.raises(DataError, match="names groups of columns"):
        refuse_groups(names, [["said", "by", "class"], *rows], "rows.csv", 1)


@pytest.mark.parametrize(
    ("lines", "is_table"),
    [
        (["text,label", *(f"the {word},a" for word in WORDS)], True),
        (["Answer, that is what he said of it, and left", *(f"the {word}, a, b" for word in WORDS)], False),
        (["Answer, o Lord", *(f"the {word}, a" for word in WORDS)], True),
        ([line for word in WORDS for line in (f"Answer, o {word}", "")], False),
        ([line for word in WORDS for line in ('{"a": 1}', "", f"the {word}", "")][::-1], False),
        (
            [*(line for _ in WORDS for line in ('{"a": 1}', "")), *(line for word in WORDS for line in (word, ""))],
            False,
        ),
    ],
)
def test_a_text_that_begins_with_a_word_of_tables_is_read(lines: list[str], is_table: bool, tmp_path: Path) -> None:
    file = tmp_path / "rows.txt"
    file.write_text("\n".join([*lines, *([] if is_table else ["", "the end, of it, all"])]))
    if is_table:
        with pytest.raises(DataError, match=r"is a table by its lines.*Name it \.csv"):
            look_at([str(file)])
    else:
        assert look_at([str(file)]).guess is not None
