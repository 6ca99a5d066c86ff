"""The registered model as MLflow loads it. This file is copied into the model and run where it is loaded.

MLflow also runs it while logging, in the control process: torch and all that needs it are imported in methods.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class ServedModel(PythonModel):
    """Gives the answers that `ftsweep predict` gives."""

    def load_context(self, context: PythonModelContext) -> None:
        from ftsweep.serving.model import load_predictor

        self._predictor = load_predictor(Path(context.artifacts["model"]))

    def predict(self, context: PythonModelContext | None, model_input: pd.DataFrame, params: Any = None) -> Any:
        """One answer per row: a table for a table (with its index), a list of dictionaries for any other rows.

        Rows have the task's input columns (`text`, `prompt`, `messages`), or those that the study's files had for
        them; a plain string is the first of them. Of several rows, one that cannot be answered has its reason in
        `error`. The type hint is the one of which MLflow makes no schema: the logged signature counts.

        Raises:
            DataError: no row can be answered; it says which columns are wanted.
        """
        if isinstance(model_input, pd.DataFrame):
            # MLflow takes columns that the signature lacks away, and the rows with them when none is left
            rows = _rows_of_table(model_input) if len(model_input.columns) else [{}]
            answers = self._answers(rows)
            return pd.DataFrame(answers, index=model_input.index)
        if isinstance(model_input, str | Mapping):
            model_input = [model_input]
        column = self._predictor.task.columns[0]
        return self._answers([{column: row} if isinstance(row, str) else dict(row) for row in model_input])

    def _answers(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        from ftsweep.errors import DataError

        names = self._predictor.columns
        renamed = [{**row, **{name: row[own] for name, own in names.items() if own in row}} for row in rows]
        columns = set(self._predictor.task.columns)
        if renamed and not any(columns & row.keys() for row in renamed):
            others = {name: f" (or {own!r})" for name, own in names.items()}
            wanted = ", ".join(f"{name!r}{others.get(name, '')}" for name in sorted(columns))
            found = ", ".join(sorted({key for row in rows for key in row})) or "none"
            raise DataError(f"none of the columns is one that the model reads; it reads {wanted}; found: {found}")
        answers = self._predictor.answers(renamed)
        if answers and not any(isinstance(answer, dict) for answer in answers):
            raise DataError(f"no row can be answered: {answers[0]}")
        return [answer if isinstance(answer, dict) else {"error": str(answer)} for answer in answers]


def _rows_of_table(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dictionaries of plain values; cells that the table filled with NaN are left out."""
    return [
        {str(column): _plain(value) for column, value in row.items() if not _is_missing(value)}
        for row in table.to_dict("records")
    ]


def _is_missing(value: Any) -> bool:
    """Whether a cell is None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _plain(value: Any) -> Any:
    """The value without numpy: MLflow hands lists of a schema over as arrays."""
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


mlflow.models.set_model(ServedModel())
