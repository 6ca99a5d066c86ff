"""What a report needs of a study's manifest: the declared space, and a few words on the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ftsweep.domain.space import UNNAMED, Choice, Dimension, FloatInterval
from ftsweep.store.atomic import understood
from ftsweep.store.folders import StudyFolder
from ftsweep.store.manifest import StudyManifest

SUMMARY_NODES = ("model", "data", "task", "strategy")
NAMING_KEYS = ("name", "path", "train")
"""Keys of a component that say which one it is, in order of preference."""


@dataclass(frozen=True)
class Settings:
    dimensions: Mapping[str, Dimension] = field(default_factory=dict)
    """By dotted config path; those of a branch also with the branch as prefix."""
    summary: Mapping[str, str] = field(default_factory=dict)
    branches: tuple[str, ...] = ()
    pruner: Mapping[str, Any] = field(default_factory=dict)
    selection: Mapping[str, Any] = field(default_factory=dict)
    """Of what is done after the search."""
    judges_fit: bool = True
    """Whether `guards.fit` is on."""
    text: str = ""
    sweep: str = ""
    """The sweep file, or the name of a shipped one."""
    overrides: tuple[str, ...] = ()
    """What the command line said beside it."""

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


def read_settings(folder: StudyFolder) -> Settings:
    """The settings of a study, from its manifest, with its sweep file's text."""
    manifest, text = folder.manifest(), folder.sweep_file.read_text(encoding="utf-8", errors="replace")
    with understood(folder.manifest_file):
        return _settings(manifest, text)


def _settings(manifest: StudyManifest, text: str) -> Settings:
    branches = manifest.terms.branches
    names = tuple(label for label in branches if list(branches) != [UNNAMED])
    dimensions = {
        f"{label}.{path}" if names else path: dimension
        for label, branch in branches.items()
        for path, dimension in branch.space.items()
    }
    summary = {}
    for node in SUMMARY_NODES:  # with branches, a component stands in each of them
        words = dict.fromkeys(_words(branch.config.get(node) or {}) for branch in branches.values())
        summary[node] = ", ".join(word for word in words if word)
    summary = {node: words for node, words in summary.items() if words}
    if names:
        summary["branches"] = ", ".join(names)
    fits = [branch.config.get("guards", {}).get("fit", {}) for branch in branches.values()]
    return Settings(
        dimensions=dimensions,
        summary=summary,
        branches=names,
        pruner=manifest.pruner,
        selection=manifest.selection,
        judges_fit=all(fit.get("mode") != "off" for fit in fits),
        text=text,
        sweep=manifest.sweep_file,
        overrides=manifest.overrides,
    )


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
