"""Whether held-out general text stands in what a trial trains on: then forgetting would look smaller than it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ftsweep.data.base import Row
from ftsweep.data.likeness.alike import Overlap
from ftsweep.data.likeness.duplicates import normalise
from ftsweep.data.likeness.passages import shared_passages
from ftsweep.data.likeness.words import WordTable
from ftsweep.data.prepared import PreparedSet
from ftsweep.domain.finding import Finding, Severity
from ftsweep.evaluation.general_text import GeneralText
from ftsweep.guards.base import NUM_EXAMPLES, percent
from ftsweep.store.atomic import read_json, write_json
from ftsweep.tasks.base import Task

WARN_ABOVE = 0.01
"""Share of the documents; below it is a note."""

Trained = Sequence[tuple[PreparedSet, Task]]
"""What a trial trains on: its own data, and that of its stages."""


def general_overlap(text: GeneralText, trained: Trained, cache: Path) -> list[Finding]:
    """What of the measured general text stands in train; nothing when none does. Looked up once and kept."""
    facts = [text.prepared.meta["hash"], text.num_tokens, *(prepared.meta["hash"] for prepared, _ in trained)]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
    file = cache / "forgetting" / f"overlap-{key}.json"
    if not file.exists():
        write_json(file, [finding.to_dict() for finding in _looked_up(text, trained)])
    return [Finding.from_dict(each) for each in read_json(file)]


def _looked_up(text: GeneralText, trained: Trained) -> list[Finding]:
    documents = _measured_rows(text)
    texts = [_content(row, task) for prepared, task in trained for row in prepared.rows("train")]
    is_trained_on = _overlaps([text.task.input_text(row.values) for row in documents], texts)
    count = int(is_trained_on.sum())
    if count == 0:
        return []
    share = count / len(documents)
    examples = [documents[number].place for number in np.flatnonzero(is_trained_on)]
    return [
        Finding(
            check="forgetting",
            severity=Severity.WARN if share > WARN_ABOVE else Severity.NOTE,
            message=f"{count} of {len(documents)} documents of general text ({percent(share)}) stand in train, so that "
            "less seems to be forgotten than is",
            count=count,
            rate=share,
            examples=tuple(examples[:NUM_EXAMPLES]),
            remedy="Name general text that the data does not hold",
            override="data@general=files general.train=FILE",
        )
    ]


def _content(row: Row, task: Task) -> str:
    try:
        return f"{task.input_text(row.values)} {task.target_text(row.values)}"
    except ValueError:  # a row that cannot be used is not trained on
        return ""


def _measured_rows(text: GeneralText) -> list[Row]:
    """The rows that the probe's examples are from, each once."""
    split, rows = text.prepared.split("validation"), text.prepared.rows("validation")
    return [rows[number] for number in sorted({split.row_index(int(index)) for index in text.probe})]


def _overlaps(documents: Sequence[str], texts: Sequence[str]) -> np.ndarray:
    """Which documents are among the texts, or lie to half in runs of 13 words of theirs. bool."""
    forms = [normalise(each) or "" for each in (*documents, *texts)]
    known = set(forms[len(documents) :]) - {""}
    words = WordTable(forms)
    own, others = np.arange(len(documents)), np.arange(len(documents), len(forms))
    overlap = Overlap()
    share = shared_passages(words, own, others, overlap).share
    return np.asarray([form in known for form in forms[: len(documents)]]) | (share >= overlap.coverage)
