"""Which class makes a trial's run, and what it is made with: the strategy says."""

from __future__ import annotations

from dataclasses import replace
from pkgutil import resolve_name
from typing import cast

from ftsweep.errors import ConfigError
from ftsweep.strategies.base import Strategy
from ftsweep.strategies.top_layers import transformer_layers
from ftsweep.training.features.cache import cached_features, cached_layers
from ftsweep.training.features.layers_below import look_up_layers
from ftsweep.training.features.table import Features, FeatureSet, feature_evaluator, replace_body
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
    """The run of a trial whose model the strategy has made; what lies below all that trains is looked up in a table."""
    return run_class(given.parts.strategy)(_on_body(given) or _on_layers(given) or given)


def _on_body(given: RunStart) -> RunStart | None:
    """On the features of a frozen body."""
    if not given.parts.strategy.has_frozen_body:
        return None
    features = cached_features(given.model, given.parts, given.evaluator)
    if features is None:
        return None
    replace_body(given.model, features)
    return _addressed(given, features)


def _on_layers(given: RunStart) -> RunStart | None:
    """On what frozen layers say; on a CPU alone, for a GPU would have to be waited for to see what a call is of."""
    parts, trained = given.parts, given.parts.strategy.num_trained_layers
    is_constant = parts.task.is_model_input and parts.replay is None
    if trained is None or not is_constant or given.evaluator.device.type != "cpu":
        return None
    num_layers = len(transformer_layers(given.model)) - trained
    features = cached_layers(given.model, parts, given.evaluator, num_layers) if num_layers > 0 else None
    if features is None:
        return None
    look_up_layers(given.model, parts.prepared, features.rows, num_layers)
    return _addressed(given, features)


def _addressed(given: RunStart, features: Features) -> RunStart:
    return replace(
        given,
        prepared=FeatureSet(given.parts.prepared, features.position),
        evaluator=feature_evaluator(given.evaluator, features),
    )
