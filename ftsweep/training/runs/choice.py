"""Which kind of run a trial is: that depends on its strategy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ftsweep.evaluation.evaluate import Evaluator
from ftsweep.evaluation.forgetting import ForgettingMeter
from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.store.folders import TrialFolder
from ftsweep.strategies.few_shot import FewShot
from ftsweep.strategies.few_shot_tuned import FewShotTuned
from ftsweep.strategies.head_then_full import HeadThenFull
from ftsweep.training.features.cache import cached_features
from ftsweep.training.features.table import FeatureSet, feature_evaluator, replace_body
from ftsweep.training.measuring import Start
from ftsweep.training.runs.base import Run
from ftsweep.training.runs.drawn import DrawnRun
from ftsweep.training.runs.few_shot import FewShotRun
from ftsweep.training.runs.two_phases import TwoPhaseRun
from ftsweep.training.trial import TrialRun

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def begin_run(
    parts: TrialParts,
    *,
    model: PreTrainedModel,
    evaluator: Evaluator,
    folder: TrialFolder,
    start: Start,
    meter: ForgettingMeter | None = None,
) -> Run:
    """The run of a trial whose model the strategy has made. `start` is shared by trials that begin alike."""
    same: dict[str, Any] = {"model": model, "folder": folder, "start": start, "meter": meter}
    if isinstance(parts.strategy, HeadThenFull):
        return TwoPhaseRun(parts, evaluator=evaluator, **same)
    if isinstance(parts.strategy, FewShot):
        return FewShotRun(parts, evaluator=evaluator, **same)
    if parts.strategy.has_frozen_body:
        features = cached_features(model, parts, evaluator)
        if features is not None:
            replace_body(model, features)
            same["prepared"] = FeatureSet(parts.prepared, features.position)
            evaluator = feature_evaluator(evaluator, features)
    run = DrawnRun if isinstance(parts.strategy, FewShotTuned) else TrialRun
    return run(parts, evaluator=evaluator, **same)
