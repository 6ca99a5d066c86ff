"""Tags that are marks alone: B, I and O, where all entities are of one type."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftsweep.data.files.tag_scheme import TagScheme
from ftsweep.data.looking.look import look_at


@pytest.mark.parametrize(
    ("tags", "made"),
    [
        ("B I O B", "B-entity I-entity O B-entity"),
        ("B E O S", "B-entity I-entity O B-entity"),
        ("PER PER O B", "B-PER I-PER O B-B"),  # of types, B is one as well
        ("O I I O", "O B-I I-I O"),
    ],
)
def test_marks_without_types_are_tags_of_one_type(tags: str, made: str) -> None:
    scheme = TagScheme()
    scheme.add(tags.split())
    assert scheme.apply(tags.split()) == made.split()


def test_a_table_of_words_and_marks_alone_is_read_as_sentences(tmp_path: Path) -> None:
    (tmp_path / "words.tsv").write_text("Huntington\tB\ndisease\tI\nis\tO\nrare\tO\n\n" * 30)
    look = look_at([str(tmp_path / "words.tsv")])
    assert look.guess is not None
    assert (look.guess.task, look.num_rows) == ("token_classification", {"train": 30})
