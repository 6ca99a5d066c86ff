"""What every run of a trial promises: the engine drives it without knowing how the strategy trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.store.folders import TrialFolder
from ftsweep.training.checkpoint import Weights

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Run(Protocol):
    """One trial, advanced step by step from what its folder holds of it.

    After `step` either `is_waiting` (a rung was measured: answer with `resume`), `outcome` is set (the trial is over),
    or there is more to do. Every run is made from `parts`, and by keyword `model` (the strategy made it), `evaluator`,
    `folder`, `start` (shared by the trials that begin alike) and `meter` (of forgetting, or None).
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
        """`step_seconds`, `measure_seconds`, `num_steps` and `trial_seconds` of the whole run without pruning.

        Takes a few steps; writes nothing, and the run is of no use afterwards.
        """
