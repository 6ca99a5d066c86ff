"""What makes two runs the same study: objective, space and rungs, as plain JSON that is stored with the study."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch, Dimension
from ftsweep.errors import ConfigError

IDENTITY = "ftsweep"
"""The attribute of an Optuna study that holds what `describe` says."""


def describe(objective: Objective, branches: Sequence[Branch], num_rungs: int) -> dict[str, Any]:
    """Everything that must not change between two runs of one study, by the key a person would change it with."""
    space = {
        branch.param_name(path): _dimension(dimension)
        for branch in branches
        for path, dimension in branch.space.dimensions.items()
    }
    facts = {
        **{f"objective.{key}": value for key, value in objective.to_dict().items()},
        "rungs.count": num_rungs,
        "branches": [branch.name for branch in branches],
        **{f"space.{name}": dimension for name, dimension in space.items()},
    }
    plain: dict[str, Any] = json.loads(json.dumps(facts, default=list))
    return plain


def check_identity(stored: Mapping[str, Any], now: Mapping[str, Any], name: str) -> None:
    """Refuse to go on with a study under other terms than it began.

    Raises:
        ConfigError: names each difference.
    """
    differences = [
        f"{key} was {_text(stored, key)} and is {_text(now, key)}"
        for key in dict.fromkeys([*stored, *now])
        if stored.get(key) != now.get(key) or (key in stored) != (key in now)
    ]
    if differences:
        raise ConfigError(
            f"the study {name!r} was begun on other terms: {'; '.join(differences)}",
            where="study.name",
            remedy="Set these back to go on with it, or begin another study with study.name=...",
        )


def _dimension(dimension: Dimension) -> dict[str, Any]:
    return {"kind": type(dimension).__name__, **asdict(dimension)}


def _text(facts: Mapping[str, Any], key: str) -> str:
    if key not in facts:
        return "not there"
    value = facts[key]
    if isinstance(value, dict) and "kind" in value:
        if value["kind"] == "Choice":
            return json.dumps(value["values"])
        settings = {"low": None, "high": None, "log": False, "step": None, **value}
        extras = (", log" if settings["log"] else "") + (f", step {settings['step']}" if settings["step"] else "")
        return f"{settings['low']} .. {settings['high']}{extras}"
    return json.dumps(value)
