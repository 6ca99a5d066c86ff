"""Tables of the report on the dashboard's pages: the winner beside others, approaches, answers row by row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dash import html

from ftsweep.dashboard.parts import plain_table
from ftsweep.domain.objective import Objective
from ftsweep.report.answers import (
    ModelAnswers,
    answer_table,
    base_answers,
    model_answers,
    parting_rows,
    telling_rows,
    told_score,
    trial_answers,
)
from ftsweep.report.overview import StudyOverview
from ftsweep.report.summary import winner_title
from ftsweep.report.tables.approaches import approach_table
from ftsweep.report.tables.difference import Compared
from ftsweep.report.tables.scores import comparison_table
from ftsweep.report.tables.table import Cell, Table
from ftsweep.report.trial_summary import TrialSummary

_READING = (
    "The same rows of validation, each model at its best rung; a score stands before each answer, words of the "
    "expected text are marked."
)


def evidence_part(study: StudyOverview) -> list[Any]:
    """What the choice rests on: scores beside the default setting and the untouched base, and whole approaches."""
    best = study.best.number if study.best else None
    found = (
        (winner_title(study), comparison_table(study)),
        ("Approaches", approach_table(study.approaches, study.objective, best)),
    )
    return [*_parts(found), *_asked(study.answers, study.objective)]


def answers_of_trial(study: StudyOverview, trial: TrialSummary) -> list[Any]:
    """Rows that the trial answered worst and best, beside what base, default and best trial said."""
    folder = study.folder
    if folder is None:
        return []
    others = [each.number for each in (study.default, study.best) if each is not None and each.number != trial.number]
    own = model_answers(folder.trial(trial.number), f"trial {trial.number}", study.objective)
    if own is None:
        return []
    base = base_answers(folder, trial.branch, study.objective)
    models = [*([base] if base else []), *trial_answers(folder, others, study.objective), own]
    return _asked(models, study.objective)


def parting_answers(compared: Sequence[Compared]) -> list[Any]:
    """Rows that trials answered most differently; nothing where they were not asked the same."""
    found = [
        model_answers(each.study.folder.trial(each.trial.number), each.name, each.study.objective)
        for each in compared
        if each.study.folder is not None
    ]
    models = [each for each in found if each is not None]
    objective = compared[0].study.objective
    metric = told_score(models, objective)
    table = answer_table(models, parting_rows(models, metric), metric, "")
    return _answer_parts([(f"Answered most differently, by {metric}", table)])


def _asked(models: Sequence[ModelAnswers], objective: Objective) -> list[Any]:
    metric = told_score(models, objective)
    worst, best = telling_rows(models, metric)
    return _answer_parts(
        [
            (f"Answered worst, by {metric}", answer_table(models, worst, metric, "")),
            (f"Answered best, by {metric}", answer_table(models, best, metric, "")),
        ]
    )


def _answer_parts(found: Iterable[tuple[str, Table | None]]) -> list[Any]:
    parts = _parts(found, "told answers")
    return [*parts, html.P(_READING, className="reading")] if parts else []


def _parts(found: Iterable[tuple[str, Table | None]], css_class: str = "told") -> list[Any]:
    parts: list[Any] = []
    for title, table in found:
        if table is not None:
            rows = ([_shown(cell) for cell in row.cells] for row in table.rows)
            best = [place for place, row in enumerate(table.rows) if row.mark == "best"]
            heads, legend = [column.name for column in table.columns], table.legend("Coloured:")
            parts += [html.H2(title), plain_table(heads, rows, css_class, best=best)]
            parts += [html.P(legend, className="reading")] if legend else []
    return parts


def _shown(cell: Cell) -> Any:
    tags = [html.Span(f"{tag} ", className="tag") for tag in cell.tags]
    text = [html.Mark(piece) if is_marked else piece for piece, is_marked in cell.pieces] or [cell.text]
    return [*tags, *text, *([" ", html.Code(cell.code)] if cell.code else [])] if tags or cell.code else cell.text
