"""What the scores on test are made of, as tables that other programs read; MLflow shows them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftsweep.report.tables.classes import MEANS, SCORES
from ftsweep.store.atomic import read_json, write_text, written_folder
from ftsweep.store.folders import StudyFolder

Details = Mapping[str, Mapping[str, Any]]
"""By model (`trial-0007`): what its task says its scores are made of."""


def write_evidence(folder: StudyFolder) -> list[Path]:
    """Write the study's folder `evidence` anew: details.json, and a table for each thing that it tells of.

    Returns the folder in a list; [] when nothing is known beyond the scores.
    """
    result = folder.path / "result.json"
    facts = read_json(result) if result.exists() else {}
    details: Details = facts.get("details") or {}
    texts = tables(details) | choice_tables(facts)
    if details:
        texts["details.json"] = json.dumps(details, indent=1) + "\n"
    if not texts:
        return []
    path = folder.path / "evidence"
    with written_folder(path) as temporary:
        for name, text in texts.items():
            write_text(temporary / name, text)
    return [path]


def choice_tables(facts: Mapping[str, Any]) -> dict[str, str]:
    """CSV by file name of a result: `confirmation.csv` (settings run again) and `test.csv` (scores with intervals)."""
    candidates = (facts.get("evidence") or {}).get("candidates", ())
    again = [
        [
            *(candidate[key] for key in ("number", "is_default", "value", "mean", "spread")),
            *(candidate[key] for key in ("difference", "standard_error", "is_tied")),
            " ".join("failed" if seed is None else repr(seed) for seed in candidate["seeds"]),
        ]
        for candidate in candidates
    ]
    intervals = facts.get("intervals") or {}
    scores = [
        [model, metric, value, *(intervals.get(model, {}).get(metric, {}).get(key) for key in _INTERVAL)]
        for model, values in (facts.get("test") or {}).items()
        for metric, value in values.items()
    ]
    found = {
        "confirmation.csv": _csv(_AGAIN, again),
        "test.csv": _csv(("model", "metric", "value", *_INTERVAL), scores),
    }
    return {name: text for name, text in found.items() if text}


_INTERVAL = ("standard_error", "low", "high")
_AGAIN = ("trial", "default", "in_search", "mean", "spread", "behind", "standard_error", "tied", "seeds")


def tables(details: Details) -> dict[str, str]:
    """CSV by file name: `classes.csv`, `confusion.csv`, `reliability.csv`, as far as there is something to tell."""
    found = {
        "classes.csv": _csv(("model", "kind", "label", *SCORES, "support"), _class_rows(details)),
        "confusion.csv": _csv(("model", "label", "prediction", "count"), _confusion_rows(details)),
        "reliability.csv": _csv(("model", *_BIN), _bin_rows(details)),
    }
    return {name: text for name, text in found.items() if text}


_BIN = ("low", "high", "count", "probability", "came_true")


def _class_rows(details: Details) -> Iterator[Sequence[Any]]:
    for model, parts in details.items():
        for name, entry in parts.get("report", {}).items():
            kind = "mean" if name in MEANS else "class"
            yield [model, kind, name, *(entry.get(key, "") for key in (*SCORES, "support"))]


def _confusion_rows(details: Details) -> Iterator[Sequence[Any]]:
    for model, parts in details.items():
        for label, counts in zip(parts.get("labels", ()), parts.get("confusion", ()), strict=False):
            for prediction, count in zip(parts["labels"], counts, strict=True):
                yield [model, label, prediction, count]


def _bin_rows(details: Details) -> Iterator[Sequence[Any]]:
    for model, parts in details.items():
        for entry in parts.get("reliability", ()):
            yield [model, *(entry[key] for key in _BIN)]


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """The table's text; "" without rows."""
    lines = list(rows)
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([columns, *lines])
    return text.getvalue() if lines else ""
