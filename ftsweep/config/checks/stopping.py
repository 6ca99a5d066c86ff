"""Settings that end a study early, refused where they could never do anything or would end it at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftsweep.config.layers import Layers
from ftsweep.domain.objective import Objective
from ftsweep.errors import ConfigError


def check_stops(layers: Layers, study: Mapping[str, Any], num_trials: int, objective: Objective) -> None:
    """Refuse a target that cannot be reached and patience that cannot run out.

    Raises:
        ConfigError: naming the key.
    """
    target, patience = study.get("target"), study.get("patience")
    where, what, remedy = "study.target", "", "Name a value that a good model reaches, or leave it out."
    why = objective.metrics[objective.metric].cannot_reach(target) if target is not None else ""
    if why:
        what = f"{objective.key} {why}: a target of {target:g} is never reached"
    elif patience is not None and patience >= num_trials:
        where, remedy = "study.patience", "Name a smaller number, or raise budget.trials."
        what = f"of {num_trials} trials, {patience} in a row that are no better than an earlier one cannot be"
    elif patience is None and study.get("min_delta"):
        where, remedy = "study.min_delta", "Set study.patience too."
        what = "min_delta says what counts as better for study.patience, which is not set"
    if what:
        raise ConfigError(what, where=layers.where(where), remedy=remedy)
