"""What `ftsweep show` prints: the composed sweep, and where every choice and every changed key came from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf

from ftsweep.config.layers import Layers, display

_INTERPOLATION = re.compile(r"(\\*)\$\{")


class Source(NamedTuple):
    """One choice or setting and where it was made."""

    key: str
    choice: str
    origin: str


@dataclass(frozen=True)
class Explained:
    composed: Mapping[str, Any]
    sources: tuple[Source, ...]

    @property
    def text(self) -> str:
        """The sources as comments, then the composed YAML; the whole is YAML again."""
        keys = max(len(each.key) for each in self.sources)
        choices = max(len(each.choice) for each in self.sources)
        lines = [f"# {each.key:<{keys}}  {each.choice:<{choices}}  {each.origin}" for each in self.sources]
        return "\n".join(lines) + "\n\n" + as_yaml(self.composed)

    def to_dict(self) -> dict[str, Any]:
        return {"config": _plain(self.composed), "sources": [each._asdict() for each in self.sources]}


def as_yaml(tree: Mapping[str, Any]) -> str:
    """A resolved tree as the text of a sweep file: text in it that looks like an interpolation stays text."""
    return OmegaConf.to_yaml(OmegaConf.create(_escaped(_plain(tree))))


def explain(layers: Layers, composed: Mapping[str, Any]) -> Explained:
    """The composed tree with the source of each group's choice and of each key that the command line set."""
    sources = [Source("sweep", layers.file.path.stem, str(layers.file.path))]
    sources += _choices("", layers.choices, layers)
    for branch in layers.branches if layers.has_branches else ():
        changed = {group: choice for group, choice in branch.choices.items() if layers.choices.get(group) != choice}
        sources += _choices(f"branches.{branch.name}.", changed, layers)
        sources += [
            Source(f"branches.{branch.name}.{each.key}", _short(each.value), layers.file.label)
            for each in branch.overrides.assignments
        ]
    for each in layers.overrides.assignments:
        sources.append(Source(each.key, "removed" if each.removes else _short(each.value), "command line"))
    return Explained(composed, tuple(sources))


def _choices(prefix: str, choices: Mapping[str, tuple[str, Path | None]], layers: Layers) -> Iterator[Source]:
    for group, (choice, file) in sorted(choices.items()):
        origin = display(file, layers.file) if file else "not found"
        by_command = any(each.group == group for each in layers.overrides.choices)
        yield Source(f"{prefix}{group}", choice, origin + (", chosen on the command line" if by_command else ""))


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 40 else f"{text[:37]}..."


def _plain(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _plain(value) for key, value in node.items()}
    return [_plain(value) for value in node] if isinstance(node, list | tuple) else node


def _escaped(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _escaped(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_escaped(value) for value in node]
    return _INTERPOLATION.sub(r"\1\1\\${", node) if isinstance(node, str) else node
