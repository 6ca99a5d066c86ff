"""A number for a text: the head has one output, the loss is the squared error in units of train's deviation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ftsweep.domain.metric import LOSS, Metric, Metrics
from ftsweep.errors import DataError
from ftsweep.tasks.base import IGNORED, LabelShape, LabelType, ProblemType, RowError, Tally
from ftsweep.tasks.encoding.tokens import attempt
from ftsweep.tasks.scores.resampled import number_metrics
from ftsweep.tasks.sequence import SequenceTask, head_outputs

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

OUTPUT = "value"
"""What the head's one output is called, in the model's configuration and in answers."""


class Regression(SequenceTask):
    """A number for a text, or for a pair of texts.

    Columns `text`, `text_pair` (optional) and `label` (a number). The head learns (label - mean) / sd, mean and sd
    those of train, so that one learning rate suits any unit; `loss` is the mean squared error of that, and `rmse`,
    `mae` and the answers are in the labels' own unit. A constant prediction has correlation 0.

    Args:
        max_length: tokens of an input; a longer one is cut at the end.
    """

    phrase = "regression"
    target = "label"
    columns = ("text", "text_pair", "label")
    metrics: ClassVar[Metrics] = {
        "mae": Metric("minimize", low=0, is_readable=True),
        "rmse": Metric("minimize", low=0),
        "r2": Metric("maximize", high=1, compares_parts=False),
        "pearson": Metric("maximize", -1, 1, compares_parts=False),
        "spearman": Metric("maximize", -1, 1, compares_parts=False),
        "loss": LOSS,
    }
    label_shape: ClassVar[LabelShape] = "example"
    label_type: ClassVar[LabelType] = "float"
    problem_type: ClassVar[ProblemType | None] = "regression"

    def __init__(self, *, max_length: int = 128) -> None:
        super().__init__(max_length=max_length)

    def target_of(self, values: Mapping[str, Any]) -> float:
        return number_of(values)

    def target_text(self, values: Mapping[str, Any]) -> str:
        label = attempt(number_of, values)
        return "" if isinstance(label, RowError) else repr(label)

    def learn_schema(self, train_rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Mean and standard deviation (of the population) of train's labels."""
        found, pairs, why = self.usable_targets(train_rows)
        values = np.sort(np.asarray(found, dtype=np.float64))  # sorted: the same sums whatever the rows' order
        if not len(values) or values[0] == values[-1]:
            raise DataError(
                f"regression needs labels that differ, and train has {len(values)}"
                + (f", all {found[0]:g}" if found else ""),
                remedy=why + "Check the data's `text` and `label` columns",
            )
        return {"labels": [OUTPUT], "mean": float(values.mean()), "sd": float(values.std()), **pairs}

    def target_encoder(self, schema: Mapping[str, Any]) -> Callable[[float], Sequence[float]]:
        mean, sd = schema["mean"], schema["sd"]
        return lambda value: [(value - mean) / sd]

    def losses(self, model: PreTrainedModel, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """The squared error of each row, in units of train's variance, and the prediction, both [rows]."""
        predictions = head_outputs(model, batch).squeeze(-1)
        labels = batch["labels"]
        return ((predictions - labels) ** 2).masked_fill(labels == IGNORED, 0.0), predictions.detach()

    def row_scores(
        self, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor], schema: Mapping[str, Any]
    ) -> torch.Tensor | None:
        """Prediction and label as they differ from train's mean, in the labels' own unit, [rows, 2]."""
        import torch

        return torch.stack([outputs, batch["labels"]], dim=-1) * float(schema["sd"])

    def resampled_scores(
        self, losses: np.ndarray, units: np.ndarray, scores: np.ndarray, weights: np.ndarray
    ) -> dict[str, np.ndarray]:
        found = super().resampled_scores(losses, units, scores, weights)
        return found | (number_metrics(weights, *scores.T) if scores.shape[1] == 2 else {})

    def tally(self, schema: Mapping[str, Any]) -> Tally:
        return RegressionTally(schema["mean"], schema["sd"])

    def prior_scores(self, schema: Mapping[str, Any], labels: Iterable[Sequence[Any]]) -> dict[str, float] | None:
        """Scores of always naming the mean of train."""
        real = np.asarray([label for (label,) in labels], dtype=np.float64)
        return _values(np.zeros_like(real), real, schema["sd"])

    def answers(self, logits: torch.Tensor, schema: Mapping[str, Any]) -> list[dict[str, Any]]:
        """`{"value": ...}` per row, in the labels' own unit."""
        return [{OUTPUT: value * schema["sd"] + schema["mean"]} for value in logits.squeeze(-1).tolist()]


class RegressionTally(Tally):
    """Keeps predictions and labels on the device, two floats a row: a rank correlation needs them all."""

    def __init__(self, mean: float, sd: float) -> None:
        self._mean = mean
        self._sd = sd
        self._parts: list[torch.Tensor] = []

    def add(self, losses: torch.Tensor, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> None:
        import torch

        self._parts.append(torch.stack([outputs.detach().float(), batch["labels"].float()]))

    def values(self) -> dict[str, float]:
        predictions, labels = self._pairs()
        return _values(predictions, labels, self._sd)

    def _pairs(self) -> tuple[np.ndarray, np.ndarray]:
        import torch

        if not self._parts:
            return np.empty(0), np.empty(0)
        pairs = torch.cat(self._parts, dim=1).double().cpu().numpy()
        predictions, labels = pairs[:, pairs[1] != IGNORED]
        return predictions, labels


def number_of(values: Mapping[str, Any]) -> float:
    """A row's label as a finite number; text that spells one counts. Raises RowError without one."""
    value = values.get("label")
    if value is None or value == "":
        raise RowError("'label' is missing or empty")
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (ValueError, TypeError):
        number = math.nan
    if not math.isfinite(number):
        written = isinstance(value, str) and any(map(str.isdigit, value))
        how = ": write it with a point and no other sign, such as 3.5" if written else ""
        raise RowError(f"'label' is {value!r}, not a finite number{how}")
    return number


def _values(predictions: np.ndarray, labels: np.ndarray, sd: float) -> dict[str, float]:
    """Metrics from standardised predictions and labels; NaN of no rows, or when a prediction is no finite number.

    r2 compares with the mean of these labels; of labels that are all equal it is 1 when all are met and else 0, as
    sklearn has it.
    """
    if not len(labels) or not np.isfinite(predictions).all():
        return dict.fromkeys(("loss", "rmse", "mae", "r2", "pearson", "spearman"), math.nan)
    errors = predictions - labels
    square = float(np.mean(errors**2))
    variance = float(np.var(labels))
    return {
        "loss": square,
        "rmse": math.sqrt(square) * sd,
        "mae": float(np.mean(np.abs(errors))) * sd,
        "r2": 1 - square / variance if variance else float(square == 0),
        "pearson": _correlation(predictions, labels),
        "spearman": _correlation(_ranks(predictions), _ranks(labels)),
    }


def _ranks(values: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    ranks: np.ndarray = rankdata(values)  # ties share their mean rank
    return ranks


def _correlation(left: np.ndarray, right: np.ndarray) -> float:
    """Pearson's correlation; 0 when either side is constant, where it is not defined."""
    if np.ptp(left) == 0 or np.ptp(right) == 0:
        return 0.0
    return float(np.corrcoef(left, right)[0, 1])
