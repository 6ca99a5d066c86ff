"""What a task promises: which columns it reads, how a row becomes tokens, and how predictions are scored.

Torch is imported inside methods: the control process builds tasks too, to check their settings.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol

from ftsweep.domain.component import Component
from ftsweep.domain.metric import Metrics
from ftsweep.models.base import Head

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ftsweep.tasks.answering import Answering

IGNORED = -100
"""The label of a token, or of a row that only fills a batch, that is not supervised (torch's ignore_index)."""


class Example(NamedTuple):
    """One encoded example: token ids, and labels as the task's `label_shape` and `label_type` say."""

    input_ids: Sequence[int]
    labels: Sequence[int] | Sequence[float]
    was_cut: bool = False  # max_length cut its input
    was_target_cut: bool = False  # max_length cut what it should learn
    unsaid: tuple[str, ...] = ()  # what of the row is not in it, or not as it was, in clauses
    num_bytes: int = 0  # of the text (UTF-8) that its learned tokens stand for, where the task `counts_bytes`


LabelShape = Literal["example", "token", "vector"]
"""One label per example ([rows]), one per token ([rows, length], IGNORED where nothing is learned), or a vector of one
length per example ([rows, n])."""

LabelType = Literal["int", "float"]
TARGET_COLUMNS = frozenset({"label", "labels", "tags", "completion", "output"})
"""What tasks call what is to be answered."""

ProblemType = Literal["single_label_classification", "multi_label_classification", "regression"]


class Redraw(Protocol):
    """Another draw of an encoded example."""

    def __call__(
        self, input_ids: np.ndarray, labels: np.ndarray, generator: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Input ids and labels, new arrays of the same shapes; what is drawn depends on the generator alone."""


class RowError(ValueError):
    """This row cannot become an example; the message says why. Whoever knows the row adds where it is."""


class Task(Component, ABC):
    """One kind of supervised problem. The constructor's keyword-only arguments are the schema of the `task` node."""

    component_kind = "task"

    head: ClassVar[Head]
    columns: ClassVar[tuple[str, ...]]
    """Columns the task can use; which are needed `check_columns` says."""
    metrics: ClassVar[Metrics]
    """Every metric that `tally` makes, the best known first, and those of generated answers. `loss` is among them."""
    label_shape: ClassVar[LabelShape]
    label_type: ClassVar[LabelType] = "int"
    has_new_head: ClassVar[bool] = False
    """Whether the base has no trained head for this task, so that its baseline is a prior and not a forward pass."""

    problem_type: ClassVar[ProblemType | None] = None
    """What transformers calls this problem, for tools that load an exported model; None leaves the base's own."""

    loss_settings: ClassVar[frozenset[str]] = frozenset()
    """Settings that change what training minimises, or how answers are made, but not how rows are encoded: trials that
    differ in them alone share one prepared set."""

    takes_text: ClassVar[bool] = False
    """Whether plain text can be mixed into what it trains on (`training.replay`): documents as `Text` encodes them,
    one to an example, are examples of this task too."""

    mixes_rows: ClassVar[bool] = False
    """Whether an example may hold other rows than the one at which it comes out, as packed text does."""

    is_model_input: ClassVar[bool] = False
    """Whether an example's token ids are given to the model as they are, the same each time, and nothing else is made
    of them: then what frozen layers say of them may be kept."""

    counts_bytes: ClassVar[bool] = False
    """Whether its examples say of how many bytes of text they are: batches that are measured have them, `num_bytes`
    (int64 [rows])."""

    num_sequences: ClassVar[int] = 1
    """How many sequences of up to `max_length` tokens an example holds, one behind the other."""

    max_length: int

    @property
    def added_metrics(self) -> Metrics:
        """Metrics beside `metrics` that a setting brings: those of a judge of answers."""
        return {}

    @property
    def needs_reference(self) -> bool:
        """Whether `losses` compares with the model that training starts from: then what `reference` says of each
        example stands behind its labels."""
        return False

    def reference(self, model: PreTrainedModel, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """What the model that training starts from says of each row, float32 [rows, n]: n more labels of the row.

        Computed once for a prepared set and a base, so it must not depend on `loss_settings`.
        """
        raise NotImplementedError(f"{type(self).__name__} needs no reference")

    def redraw(self, tokenizer: PreTrainedTokenizerBase) -> Redraw | None:
        """How a training example is drawn anew each time it is seen (the words that are masked); None: it stays as it
        was encoded, which is how every split is measured."""
        return None

    @abstractmethod
    def check_columns(self, available: Iterable[str]) -> None:
        """Raise DataError when the columns do not suffice, naming those needed and those found."""

    @abstractmethod
    def input_text(self, values: Mapping[str, Any]) -> str:
        """The canonical input of a row: what duplicates and leaks are judged by.

        Raises:
            RowError: the row is not of the task's form; it is left out as unusable, with this reason.
        """

    @abstractmethod
    def target_text(self, values: Mapping[str, Any]) -> str:
        """The canonical target of a row; "" when the input is all there is (plain text). Raises as `input_text`."""

    @property
    def question_columns(self) -> tuple[str, ...]:
        """The columns that `predict` reads."""
        return tuple(name for name in self.columns if name not in TARGET_COLUMNS)

    def without_target(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The row as a question: without what should be answered. What `predict` takes."""
        question = {name: value for name, value in values.items() if name in self.columns and value is not None}
        return {name: value for name, value in question.items() if name != "label"}

    def read_as(self, values: Mapping[str, Any]) -> str:
        """The shape that a row's columns were found to have, for people; "" where there is only one."""
        return ""

    def row_problem(self, values: Mapping[str, Any]) -> str | None:
        """What is wrong with a row that can be used all the same (tags that break their own rule); None for nothing."""
        return None

    def labels_in(self, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The labels of a row, each with how the data writes it; [] for a task without labels, or a row without."""
        return []

    def stratum(self, values: Mapping[str, Any]) -> str | None:
        """What a split made by ftsweep keeps in proportion (the label); None for nothing."""
        return None

    @abstractmethod
    def learn_schema(self, train_rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """What must be known before encoding, as JSON (`{"labels": [...], "counts": [...]}`), from train rows only."""

    def check_schema(self, schema: Mapping[str, Any]) -> None:
        """Raise ConfigError when a setting does not fit what train has (a weight for a label that it lacks)."""

    @abstractmethod
    def encode(
        self, rows: Iterable[Mapping[str, Any]], tokenizer: PreTrainedTokenizerBase, schema: Mapping[str, Any]
    ) -> Iterator[Example | RowError | None]:
        """One result per row, in order: an example, or a RowError for a row that cannot be used.

        A task that packs several rows into one example yields None for a row that an earlier or later example
        carries; after the last row it may yield further examples.
        """

    def check_model(self, model: PreTrainedModel) -> None:
        """Raise ModelError when this model cannot do the task as its settings have it; a few short inputs at most."""

    def row_units(self, labels: torch.Tensor) -> torch.Tensor:
        """How many units (examples or tokens) the loss of each row is summed over. Shape [rows], int64."""
        if self.label_shape == "token":
            return (labels != IGNORED).sum(dim=1)
        first = labels if labels.ndim == 1 else labels[:, 0]
        return (first != IGNORED).long()

    def batch_extras(self, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Tensors to add to a batch while `labels` are still on the host.

        Whoever collates a batch adds them before it moves to the device; `losses` works without them, but must then
        wait for the device to learn their shapes.
        """
        return {}

    @abstractmethod
    def losses(self, model: PreTrainedModel, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Forward pass: each row's loss summed over its units (shape [rows], float32), and what `tally` scores.

        This is what is measured: the plain negative log-likelihood (or squared error), whatever training minimises.
        `batch` has input_ids, attention_mask [rows, length] and labels (see `label_shape`), and may have what
        `batch_extras` made of the labels.
        """

    def training_losses(
        self, model: PreTrainedModel, batch: Mapping[str, torch.Tensor], schema: Mapping[str, Any]
    ) -> torch.Tensor:
        """What training minimises, per row as in `losses`: the same, unless the task weighs or smooths its labels."""
        return self.losses(model, batch)[0]

    def row_scores(
        self, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor], schema: Mapping[str, Any]
    ) -> torch.Tensor | None:
        """Per row the few numbers that metrics beside the loss can be computed from again, shape [rows, n].

        Kept on disk at every rung, so that metrics of resampled rows can be had without the model. None when the
        outputs do not tell.
        """
        return None

    def resampled_scores(
        self, losses: np.ndarray, units: np.ndarray, scores: np.ndarray, weights: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Metrics of rows that count as often as `weights` [resamples, rows] say, each of shape [resamples].

        losses [rows], units [rows] and scores [rows, n] are those of `losses`, `row_units` and `row_scores`. By default
        the loss alone (and its perplexity, where the task has that metric).
        """
        import numpy as np

        loss = (weights @ losses.astype(np.float64)) / np.maximum(weights @ units.astype(np.float64), 1.0)
        found = {"loss": loss}
        if "perplexity" in self.metrics:
            found["perplexity"] = np.exp(np.minimum(loss, 700.0))
        return found

    @abstractmethod
    def tally(self, schema: Mapping[str, Any]) -> Tally:
        """A fresh accumulator for one split."""

    @abstractmethod
    def prior_scores(self, schema: Mapping[str, Any], labels: Iterable[Sequence[Any]]) -> dict[str, float] | None:
        """Metrics of the training split's prior on these labels (the baseline of a new head); None without one."""

    def answer_ends(self, tokenizer: PreTrainedTokenizerBase) -> list[int]:
        """The tokens at which answers that the model writes end; [] of a task that teaches it none."""
        return []

    def answering(self, metric: str) -> Answering | None:
        """How answers that are text are generated and scored in a study whose objective is `metric`; None: they are
        not. What they score stands before `row_scores`, a column for each of the task's metrics of answers."""
        return None

    @abstractmethod
    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        schema: Mapping[str, Any],
        rows: Sequence[Mapping[str, Any]],
        batch_size: int,
    ) -> list[dict[str, Any]]:
        """One JSON-able answer per row (`{"label": ..., "probability": ...}`, `{"completion": ...}`)."""


class Tally(ABC):
    """Adds up a split's scores batch by batch, on the device, without keeping logits."""

    @abstractmethod
    def add(self, losses: torch.Tensor, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> None:
        """One batch's losses [rows] and outputs, as `Task.losses` gave them."""

    @abstractmethod
    def values(self) -> dict[str, float]:
        """Metric name to value; the only place that waits for the device."""

    def details(self) -> dict[str, Any]:
        """What the scores are made of (a confusion matrix, scores per class), as JSON; {} where there is no more."""
        return {}
