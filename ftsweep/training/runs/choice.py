"""What the engine drives: a trial under way. Which kind of run a trial is depends on its strategy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.evaluation.evaluate import Evaluator
from ftsweep.evaluation.forgetting import ForgettingMeter
from ftsweep.evaluation.parts import Parts
from ftsweep.store.folders import TrialFolder
from ftsweep.strategies.few_shot import FewShot
from ftsweep.strategies.few_shot_tuned import FewShotTuned
from ftsweep.strategies.head_then_full import HeadThenFull
from ftsweep.training.checkpoint import Weights
from ftsweep.training.features.cache import cached_features
from ftsweep.training.features.table import FeatureSet, feature_evaluator, replace_body
from ftsweep.training.runs.drawn import DrawnRun
from ftsweep.training.runs.few_shot import FewShotRun
from ftsweep.training.runs.two_phases import TwoPhaseRun
from ftsweep.training.trial import Start, TrialRun

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Run(Protocol):
    """One trial, advanced step by step from what its folder holds of it.

    After `step` either `is_waiting` (a rung was measured: answer with `resume`), `outcome` is set (the trial is over),
    or there is more to do.
    """

    model: PreTrainedModel
    folder: TrialFolder
    best_weights: Weights | None
    """The trained weights of the best rung, put back before the strategy saves; None leaves the model as it is."""
    outcome: Outcome | None
    is_waiting: bool
    num_steps: int
    train_seconds: float
    rung: int
    """The last one measured; -1 before the first measurement."""

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


def begin_run(
    parts: Parts,
    *,
    model: PreTrainedModel,
    evaluator: Evaluator,
    folder: TrialFolder,
    config: Mapping[str, Any],
    start: Start,
    meter: ForgettingMeter | None = None,
) -> Run:
    """The run of a trial whose model the strategy has made. `start` is shared by trials that begin alike."""
    same: dict[str, Any] = {
        "model": model,
        "evaluator": evaluator,
        "folder": folder,
        "config": config,
        "meter": meter,
    }
    if isinstance(parts.strategy, HeadThenFull):
        return TwoPhaseRun(parts, parts.strategy, **same, start=start)
    if isinstance(parts.strategy, FewShot):
        return FewShotRun(parts, parts.strategy, **same)
    prepared = parts.prepared
    if parts.strategy.has_frozen_body:
        features = cached_features(model, parts, evaluator)
        if features is not None:
            replace_body(model, features)
            prepared, evaluator = FeatureSet(prepared, features.position), feature_evaluator(evaluator, features)
    if isinstance(parts.strategy, FewShotTuned):
        return DrawnRun(parts, parts.strategy, prepared, **{**same, "evaluator": evaluator})
    return TrialRun(
        **{**same, "evaluator": evaluator},
        task=parts.task,
        strategy=parts.strategy,
        prepared=prepared,
        start=start,
        replay=parts.replay,
    )
