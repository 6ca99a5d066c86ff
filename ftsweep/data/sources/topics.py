"""`data: topics`: general text that every installation has, the topics of Python's own documentation."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Iterable, Iterator

from ftsweep.data.base import DataSource, Row, check_fractions, check_limit, sampled
from ftsweep.data.likeness.duplicates import normalise

EXTRACTOR_VERSION = 1
"""Counts up when the same Python would give other rows."""

MAX_CHARACTERS = 1500
"""Paragraphs of a topic go into one document up to this length; a longer paragraph stays whole."""

_PLACE = "pydoc_data/topics.py"
_UNDERLINE = re.compile(r"\n[*=\-~^\"']{3,}(?=\n|$)")
_LINE_END = re.compile(r"(?<=[\w,;)])\n(?=[\w(\"])")


class Topics(DataSource):
    """Documents (`text`) of a few paragraphs each, with the `topic` they are from, as `help()` knows it.

    Topics share paragraphs: of equal ones the first is kept.

    Args:
        limit: at most this many documents, drawn from all of them; null takes all, several hundred.
        validation_fraction: share of documents held-out; whole topics, so that nothing of a topic is on both sides.
        test_fraction: share for test; 0 for none.
    """

    group = "topic"

    def __init__(
        self, *, limit: int | None = None, validation_fraction: float = 0.35, test_fraction: float = 0.0
    ) -> None:
        check_fractions(validation_fraction, test_fraction)
        self.limit = check_limit(limit)
        self.validation_fraction = validation_fraction
        self.test_fraction = test_fraction

    def fingerprint(self) -> str:
        """Hash of Python's version, which brings the topics, and the extractor's."""
        facts = ["topics", EXTRACTOR_VERSION, platform.python_version(), self.limit]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]

    def load(self, columns: Iterable[str]) -> dict[str, list[Row]]:
        """`train` alone: ftsweep makes the split. A place is the topic and the document's number in it."""
        kept = {*columns, "topic"}
        rows = sampled(list(_documents()), self.limit)
        return {"train": [Row({key: row.values[key] for key in row.values if key in kept}, row.place) for row in rows]}


def _documents() -> Iterator[Row]:
    from pydoc_data.topics import topics

    seen: set[str | None] = {None}
    for topic in sorted(topics):
        paragraphs = []
        for paragraph in _paragraphs(topics[topic]):
            key = normalise(paragraph)
            if key not in seen:
                seen.add(key)
                paragraphs.append(paragraph)
        for number, text in enumerate(_joined(paragraphs), start=1):
            yield Row({"text": text, "topic": topic}, f"{_PLACE}:{topic}:{number}")


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs with their lines joined where a sentence goes on; headings lose their underline."""
    plain = _UNDERLINE.sub("", text.strip())
    yield from (_LINE_END.sub(" ", part).rstrip() for part in re.split(r"\n\s*\n", plain) if part.strip())


def _joined(paragraphs: Iterable[str]) -> Iterator[str]:
    """Documents of consecutive paragraphs."""
    document = ""
    for paragraph in paragraphs:
        if document and len(document) + len(paragraph) > MAX_CHARACTERS:
            yield document
            document = ""
        document = f"{document}\n\n{paragraph}" if document else paragraph
    if document:
        yield document
