"""Which class makes a trial's run, and what it is made with: the strategy says."""

from __future__ import annotations

from dataclasses import replace
from pkgutil import resolve_name
from typing import cast

from ftsweep.errors import ConfigError
from ftsweep.strategies.base import Strategy
from ftsweep.training.features.cache import cached_features
from ftsweep.training.features.table import FeatureSet, feature_evaluator, replace_body
from ftsweep.training.runs.base import Run, RunStart


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


def begin_run(given: RunStart) -> Run:
    """The run of a trial whose model the strategy has made; on features where nothing of the body trains."""
    if given.parts.strategy.has_frozen_body:
        features = cached_features(given.model, given.parts, given.evaluator)
        if features is not None:
            replace_body(given.model, features)
            prepared = FeatureSet(given.parts.prepared, features.position)
            given = replace(given, prepared=prepared, evaluator=feature_evaluator(given.evaluator, features))
    return run_class(given.parts.strategy)(given)
