"""What a report needs of a sweep as it was composed: the objective, the declared space, a few words on the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftsweep.domain.metric import Metric, Metrics
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Choice, Dimension, FloatInterval, IntInterval
from ftsweep.errors import DamagedFileError
from ftsweep.store.atomic import read_json, understood

SUMMARY_NODES = ("model", "data", "task", "strategy")
NAMING_KEYS = ("name", "path", "train")
"""Keys of a component that say which one it is, in order of preference."""


@dataclass(frozen=True)
class Settings:
    objective: Objective
    num_rungs: int | None
    num_planned: int | None
    dimensions: Mapping[str, Dimension] = field(default_factory=dict)
    """By dotted config path; those of a branch also with the branch as prefix."""
    summary: Mapping[str, str] = field(default_factory=dict)
    branches: tuple[str, ...] = ()
    pruner: Mapping[str, Any] = field(default_factory=dict)
    judges_fit: bool = True
    """Whether `guards.fit` is on."""
    text: str = ""

    def dimensions_of(self, trials: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Dimension]:
        """Of every parameter in (branch, params) pairs, as the sweep declares it or else as its values suggest."""
        values: dict[str, list[Any]] = {}
        paths: dict[str, str] = {}
        for branch, params in trials:
            for name, value in params.items():
                values.setdefault(name, []).append(value)
                paths[name] = name.removeprefix(f"{branch}.") if branch else name
        declared, order = self.dimensions, list(self.dimensions)
        found = {name: declared.get(name) or declared.get(paths[name]) for name in values}
        place = {name: order.index(known) for name in values for known in (name, paths[name]) if known in declared}
        ordered = sorted(values, key=lambda name: place.get(name, len(order)))
        return {name: found[name] or _fitting(values[name]) for name in ordered}


def read_settings(path: Path) -> Settings:
    """The settings in a study's `sweep.yaml`; what it does not tell stays empty."""
    import yaml  # type: ignore[import-untyped]
    from omegaconf import OmegaConf  # slow to import, and only the control process has it
    from omegaconf.errors import OmegaConfBaseException

    try:
        text = path.read_text(encoding="utf-8")
        loaded = OmegaConf.to_container(OmegaConf.create(text), resolve=False)
    except (yaml.YAMLError, OmegaConfBaseException, ValueError, RecursionError) as error:
        raise DamagedFileError(path, str(error).partition("\n")[0]) from error
    metrics = _metrics(path.with_name("study.json"))
    with understood(path):
        return _settings(loaded, text, metrics)


def _metrics(facts: Path) -> Metrics:
    """What the study's tasks measure, by `study.json`; {} where it does not tell."""
    if not facts.exists():
        return {}
    with understood(facts):
        return {name: Metric(**metric) for name, metric in read_json(facts).get("metrics", {}).items()}


def _settings(loaded: Any, text: str, metrics: Metrics) -> Settings:
    tree: dict[str, Any] = {str(key): node for key, node in loaded.items()} if isinstance(loaded, dict) else {}
    objective = {
        key: value for key, value in _node(tree, "objective").items() if key in ("metric", "split", "direction")
    }
    branches = _node(tree, "branches")
    dimensions = dict(_walk(_node(tree, "space"), ""))
    for name, branch in branches.items():
        if isinstance(branch, Mapping):
            dimensions |= _walk(_node(branch, "space"), f"{name}.")
    summary = {}
    for node in SUMMARY_NODES:  # with branches, a component stands in each of them
        words = dict.fromkeys(_words(_node(place, node)) for place in (tree, *branches.values()))
        summary[node] = ", ".join(word for word in words if word)
    summary = {node: words for node, words in summary.items() if words}
    if branches:
        summary["branches"] = ", ".join(map(str, branches))
    return Settings(
        objective=Objective(**objective, metrics=metrics),
        num_rungs=_node(tree, "rungs").get("count"),
        num_planned=_node(tree, "budget").get("trials"),
        dimensions=dimensions,
        summary=summary,
        branches=tuple(map(str, branches)),
        pruner=_node(tree, "pruner"),
        judges_fit=_node(_node(tree, "guards"), "fit").get("mode") != "off",
        text=text,
    )


def _node(tree: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    node = tree.get(key)
    return node if isinstance(node, Mapping) else {}


def _walk(node: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Dimension]]:
    for key, value in node.items():
        name = f"{prefix}{key}"
        if isinstance(value, list):
            yield name, Choice(tuple(value))
        elif isinstance(value, Mapping) and "low" in value and "high" in value:
            yield name, _interval(value)
        elif isinstance(value, Mapping):
            yield from _walk(value, f"{name}.")


def _interval(node: Mapping[str, Any]) -> Dimension:
    low, high, log = node["low"], node["high"], bool(node.get("log"))
    if isinstance(low, int) and isinstance(high, int):
        return IntInterval(low, high, log)
    return FloatInterval(float(low), float(high), log)


def _words(node: Mapping[str, Any]) -> str:
    """A component in a few words: its class, and the name, path or file that it was given."""
    kind = str(node.get("_target_") or "").rpartition(".")[2]
    which = next((str(node[key]) for key in NAMING_KEYS if node.get(key)), "")
    return " · ".join(part for part in (kind, which) if part)


def _fitting(values: list[Any]) -> Dimension:
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        if len(set(values)) <= 5 < len(values):
            return Choice(tuple(sorted(set(values))))
        low, high = float(min(values)), float(max(values))
        return FloatInterval(low, high, log=low > 0 and high / low >= 50)
    return Choice(tuple(dict.fromkeys(map(str, values))))
