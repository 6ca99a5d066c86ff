from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from ftsweep.data.sources import pydocs
from ftsweep.data.sources.parameters import MAX_WORDS, MIN_WORDS, tagged_rows
from ftsweep.data.sources.pydocs import PyDocs

DOCSTRING = """Sum of things.

    Parameters
    ----------
    a : {'C', `ndarray`}, optional
        First, see :class:`~os.PathLike` [1]_ for *all*. Ignored
        if `keep_dims` is ``None``.

        Another paragraph.
    x1, **keep_dims: bool, default=False
        A flag:

        - a list
    bad
        No type.

    Returns
    -------
    out : int
        Not a parameter, whatever it says here and there, as long as this.
    """


def rows_of(docstring, first_line=10):
    return list(tagged_rows(docstring, first_line, set()))


def written(row):
    return " ".join(word if tag == "O" else f"{word}/{tag[0]}{tag[2]}" for word, tag in zip(*row, strict=True))


def entry(name, kind="int", text="The first of all that there is to say about these many things."):
    return f"    {name} : {kind}\n        {text}\n"


def section(*entries):
    return "What.\n\n    Parameters\n    ----------\n" + "\n".join(entries)


def test_names_types_and_quoted_names_are_tagged_and_the_markup_is_gone():
    (row,) = rows_of(DOCSTRING)
    assert row.line == 14
    assert written((row.words, row.tags)) == (
        "a/BP {/BT '/IT C/IT '/IT ,/IT ndarray/IT }/IT , optional First , see os.PathLike for all . "
        "Ignored if keep_dims/BP is None . x1/BP , **keep_dims/BP bool/BT , default = False"
    )


@pytest.mark.parametrize(
    "doubtful",
    [
        entry("x", "The number of rows. It may be None"),
        entry("x", "int", "As %(x)s, which a program fills in before anyone reads this text."),
        entry("x", "int", "Here y stands without quotes, and nobody knows what it means there."),
        entry("x", "int " * 15),
        "    x\n        Without a type, this has nothing that tells where its name ends.\n",
    ],
)
def test_an_entry_whose_tags_would_be_doubtful_is_passed_over(doubtful):
    (row,) = rows_of(section(doubtful, entry("y", text="What a long description this is, with `x` in it at last.")))
    assert row.words[:2] == ("y", "int")


def test_long_descriptions_end_with_a_sentence():
    (row,) = rows_of(section(entry("x", text="One two. " * 4 + "word " * 40)))
    assert row.words == ("x", "int", *("One", "two", ".") * 4)


def test_a_row_holds_as_many_entries_as_fit_and_none_twice():
    entries = [entry(f"name_{number}") for number in range(9)]
    rows = rows_of(section(*entries, entries[0]))
    assert all(MIN_WORDS <= len(row.words) <= MAX_WORDS for row in rows)
    assert sum(row.tags.count("B-PARAM") for row in rows) == 9
    assert [row.line for row in rows] == sorted(row.line for row in rows)


def test_short_rows_are_left_out():
    assert rows_of(section("    x : int\n", "    y : int\n")) == []


@pytest.fixture(scope="module")
def rows():
    return PyDocs().load(("tokens", "tags"))["train"]


def test_every_library_gives_hundreds_of_valid_rows(rows):
    counts = Counter(row.place.partition("/")[0] for row in rows)
    assert set(counts) == set(pydocs.PARAMETER_LIBRARIES.values())
    assert min(counts.values()) > 300
    assert max(counts.values()) <= pydocs.PER_LIBRARY
    for row in rows:
        words, tags = row.values["tokens"], row.values["tags"]
        assert len(words) == len(tags)
        assert MIN_WORDS <= len(words) <= MAX_WORDS
        assert tags[0] == "B-PARAM"
        assert set(tags) <= {"O", "B-PARAM", "B-TYPE", "I-TYPE"}
        assert all(before != "O" for before, tag in pairwise(tags) if tag == "I-TYPE")
        assert all(word.strip() and not any(character.isspace() for character in word) for word in words)


def test_no_entry_is_in_two_rows_and_every_row_has_its_place(rows):
    assert len({row.place for row in rows}) == len(rows)
    assert len({tuple(row.values["tokens"]) for row in rows}) == len(rows)


def test_the_task_is_not_solved_by_position(rows):
    names = [place for row in rows for place, tag in enumerate(row.values["tags"]) if tag == "B-PARAM"]
    assert sum(place > 0 for place in names) > len(names) / 3
    behind_types = [
        word
        for row in rows
        for (before, _), (tag, word) in pairwise(zip(row.values["tags"], row.values["tokens"], strict=True))
        if before.endswith("-TYPE") and tag == "O"
    ]
    assert sum(word not in (",", "(", ";") for word in behind_types) > len(behind_types) / 3
