"""One label for a text: the head is new, the loss is cross-entropy; weights and smoothing change training alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ftsweep.domain.metric import LOSS, Metric, Metrics, dependent, right_answers
from ftsweep.errors import ConfigError, DataError, suggest
from ftsweep.tasks.base import IGNORED, LabelShape, ProblemType, RowError, Tally
from ftsweep.tasks.encoding.labels import checked_switch, in_label_order, label_indices, label_text, written
from ftsweep.tasks.encoding.tokens import attempt
from ftsweep.tasks.scores.class_scores import NUM_BINS, ClassTally, class_values
from ftsweep.tasks.scores.resampled import class_metrics
from ftsweep.tasks.sequence import SequenceTask, head_outputs

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedModel


class Classification(SequenceTask):
    """Single-label classification of a text, or of a pair of texts.

    Columns `text`, `text_pair` (optional) and `label` (text, whole numbers or booleans).

    Args:
        max_length: tokens of an input; a longer one is cut at the end.
        class_weights: what a train row's loss is multiplied with: `none`; `balanced`, n / (labels * rows of its label);
            or a number per label, 1 for labels that are not named. Numbers are scaled to a mean of 1 over train.
        label_smoothing: the share of probability that training spreads over all labels alike.
        fold_labels: whether labels that differ in case, spaces or the form of their characters are one.

    Weights and smoothing change `training_losses` alone: what is measured stays the plain cross-entropy, so that trials
    with different ones can be compared.
    """

    phrase = "classification"
    target = "label"
    columns = ("text", "text_pair", "label")
    metrics: ClassVar[Metrics] = dependent(
        {
            "macro_f1": right_answers(is_readable=True, compares_parts=False),
            "accuracy": right_answers(is_readable=True),
            "loss": LOSS,
            "calibration_error": Metric("minimize", 0, 1, compares_parts=False),
        },
        "fold_labels",
    )
    label_shape: ClassVar[LabelShape] = "example"
    problem_type: ClassVar[ProblemType | None] = "single_label_classification"
    loss_settings = frozenset({"class_weights", "label_smoothing"})

    def __init__(
        self,
        *,
        max_length: int = 128,
        class_weights: Literal["none", "balanced"] | dict[str, float] = "none",
        label_smoothing: float = 0.0,
        fold_labels: bool = False,
    ) -> None:
        super().__init__(max_length=max_length)
        self.fold_labels = checked_switch(fold_labels, "task.fold_labels")
        self.class_weights = _checked_weights(class_weights, fold=self.fold_labels)
        self.label_smoothing = _checked_smoothing(label_smoothing)
        self._placed_weights: tuple[Any, torch.Tensor] | None = None

    def target_of(self, values: Mapping[str, Any]) -> str:
        return label_text(values.get("label"), fold=self.fold_labels)

    def labels_in(self, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        label = attempt(self.target_of, values)
        return [] if isinstance(label, RowError) else [(label, written(values["label"]))]

    def stratum(self, values: Mapping[str, Any]) -> str | None:
        label = attempt(self.target_of, values)
        return None if isinstance(label, RowError) else label

    def learn_schema(self, train_rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Labels in a stable order (numbers by value, else by text) with how often train has each.

        Rows that cannot become an example do not count. Raises DataError for fewer than two labels.
        """
        found, pairs, why = self.usable_targets(train_rows)
        counts = Counter(found)
        if len(counts) < 2:
            raise DataError(
                f"classification needs at least 2 different labels in train, found {len(counts)}"
                + (f" ({next(iter(counts))!r})" if counts else ""),
                remedy=why + "Check the data's `text` and `label` columns",
            )
        labels = in_label_order(counts)
        return {"labels": labels, "counts": [counts[label] for label in labels], **pairs}

    def check_schema(self, schema: Mapping[str, Any]) -> None:
        """Refuse weights for labels that train does not have."""
        for label in self.class_weights if isinstance(self.class_weights, dict) else ():
            if label not in schema["labels"]:
                raise ConfigError(
                    f"train has no label {label!r} to give a weight to",
                    where="task.class_weights",
                    remedy=suggest(label, schema["labels"]),
                )

    def target_encoder(self, schema: Mapping[str, Any]) -> Callable[[str], Sequence[int]]:
        index_of = label_indices(schema["labels"])
        return lambda label: [index_of(label)]

    def losses(self, model: PreTrainedModel, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """The cross-entropy of each row [rows], and the logits [rows, labels]."""
        from torch.nn.functional import cross_entropy

        logits = head_outputs(model, batch)
        return cross_entropy(logits, batch["labels"], ignore_index=IGNORED, reduction="none"), logits.detach()

    def training_losses(
        self, model: PreTrainedModel, batch: Mapping[str, torch.Tensor], schema: Mapping[str, Any]
    ) -> torch.Tensor:
        """Cross-entropy against smoothed labels, times the weight of the row's label.

        torch's own `weight` would weigh the smoothed part by every label's weight instead of the row's.
        """
        from torch.nn.functional import cross_entropy

        if self.class_weights == "none" and self.label_smoothing == 0:
            return self.losses(model, batch)[0]
        logits, labels = head_outputs(model, batch), batch["labels"]
        losses = cross_entropy(
            logits, labels, ignore_index=IGNORED, label_smoothing=self.label_smoothing, reduction="none"
        )
        return (
            losses
            if self.class_weights == "none"
            else losses * self._weights_on(losses.device, schema)[labels.clamp(min=0)]
        )

    def weights(self, schema: Mapping[str, Any]) -> list[float]:
        """The weight of each label; over the rows of train their mean is 1."""
        counts = schema["counts"]
        if self.class_weights == "balanced":
            return [sum(counts) / (len(counts) * count) for count in counts]
        given = self.class_weights if isinstance(self.class_weights, dict) else {}
        relative = [given.get(label, 1.0) for label in schema["labels"]]
        mean = sum(weight * count for weight, count in zip(relative, counts, strict=True)) / sum(counts)
        return [weight / mean for weight in relative]

    def _weights_on(self, device: torch.device, schema: Mapping[str, Any]) -> torch.Tensor:
        """The weights as a tensor, made once: a copy to the device in every step would make the host wait."""
        import torch

        key = (device, tuple(schema["labels"]), tuple(schema["counts"]))
        if self._placed_weights is None or self._placed_weights[0] != key:
            self._placed_weights = key, torch.tensor(self.weights(schema), device=device)
        return self._placed_weights[1]

    def row_scores(
        self, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor], schema: Mapping[str, Any]
    ) -> torch.Tensor | None:
        """Label, prediction and its probability, and how many labels there are, [rows, 4]."""
        import torch

        probabilities, predictions = outputs.softmax(dim=-1).max(dim=-1)
        size = torch.full_like(probabilities, outputs.shape[-1])
        return torch.stack([batch["labels"].float(), predictions.float(), probabilities, size], dim=-1)

    def resampled_scores(
        self, losses: np.ndarray, units: np.ndarray, scores: np.ndarray, weights: np.ndarray
    ) -> dict[str, np.ndarray]:
        found = super().resampled_scores(losses, units, scores, weights)
        if scores.shape[1] == 4:
            labels, predictions, probabilities, size = scores.T
            sizes = (int(size[0]), NUM_BINS)
            found |= class_metrics(weights, labels, predictions, probabilities, sizes=sizes)
        return found

    def tally(self, schema: Mapping[str, Any]) -> Tally:
        return ClassTally(schema["labels"])

    def prior_scores(self, schema: Mapping[str, Any], labels: Iterable[Sequence[Any]]) -> dict[str, float] | None:
        """Cross-entropy of the train split's label shares, and the scores of always naming its commonest label."""
        counts = schema["counts"]
        total, majority = sum(counts), counts.index(max(counts))
        confusion = [[0] * len(counts) for _ in counts]
        loss = 0.0
        for (label,) in labels:
            loss -= math.log(counts[label] / total)
            confusion[label][majority] += 1
        num_rows, num_right = sum(row[majority] for row in confusion), confusion[majority][majority]
        only_bin = [num_rows, num_rows * counts[majority] / total, num_right]
        return class_values(loss, confusion, [only_bin, *[[0.0] * 3] * (NUM_BINS - 1)])

    def answers(self, logits: torch.Tensor, schema: Mapping[str, Any]) -> list[dict[str, Any]]:
        """`{"label", "probability", "scores": {label: probability}}` per row."""
        found = []
        for row in logits.softmax(dim=-1).tolist():
            scores = dict(zip(schema["labels"], row, strict=True))
            label = max(scores, key=scores.__getitem__)
            found.append({"label": label, "probability": scores[label], "scores": scores})
        return found


def _checked_weights(weights: str | Mapping[Any, float], *, fold: bool) -> str | dict[str, float]:
    if isinstance(weights, str):
        if weights in ("none", "balanced"):
            return weights
    elif isinstance(weights, Mapping) and weights and all(map(_is_weight, weights.values())):
        return {label_text(label, fold=fold): float(weight) for label, weight in weights.items()}
    raise ConfigError(
        f"{weights!r} are no class weights",
        where="task.class_weights",
        remedy="Use none, balanced, or a number above 0 for each label: {anger: 1, joy: 2.5}.",
    )


def _is_weight(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _checked_smoothing(share: float) -> float:
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
        raise ConfigError(
            f"{share!r} is no share of probability",
            where="task.label_smoothing",
            remedy="Use a number from 0 to below 1, such as 0.1.",
        )
    return float(share)
