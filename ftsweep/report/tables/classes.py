"""The winner's scores per class as a table in words: what its scores on test are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftsweep.report.rows import StudyRows, TrialRow
from ftsweep.report.wording import NOTHING

SCORES = ("precision", "recall", "f1-score")
MEANS = ("micro avg", "macro avg", "weighted avg")
"""Entries of a report (as of sklearn's and seqeval's classification_report) that are not about one class."""


@dataclass(frozen=True)
class ClassTable:
    """A line per class and per mean over classes. Cells are words."""

    columns: tuple[str, ...]
    lines: tuple[tuple[str, tuple[str, ...]], ...]
    num_averages: int
    """How many of the lines, at the end, are means."""


def details_of(rows: StudyRows, trial: TrialRow | None) -> Mapping[str, Any]:
    """What a trial's scores on test are made of; {} when that is not known."""
    return rows.details.get(f"trial-{trial.number:04d}", {}) if trial is not None else {}


def class_table(rows: StudyRows) -> ClassTable | None:
    """The winner's classes on test, beside the default setting's F1 of each; None when nothing was scored by class."""
    report: Mapping[str, Mapping[str, Any]] = details_of(rows, rows.best).get("report") or {}
    if not report:
        return None
    default = {} if rows.best is rows.default else details_of(rows, rows.default).get("report") or {}
    names = [*(name for name in report if name not in MEANS), *(name for name in MEANS if name in report)]
    lines = []
    for name in names:
        scores = [report[name].get(score) for score in SCORES]
        scores += [default.get(name, {}).get("f1-score")] if default else []
        cells = (NOTHING if score is None else f"{score:.3f}" for score in scores)
        lines.append((name, (*cells, f"{report[name]['support']:,}")))
    columns = ("precision", "recall", "F1", *(("F1 of the default setting",) if default else ()), "support")
    return ClassTable(columns, tuple(lines), sum(name in MEANS for name in names))
