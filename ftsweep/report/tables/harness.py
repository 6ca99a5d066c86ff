"""What the tasks of lm-evaluation-harness say of a model, as a table."""

from __future__ import annotations

from ftsweep.domain.spelling import number
from ftsweep.report.overview import StudyOverview
from ftsweep.report.tables.cells import words
from ftsweep.report.tables.table import Cell, Row, Table, columns
from ftsweep.store.evaluations import Scores, TaskScores, read_evaluation


def harness_table(scores: Scores, model: str) -> Table | None:
    """A row per task and metric; None where the model was not asked."""
    rows = [
        Row((words(task), words(metric), *_cells(each, metric), words(_asked(each))))
        for task, each in sorted(scores.items())
        for metric in each.values
    ]
    if not rows:
        return None
    heads = columns("task", "metric", "value", "standard error", "rows", "asked", text=["task", "metric", "asked"])
    return Table(heads, tuple(rows), title=f"lm-eval, {model}")


def winner_harness_table(study: StudyOverview) -> Table | None:
    """Of the model that was handed over."""
    model = study.result.model
    if study.folder is None or model is None:
        return None
    return harness_table(read_evaluation(study.folder, model.name), model.name)


def _cells(scores: TaskScores, metric: str) -> tuple[Cell, ...]:
    value, error = scores.values[metric], scores.errors.get(metric)
    of_error = Cell("" if error is None else number(error), error)
    return Cell(number(value), value), of_error, Cell(str(scores.num_rows), scores.num_rows)


def _asked(scores: TaskScores) -> str:
    """With what around the rows, and by which version."""
    shots = f"{scores.num_fewshot} examples, " if scores.num_fewshot else ""
    return f"{shots}{'chat template, ' if scores.is_chat else ''}version {scores.version}"
