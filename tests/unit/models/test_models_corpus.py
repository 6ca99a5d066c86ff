from __future__ import annotations

import ast

import pytest

from ftsweep.models.tiny import corpus

SOURCE = '''
"""Module docstring."""
NAME = "kept"
"""Attribute docstring."""
HELP = """
triple
"""

class Thing:
    """Class docstring."""

    # A comment of the class that is kept because it is a comment.
    def method(self):
        r"""Method docstring."""
        return f"kept too {self}" + 'short'

    async def other(self): "one-line docstring"
'''


def test_no_docstring_is_left_in_the_source() -> None:
    text = corpus.without_docstrings(SOURCE, ast.parse(SOURCE))
    assert "docstring" not in text
    assert "triple" not in text


def test_code_comments_and_plain_strings_stay() -> None:
    text = corpus.without_docstrings(SOURCE, ast.parse(SOURCE))
    for part in ('NAME = "kept"', "# A comment of the class", 'f"kept too {self}"', "'short'", "class Thing:"):
        assert part in text


def test_cutting_counts_bytes_where_ast_does() -> None:
    source = 'x = "äöü"; """cut ß"""; y = "é"\n'
    assert corpus.without_docstrings(source, ast.parse(source)) == 'x = "äöü"; ; y = "é"'


def test_consecutive_comments_are_one_text() -> None:
    source = "# The first line of a comment that\n# goes on in the second line.\n\n# short\n# -----\n"
    assert list(corpus.comment_blocks(source)) == ["The first line of a comment that goes on in the second line."]


@pytest.fixture(scope="module")
def parts() -> corpus.Corpus:
    return corpus.read_corpus(1, max_files=60)


def test_held_out_topics_are_in_no_other_part(parts: corpus.Corpus) -> None:
    assert parts.held_out
    assert not set(parts.held_out) & set(parts.topics)
    for text in parts.held_out.values():
        assert text not in parts.topics.values()
        assert not any(text in code for code in parts.code)


def test_the_corpus_depends_on_its_seed_alone(parts: corpus.Corpus) -> None:
    assert corpus.read_corpus(1, max_files=60) == parts


def test_docstrings_of_the_standard_library_are_not_in_the_corpus(parts: corpus.Corpus) -> None:
    import argparse
    import asyncio

    docstrings = [argparse.__doc__, argparse.HelpFormatter.__doc__, asyncio.StreamReader.readline.__doc__]
    for docstring in docstrings:
        assert docstring
        first = docstring.strip().partition("\n")[0]
        assert not any(first in document for document in [*parts.code, *parts.comments])


def test_only_the_standard_library_is_read() -> None:
    paths = list(corpus.source_files())
    assert len(paths) > 300
    assert paths == sorted(paths)
    assert not any({"site-packages", "test", "tests"} & set(path.parts) for path in paths)
