"""Any number of labels for a text: each has a probability of its own, the loss is binary cross-entropy."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ftsweep.domain.metric import LOSS, Metrics, dependent, right_answers
from ftsweep.errors import ConfigError, DataError
from ftsweep.tasks.base import IGNORED, LabelShape, ProblemType, RowError, Tally
from ftsweep.tasks.encoding.labels import checked_switch, in_label_order, label_indices, label_text, written
from ftsweep.tasks.encoding.tokens import attempt
from ftsweep.tasks.scores.class_scores import (
    NUM_BINS,
    add_to_bins,
    class_entry,
    class_report,
    macro_f1,
    new_bins,
    reliability,
)
from ftsweep.tasks.scores.resampled import multi_label_metrics
from ftsweep.tasks.sequence import SequenceTask, head_outputs

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedModel


class MultiLabel(SequenceTask):
    """Classification of a text, or of a pair of texts, where several labels or none may be right.

    Columns `text`, `text_pair` (optional) and `labels` (a list of labels, empty when none applies). The loss of a row
    is the mean over all labels of their binary cross-entropy, as torch's BCEWithLogitsLoss has it.

    Args:
        max_length: tokens of an input; a longer one is cut at the end.
        threshold: a label is given when its probability is at least this. It changes answers, `micro_f1`, `macro_f1`
            and `subset_accuracy`; neither training nor the loss.
        fold_labels: whether labels that differ in case, spaces or the form of their characters are one.
    """

    phrase = "multi-label classification"
    target = "labels"
    columns = ("text", "text_pair", "labels")
    metrics: ClassVar[Metrics] = dependent(
        {
            "macro_f1": right_answers(is_readable=True, compares_parts=False),
            "micro_f1": right_answers(),
            "subset_accuracy": right_answers(),
            "loss": LOSS,
        },
        "fold_labels",
    )
    label_shape: ClassVar[LabelShape] = "vector"
    problem_type: ClassVar[ProblemType | None] = "multi_label_classification"
    loss_settings = frozenset({"threshold"})

    def __init__(self, *, max_length: int = 128, threshold: float = 0.5, fold_labels: bool = False) -> None:
        super().__init__(max_length=max_length)
        if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 < threshold < 1:
            raise ConfigError(
                f"{threshold!r} is no probability to decide by",
                where="task.threshold",
                remedy="Use a number between 0 and 1.",
            )
        self.threshold = float(threshold)
        self.fold_labels = checked_switch(fold_labels, "task.fold_labels")

    def check_columns(self, available: Iterable[str]) -> None:
        """As every task; what may be a column per label is offered as that."""
        found = sorted(set(available))
        others = [name for name in found if name not in self.columns]
        try:
            super().check_columns(found)
        except DataError as error:
            if "text" not in found or len(others) < 2:
                raise
            each = f"'data.columns={{labels: {_written(others)}}}'"
            remedy = f"{error.remedy}; where each label has a column of 0 and 1: {each}"
            raise DataError(error.what, where=error.where, remedy=remedy) from None

    def target_of(self, values: Mapping[str, Any]) -> list[str]:
        return labels_of(values, fold=self.fold_labels)

    def labels_in(self, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        if isinstance(attempt(self.target_of, values), RowError):
            return []
        return [(label_text(label, fold=self.fold_labels), written(label)) for label in values["labels"]]

    def stratum(self, values: Mapping[str, Any]) -> str | None:
        """The row's labels together; what few rows have in common shares its proportion with other such."""
        labels = attempt(self.target_of, values)
        return None if isinstance(labels, RowError) else ", ".join(labels) or "(none)"

    def learn_schema(self, train_rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Labels in a stable order with how often train has each, and how many rows that was counted in."""
        found, pairs, why = self.usable_targets(train_rows)
        counts = Counter(label for labels in found for label in labels)
        if not counts:
            raise DataError(
                f"multi-label classification needs at least 1 label in train, found none in {len(found)} rows",
                remedy=why + "Check the data's `text` and `labels` columns",
            )
        labels = in_label_order(counts)
        return {"labels": labels, "counts": [counts[label] for label in labels], "num_rows": len(found), **pairs}

    def target_encoder(self, schema: Mapping[str, Any]) -> Callable[[list[str]], Sequence[int]]:
        index_of, size = label_indices(schema["labels"]), len(schema["labels"])

        def vector(labels: list[str]) -> list[int]:
            chosen = {index_of(label) for label in labels}
            return [int(index in chosen) for index in range(size)]

        return vector

    def losses(self, model: PreTrainedModel, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean binary cross-entropy of each row [rows], and the logits [rows, labels]."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        logits, labels = head_outputs(model, batch), batch["labels"]
        counts = labels != IGNORED
        targets = labels.clamp(min=0).to(logits.dtype)
        losses = binary_cross_entropy_with_logits(logits, targets, reduction="none") * counts
        return losses.mean(dim=-1), logits.detach()

    def row_scores(
        self, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor], schema: Mapping[str, Any]
    ) -> torch.Tensor | None:
        """For each label 2 if it is right, and 1 more if it is given, [rows, labels]."""
        return 2 * batch["labels"] + (outputs.sigmoid() >= self.threshold).long()

    def resampled_scores(
        self, losses: np.ndarray, units: np.ndarray, scores: np.ndarray, weights: np.ndarray
    ) -> dict[str, np.ndarray]:
        found = super().resampled_scores(losses, units, scores, weights)
        return found | (multi_label_metrics(weights, scores >= 2, scores % 2 == 1) if scores.shape[1] else {})

    def tally(self, schema: Mapping[str, Any]) -> Tally:
        return MultiLabelTally(schema["labels"], self.threshold)

    def prior_scores(self, schema: Mapping[str, Any], labels: Iterable[Sequence[Any]]) -> dict[str, float] | None:
        """Scores of giving every row the shares that train's labels have, (count + 1) / (rows + 2).

        So smoothed that a label which all train rows have leaves room for a row without it.
        """
        shares = [(count + 1) / (schema["num_rows"] + 2) for count in schema["counts"]]
        given = [int(share >= self.threshold) for share in shares]
        loss, num_equal, sums = 0.0, 0, [[0, 0, 0] for _ in shares]
        num_rows = 0
        for vector in labels:
            num_rows += 1
            num_equal += list(vector) == given
            for index, (real, share) in enumerate(zip(vector, shares, strict=True)):
                loss -= math.log(share if real else 1 - share) / len(shares)
                sums[index][0] += real * given[index]
                sums[index][1] += given[index]
                sums[index][2] += real
        return _values(loss, num_equal, num_rows, sums)

    def answers(self, logits: torch.Tensor, schema: Mapping[str, Any]) -> list[dict[str, Any]]:
        """`{"labels": [...], "scores": {label: probability}}` per row, labels in the schema's order."""
        found = []
        for row in logits.sigmoid().tolist():
            scores = dict(zip(schema["labels"], row, strict=True))
            given = [label for label, probability in scores.items() if probability >= self.threshold]
            found.append({"labels": given, "scores": scores})
        return found


class MultiLabelTally(Tally):
    """Sums the loss, hits per label, rows all right, and reliability bins on the device; outputs are logits."""

    def __init__(self, labels: Sequence[str], threshold: float) -> None:
        self._labels = labels
        self._threshold = threshold
        self._loss: torch.Tensor | None = None
        self._rows: torch.Tensor | None = None  # all, and those with exactly the right labels
        self._sums: torch.Tensor | None = None  # [labels, 3]: hits, predictions, rows with the label
        self._bins: torch.Tensor | None = None

    def add(self, losses: torch.Tensor, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> None:
        import torch

        if self._loss is None or self._rows is None or self._sums is None or self._bins is None:
            self._loss = torch.zeros((), dtype=torch.float64, device=losses.device)
            self._rows = torch.zeros(2, dtype=torch.long, device=losses.device)
            self._sums = torch.zeros((len(self._labels), 3), dtype=torch.long, device=losses.device)
            self._bins = new_bins(losses.device)
        counts = batch["labels"] != IGNORED
        real = batch["labels"] == 1
        probability = outputs.detach().sigmoid()
        given = (probability >= self._threshold) & counts
        self._loss += losses.detach().double().sum()
        is_row = counts.any(dim=-1)
        self._rows += torch.stack([is_row.sum(), ((given == real).all(dim=-1) & is_row).sum()])
        self._sums += torch.stack([(given & real).sum(dim=0), given.sum(dim=0), real.sum(dim=0)], dim=-1)
        add_to_bins(self._bins, probability, real, counts)

    def values(self) -> dict[str, float]:
        if self._loss is None or self._rows is None:
            return _values(0.0, 0, 0, self._label_sums())
        num_rows, num_equal = self._rows.tolist()
        return _values(self._loss.item(), num_equal, num_rows, self._label_sums())

    def details(self) -> dict[str, Any]:
        """`report` (see `class_report`; `micro avg` too), and `reliability` over all labels of all rows."""
        bins = self._bins.tolist() if self._bins is not None else [[0.0] * 3] * NUM_BINS
        sums = _columns(self._label_sums())
        report = class_report(self._labels, *sums) | {"micro avg": class_entry(*map(sum, sums))}
        return {"report": report, "reliability": reliability(bins)}

    def _label_sums(self) -> list[list[int]]:
        return self._sums.tolist() if self._sums is not None else [[0, 0, 0] for _ in self._labels]


def labels_of(values: Mapping[str, Any], *, fold: bool = False) -> list[str]:
    """A row's labels, each once, in a stable order. Raises RowError when they are no list of labels."""
    labels = values.get("labels")
    if labels is None:
        raise RowError("'labels' is missing")
    if isinstance(labels, str | Mapping) or not isinstance(labels, Iterable):
        raise RowError(
            f"'labels' is {labels!r}, not a list; write a list of labels in a .jsonl or .parquet file, such as "
            '{"text": "...", "labels": ["a", "b"]}'
        )
    return in_label_order({label_text(label, "labels", fold=fold) for label in labels})


def _written(names: Sequence[str]) -> str:
    """A list as the command line takes it."""
    return "[" + ", ".join(name if name.isidentifier() else repr(name) for name in names) + "]"


def _columns(sums: Sequence[Sequence[int]]) -> tuple[list[int], list[int], list[int]]:
    hits, given, real = zip(*sums, strict=True)
    return list(hits), list(given), list(real)


def _values(loss: float, num_equal: int, num_rows: int, sums: Sequence[Sequence[int]]) -> dict[str, float]:
    """Metrics from sums; NaN of no rows."""
    if num_rows == 0:
        return dict.fromkeys(("loss", "micro_f1", "macro_f1", "subset_accuracy"), math.nan)
    hits, given, real = _columns(sums)
    return {
        "loss": loss / num_rows,
        "micro_f1": class_entry(sum(hits), sum(given), sum(real))["f1-score"],
        "macro_f1": macro_f1(hits, given, real),
        "subset_accuracy": num_equal / num_rows,
    }
