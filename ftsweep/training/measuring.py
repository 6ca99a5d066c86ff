"""What a rung measures: the validation split, rows of train, general text where forgetting is guarded, and at
some rungs generated answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ftsweep.data.prepared import PreparedSet
from ftsweep.domain.sample import Sample
from ftsweep.evaluation.answers import AnswerMeter
from ftsweep.evaluation.evaluate import Evaluator, train_probe
from ftsweep.evaluation.forgetting import ForgettingMeter
from ftsweep.store.row_scores import RungLosses
from ftsweep.strategies.base import Strategy

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class RungScores:
    """Metrics by `<split>/<metric>`, and every row's loss."""

    values: dict[str, float]
    losses: RungLosses
    samples: Sequence[Sample] = field(default=())
    """What was answered; nothing at most rungs."""


@dataclass
class Start:
    """What is measured before training: shared by the trials of a worker that begin alike, filled by the first one."""

    scores: RungScores | None = None


class RungScorer:
    """Measures one trial's model, as it is at a rung."""

    def __init__(
        self,
        model: PreTrainedModel,
        prepared: PreparedSet,
        evaluator: Evaluator,
        strategy: Strategy,
        *,
        seed: int,
        train_rows: int | None = None,
        start: Start | None = None,
        meter: ForgettingMeter | None = None,
        answers: AnswerMeter | None = None,
    ) -> None:
        """`seed` chooses the rows of train, `train_rows` of them; None: as many as validation has."""
        self._model = model
        self._evaluator = evaluator
        self._strategy = strategy
        self._start = Start() if start is None else start
        self._meter = meter
        self._answers = answers
        self._train, self._validation = prepared.split("train"), prepared.split("validation")
        self.probe = train_probe(len(self._train), train_rows or len(self._validation), seed)

    def now(self, rung: int = 0) -> RungScores:
        """On the whole validation split, on the train probe, and on general text; with answers at their rungs."""
        with self._strategy.measuring(self._model, self._evaluator.autocast_dtype):
            return self._now(rung)

    def _now(self, rung: int) -> RungScores:
        validation = self._evaluator.score(self._model, self._validation)
        samples: Sequence[Sample] = ()
        if self._answers is not None and rung in self._answers.rungs:
            answers = self._answers.at_rung(self._model)
            validation, samples = answers.added_to(validation), answers.samples
        train = self._evaluator.score(self._model, self._train, self.probe)
        values = {
            **{f"validation/{name}": value for name, value in validation.values.items()},
            **{f"train/{name}": value for name, value in train.values.items()},
            **({} if self._meter is None else self._meter.values(self._model)),
        }
        (rows,) = validation.evidence
        losses = RungLosses(rows.losses, train.losses, rows.units, rows.scores, rows.clusters)
        return RungScores(values, losses, samples)

    def before_training(self) -> RungScores:
        """As `now`, measured by the first of the trials that begin alike."""
        if self._start.scores is None:
            self._start.scores = self.now()
        return self._start.scores

    def constraints(self, values: Mapping[str, float]) -> dict[str, float]:
        """How far measured values are above the limits; {} without any."""
        return {} if self._meter is None else self._meter.constraints(values)
