"""A branch's stages with every default filled in, and what a stage cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftsweep.config.build import build_own
from ftsweep.config.checks.strategy import check_strategy
from ftsweep.config.layers import BranchLayer, Layers
from ftsweep.config.nodes import core as settings
from ftsweep.config.nodes.space import extremes
from ftsweep.config.schema import GENERAL, STAGE_GROUPS, STAGES
from ftsweep.domain.space import Space
from ftsweep.errors import ConfigError, suggest


def branch_stages(
    layers: Layers, branch: BranchLayer, space: Space, nodes: Mapping[tuple[str, str], Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The branch's stages as its trials carry them: complete component nodes and `training`."""
    stages = branch.tree[STAGES]
    for path in space.dimensions:
        root, _, rest = path.partition(".")
        name = rest.partition(".")[0]
        if root == STAGES and name not in stages:
            known = (
                suggest(name, stages)
                if stages
                else f"What not every branch has belongs into it: branches.NAME.space.{path}."
            )
            raise ConfigError(f"there is no stage {name!r}", where=layers.where(f"space.{path}", branch), remedy=known)
    return {
        name: {
            **{group: dict(nodes[branch.name, f"{STAGES}.{name}.{group}"]) for group in STAGE_GROUPS},
            "training": settings.training_node(layers, branch, space, stage=name),
        }
        for name in stages
    }


def check_stages(layers: Layers, branch: BranchLayer, space: Space, config: Mapping[str, Any]) -> None:
    """Refuse strategies that a stage cannot have, or that cannot follow one, and replay where nothing can be mixed in.

    Of ftsweep's own classes; a worker looks at all of them.
    """
    for name, stage in config[STAGES].items():
        place = f"{STAGES}.{name}"
        check_strategy(layers, branch, space, stage, f"{place}.")
        _check_replay(layers, branch, space, place, stage, config[GENERAL])
        strategy = build_own(stage["strategy"])
        if strategy is not None and not (makes_whole_model(strategy) and strategy.moves_weights):
            what = "this strategy leaves no changed whole model for a trial to start from"
            where = layers.where(f"{place}.strategy", branch)
            raise ConfigError(what, where=where, remedy="Choose full or lora for the stage.")
    _check_replay(layers, branch, space, "", config, config[GENERAL])
    strategy = build_own(config["strategy"]) if config[STAGES] else None
    if strategy is not None and not makes_whole_model(strategy):
        what = "a model of this strategy cannot be exported when a stage came before"
        remedy = "Choose lora or full, or leave the stages out."
        raise ConfigError(what, where=layers.where("strategy", branch), remedy=remedy)


def makes_whole_model(strategy: Any) -> bool:
    """Whether a model that this strategy trained can be kept as a whole transformers model."""
    return bool(strategy.exports_whole or (strategy.merges and strategy.quantisation is None))


def _check_replay(
    layers: Layers, branch: BranchLayer, space: Space, place: str, nodes: Mapping[str, Any], general: Any
) -> None:
    key = f"{place}.training.replay".lstrip(".")
    dimension = space.dimensions.get(key)
    values = extremes(dimension) if dimension is not None else [nodes["training"]["replay"]]
    if not any(values):
        return
    where = layers.where(f"space.{key}" if dimension is not None else key, branch)
    task = build_own(nodes["task"])
    if task is not None and not task.takes_text:
        remedy = f"Set {key}=0; text, masked_text and instruction can replay."
        raise ConfigError("general text cannot be mixed into this task", where=where, remedy=remedy)
    if general is None:
        remedy = "Choose one: data@general=topics, or data@general=files general.train=FILE."
        raise ConfigError("there is no general text to replay", where=where, remedy=remedy)
