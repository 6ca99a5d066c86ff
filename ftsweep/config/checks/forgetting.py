"""Whether forgetting can be measured in a branch, as far as the configuration tells; a worker looks at its model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftsweep.config.build import are_own, build
from ftsweep.config.layers import BranchLayer, Layers
from ftsweep.config.schema import GENERAL, GUARDS
from ftsweep.errors import ConfigError

_NODE = f"{GUARDS}.forgetting"


def check_forgetting(layers: Layers, branch: BranchLayer, config: Mapping[str, Any]) -> None:
    """Refuse to measure forgetting without general text, or with a strategy that cannot be measured.

    Looks at ftsweep's own classes only: a user's may import torch.
    """
    if config[GUARDS].get("forgetting", {}).get("mode") != "on":
        return
    where = layers.where(_NODE)
    if config[GENERAL] is None:
        remedy = f"Choose data@general=topics, or data@general=files general.train=FILE; or set {_NODE}=off."
        raise ConfigError("there is no general text to measure forgetting on", where=where, remedy=remedy)
    nodes = (config["strategy"], config["task"])
    if not are_own(*nodes):
        return
    strategy, task = (build(node) for node in nodes)
    if strategy.head_for(task) not in ("causal_lm", "masked_lm") and (
        strategy.num_virtual_tokens or strategy.quantisation is not None
    ):
        what = "virtual tokens stand" if strategy.num_virtual_tokens else "a quantised body stands"
        raise ConfigError(
            f"{branch.describe()}forgetting cannot be measured: {what} before a new head, and the base's cannot stand",
            where=where,
            remedy=f"Choose strategy=lora, top_layers or full, or set {_NODE}=off.",
        )
