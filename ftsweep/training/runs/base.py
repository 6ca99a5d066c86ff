"""What every run of a trial promises: the engine drives it without knowing how the strategy trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ftsweep.data.prepared import PreparedSet
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.sample import Sample
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.evaluation.answers import AnswerMeter
from ftsweep.evaluation.evaluate import Evaluator, SplitScores
from ftsweep.evaluation.forgetting import ForgettingMeter
from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.store.folders import TrialFolder
from ftsweep.training.checkpoint import Weights
from ftsweep.training.measuring import Start

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class RunStart:
    """What a run is made with."""

    parts: TrialParts
    prepared: PreparedSet
    """That of `parts`, or its features where the strategy's body is frozen."""
    model: PreTrainedModel
    """What the strategy made to train, with new weights drawn."""
    evaluator: Evaluator
    folder: TrialFolder
    start: Start
    """What was measured before training, shared by trials that begin alike."""
    meter: ForgettingMeter | None = None
    answers: AnswerMeter | None = None
    """Of a trial whose answers are generated and scored."""


class Run(Protocol):
    """One trial, advanced step by step from what its folder holds of it.

    A strategy names the class that makes its runs: `run = "module:Class"`.

    After `step` either `is_waiting` (a rung was measured: answer with `resume`), `outcome` is set (the trial is over),
    or there is more to do.
    """

    model: PreTrainedModel
    folder: TrialFolder
    best_weights: Weights | None
    """The trained weights of the best rung, put back before the strategy saves; None leaves the model as it is."""
    outcome: Outcome | None
    is_waiting: bool
    train_seconds: float
    """Time that went into training; the engine adds that of the trial's stages before the first step."""
    rung: int
    """The last one measured; -1 before the first measurement."""

    def __init__(self, given: RunStart) -> None:
        """Go on from the folder's checkpoint if there is one."""

    @property
    def num_steps(self) -> int:
        """Steps taken so far: what the worker's heartbeat counts."""

    def step(self) -> Measurement | None:
        """Take one small step; a new measurement when a rung was reached."""

    def resume(self) -> None:
        """Go on after a measurement."""

    def stop(self, kind: OutcomeKind, reason: str) -> None:
        """End the trial now."""

    def write_checkpoint(self) -> None:
        """Write all state, so that a new process continues to the same result."""

    def time_steps(self, *, num_steps: int) -> dict[str, float]:
        """`step_seconds`, `measure_seconds`, `num_steps` and `trial_seconds` of the whole run without pruning; where
        answers are generated `answer_seconds`, of one rung with them.

        Takes a few steps; writes nothing, and the run is of no use afterwards.
        """

    def step_seconds(self, *, num_steps: int) -> float:
        """Seconds of a step, the first of all not counted. Writes nothing, and the run is of no use afterwards."""

    @staticmethod
    def score_kept(
        parts: TrialParts,
        model: PreTrainedModel,
        evaluator: Evaluator,
        folder: Path,
        split: str,
        answers: AnswerMeter | None = None,
    ) -> tuple[SplitScores, Sequence[Sample]]:
        """What the weights in `folder` score on a split, measured as the trial was, and what they answered where
        `answers` asks; `model` has been restored.
        """
