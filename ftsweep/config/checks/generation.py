"""Whether the answers that a branch's task is to generate are there to be had: at rungs that exist, for somebody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftsweep.config.build import build_own
from ftsweep.config.layers import BranchLayer, Layers
from ftsweep.config.schema import STAGES
from ftsweep.domain.space import Space
from ftsweep.errors import ConfigError

_NODE = "task.generation"


def check_generation(layers: Layers, branch: BranchLayer, space: Space, config: Mapping[str, Any]) -> None:
    """Refuse rungs that are none, settings of answers that nobody generates, and a search over how trials are measured.

    Looks at ftsweep's own classes only: a user's may import torch. A worker looks at all of them.
    """
    for path in space.dimensions:
        if path == _NODE or path.startswith(f"{_NODE}."):
            what = "trials whose answers are generated in other ways cannot be compared"
            raise ConfigError(what, where=layers.where(f"space.{path}", branch), remedy=f"Set {path} for all of them.")
    for name, stage in config[STAGES].items():
        task = build_own(stage["task"])
        if hasattr(task, "generation") and task.generation != type(task)().generation:
            where = layers.where(f"{STAGES}.{name}.{_NODE}", branch)
            raise ConfigError("a stage generates no answers", where=where, remedy="Leave it out.")
    task, num_rungs = build_own(config["task"]), config["rungs"]["count"]
    if task is None or not hasattr(task, "generation"):
        return
    answering = task.answering(config["objective"]["metric"])
    if answering is not None:
        _check_rungs(layers, branch, answering.settings, num_rungs)
        return
    defaults = type(task)().generation
    for key, value in vars(task.generation).items():
        if value != getattr(defaults, key):
            half = max(1, num_rungs // 2)
            raise ConfigError(
                "no answers are generated, so this changes nothing",
                where=layers.where(f"{_NODE}.{key}", branch),
                remedy=f"Say at which rungs: {_NODE}.rungs=[{half},{num_rungs}]; or choose by answers: "
                "objective.metric=rouge_l.",
            )


def _check_rungs(layers: Layers, branch: BranchLayer, settings: Any, num_rungs: int) -> None:
    try:
        settings.rungs_of(num_rungs)
    except ConfigError as error:
        raise ConfigError(error.what, where=layers.where(f"{_NODE}.rungs", branch), remedy=error.remedy) from None
