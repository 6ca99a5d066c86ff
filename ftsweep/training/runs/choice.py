"""What the engine drives: a trial under way. Which kind of run a trial is its strategy says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

from ftsweep.data.prepared import PreparedSet
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.errors import ConfigError
from ftsweep.evaluation.evaluate import Evaluator, SplitScores
from ftsweep.evaluation.forgetting import ForgettingMeter
from ftsweep.evaluation.parts import Parts
from ftsweep.store.folders import TrialFolder
from ftsweep.strategies.base import Strategy
from ftsweep.training.checkpoint import Weights
from ftsweep.training.features.cache import cached_features
from ftsweep.training.features.table import FeatureSet, feature_evaluator, replace_body
from ftsweep.training.trial import Start

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class RunStart:
    """What a run is begun with."""

    parts: Parts
    prepared: PreparedSet
    """That of `parts`, or its features where the strategy's body is frozen."""
    model: PreTrainedModel
    """What the strategy made to train, with new weights drawn."""
    evaluator: Evaluator
    folder: TrialFolder
    config: Mapping[str, Any]
    start: Start
    """What was measured before training, shared by trials that begin alike."""
    meter: ForgettingMeter | None = None


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

    @classmethod
    def begin(cls, given: RunStart) -> Self:
        """The run of a trial, from its folder's checkpoint if there is one."""

    @staticmethod
    def score_kept(parts: Parts, model: PreTrainedModel, evaluator: Evaluator, folder: Path, split: str) -> SplitScores:
        """What the weights in `folder` score on a split, measured as the trial was; `model` has been restored."""


def run_class(strategy: Strategy) -> type[Run]:
    """The class that makes the runs of this strategy's trials.

    Raises:
        ConfigError: there is none of the name that the strategy gives.
    """
    try:
        found = resolve_name(strategy.run)
    except (ImportError, AttributeError, ValueError) as error:
        what = f"{type(strategy).__qualname__}.run names {strategy.run!r}, which cannot be loaded: {error}"
        raise ConfigError(what, where="strategy", remedy="Write it as module:Class.") from error
    return cast(type[Run], found)


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
    prepared = parts.prepared
    if parts.strategy.has_frozen_body:
        features = cached_features(model, parts, evaluator)
        if features is not None:
            replace_body(model, features)
            prepared, evaluator = FeatureSet(prepared, features.position), feature_evaluator(evaluator, features)
    return run_class(parts.strategy).begin(RunStart(parts, prepared, model, evaluator, folder, config, start, meter))
