"""The winner's scores per class: what its scores on test are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftsweep.domain.spelling import NOTHING
from ftsweep.report.overview import StudyOverview
from ftsweep.report.tables.cells import count, words
from ftsweep.report.tables.table import Cell, Row, Table, columns
from ftsweep.report.trial_summary import TrialSummary

SCORES = ("precision", "recall", "f1-score")
MEANS = ("micro avg", "macro avg", "weighted avg")
"""Entries of a report (as of sklearn's and seqeval's classification_report) that are not about one class."""


def details_of(study: StudyOverview, trial: TrialSummary | None) -> Mapping[str, Any]:
    """What a trial's scores on test are made of; {} when that is not known."""
    return study.result.details.get(study.name_on_test(trial.number), {}) if trial is not None else {}


def class_table(study: StudyOverview) -> Table | None:
    """The winner's classes on test, beside the default setting's F1 of each; None when nothing was scored by class."""
    report: Mapping[str, Mapping[str, Any]] = details_of(study, study.best).get("report") or {}
    if not report:
        return None
    default = {} if study.best is study.default else details_of(study, study.default).get("report") or {}
    rows = []
    for name in [*(name for name in report if name not in MEANS), *(name for name in MEANS if name in report)]:
        found = [report[name].get(score) for score in SCORES]
        found += [default.get(name, {}).get("f1-score")] if default else []
        cells = (Cell(NOTHING if score is None else f"{score:.3f}", score) for score in found)
        row = (words(name), *cells, count(report[name]["support"]))
        rows.append(Row(row, "mean" if name in MEANS else ""))
    names = ("class", "precision", "recall", "F1", *(("F1 of the default setting",) if default else ()), "support")
    title = "The winner's scores on test by class."
    return Table(columns(*names, text=["class"]), tuple(rows), title=title)
