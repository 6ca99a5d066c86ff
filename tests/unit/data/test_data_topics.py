from __future__ import annotations

from collections import Counter

import pytest

from ftsweep.data.likeness.duplicates import normalise
from ftsweep.data.sources.topics import MAX_CHARACTERS, Topics
from ftsweep.data.splitting.splitting import split_rows
from ftsweep.errors import ConfigError
from ftsweep.tasks.text import Text


def test_every_topic_gives_documents_of_a_few_paragraphs() -> None:
    rows = Topics().load(["text"])["train"]
    assert len(rows) > 100
    assert sum(len(row.values["text"]) > MAX_CHARACTERS for row in rows) < 0.05 * len(rows), "a long paragraph each"
    assert not any("\n****" in row.values["text"] for row in rows), "headings lose their underline"
    assert rows[0].place == f"pydoc_data/topics.py:{rows[0].values['topic']}:1"


def test_a_paragraph_that_topics_share_is_there_once() -> None:
    rows = Topics().load(["text"])["train"]
    paragraphs = Counter(normalise(part) for row in rows for part in row.values["text"].split("\n\n"))
    del paragraphs[None]
    assert max(paragraphs.values()) == 1


def test_no_topic_is_on_both_sides_of_the_split() -> None:
    source = Topics()
    split = split_rows(source.load(["text"]), source, Text(), seed=0)
    topics = {name: {row.values["topic"] for row in rows} for name, rows in split.rows.items()}
    assert set(topics) == {"train", "validation"}
    assert not topics["train"] & topics["validation"]
    characters = {name: sum(len(row.values["text"]) for row in rows) for name, rows in split.rows.items()}
    assert 0.3 < characters["validation"] / sum(characters.values()) < 0.4


def test_a_limit_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"data\.limit"):
        Topics(limit=0)
