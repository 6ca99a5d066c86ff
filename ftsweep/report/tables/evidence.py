"""The evidence for a winner as files that other programs read; MLflow shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftsweep.domain.result import StudyResult
from ftsweep.report.tables.classes import MEANS, SCORES
from ftsweep.report.tables.confirmation import confirmation_data
from ftsweep.report.tables.csv_text import csv_text
from ftsweep.report.tables.scores import tested_data
from ftsweep.report.tables.table import Table, data_table
from ftsweep.store.atomic import write_text, written_folder
from ftsweep.store.folders import StudyFolder

Details = Mapping[str, Mapping[str, Any]]
"""By model (`trial-0007`): what its task says its scores are made of."""

_BIN = ("low", "high", "count", "probability", "came_true")


def write_evidence(folder: StudyFolder, result: StudyResult) -> list[Path]:
    """Write the study's folder `evidence` anew: details.json, and a table for each thing that the result tells of.

    Returns the folder in a list; [] when nothing is known beyond the sentence.
    """
    texts = {name: csv_text(table) for name, table in evidence_tables(result).items() if table.rows}
    if result.details:
        texts["details.json"] = json.dumps(result.details, indent=1) + "\n"
    if not texts:
        return []
    path = folder.path / "evidence"
    with written_folder(path) as temporary:
        for name, text in texts.items():
            write_text(temporary / name, text)
    return [path]


def evidence_tables(result: StudyResult) -> dict[str, Table]:
    """By file name: classes, confusion and reliability; settings run again; scores on test with their intervals."""
    details = result.details
    return {
        "classes.csv": data_table(("model", "kind", "label", *SCORES, "support"), _class_rows(details)),
        "confusion.csv": data_table(("model", "label", "prediction", "count"), _confusion_rows(details)),
        "reliability.csv": data_table(("model", *_BIN), _bin_rows(details)),
        "confirmation.csv": confirmation_data(result),
        "test.csv": tested_data(result),
    }


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
