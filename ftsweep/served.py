"""The registered model as MLflow loads it. This file is copied into the model and run where it is loaded.

MLflow also runs it while logging, in the control process: torch and all that needs it are imported in methods.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.pyfunc import PythonModel, PythonModelContext

if TYPE_CHECKING:
    import pandas as pd


class ServedModel(PythonModel):
    """Gives the answers that `ftsweep predict` gives."""

    def load_context(self, context: PythonModelContext) -> None:
        from ftsweep.training.inference import load_predictor

        self._predictor = load_predictor(Path(context.artifacts["model"]))

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """One answer per row: a table for a table (with its index), else a list of dictionaries.

        Rows have the task's input columns (`text`, `prompt`, `messages`); a plain string is a row's `text`. There are
        no type hints, because MLflow would make a schema of them that wins over the logged signature.
        """
        import pandas as pd

        if isinstance(model_input, pd.DataFrame):
            answers = self._predictor.predict(_rows_of_table(model_input))
            return pd.DataFrame(answers, index=model_input.index)
        if isinstance(model_input, str | Mapping):
            model_input = [model_input]
        rows = [{"text": row} if isinstance(row, str) else dict(row) for row in model_input]
        return self._predictor.predict(rows)


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
