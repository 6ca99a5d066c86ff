"""Whether trials can be told apart by the objective: what it says must not depend on what is searched."""

from __future__ import annotations

from collections.abc import Sequence

from ftsweep.config.layers import BranchLayer, Layers
from ftsweep.domain.objective import Objective
from ftsweep.domain.points import num_values
from ftsweep.domain.space import Branch
from ftsweep.errors import ConfigError


def check_comparable(layers: Layers, objective: Objective, branches: Sequence[Branch]) -> None:
    """Refuse a search over settings of the task, in the space or from branch to branch, that change what the objective
    means: it would find the setting that makes the number look well.
    """
    for name in objective.metrics[objective.metric].depends_on:
        key = f"task.{name}"
        where = _varies_at(layers, key, branches)
        if where is not None:
            others = [other for other, metric in objective.metrics.items() if name not in metric.depends_on]
            choice = f"Choose by another metric (objective.metric={others[0]}), or set" if others else "Set"
            raise ConfigError(
                f"{objective.key} means something else with another {key}: trials that differ in it cannot be compared",
                where=where,
                remedy=f"{choice} one {key} for all trials.",
            )


def _varies_at(layers: Layers, key: str, branches: Sequence[Branch]) -> str | None:
    """Where more than one value of this key is asked for; None where all trials have the same."""
    values = []
    for layer, branch in zip(layers.branches, branches, strict=True):
        for name, dimension in branch.space.dimensions.items():
            if f"{name}.".startswith(f"{key}.") and num_values(dimension) != 1:
                return layers.where(f"space.{name}", layer)
        values.append((layer, branch.config["task"].get(key.partition(".")[2])))
    first: BranchLayer | None = next((layer for layer, value in values if value != values[0][1]), None)
    return None if first is None else layers.where(key, first)
