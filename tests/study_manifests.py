"""A study's manifest for tests that write the folder of a study themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from omegaconf import OmegaConf

from ftsweep.config.nodes.space import parse_space
from ftsweep.domain.metric import Metrics
from ftsweep.domain.objective import Objective
from ftsweep.domain.terms import BranchTerms, StudyTerms
from ftsweep.store.folders import StudyFolder
from ftsweep.store.manifest import StudyManifest

_NODES = ("model", "data", "task", "strategy", "guards")


def write_manifest(
    folder: StudyFolder, sweep: str = "", metrics: Metrics | None = None, **changes: Any
) -> StudyManifest:
    """What a study begun with this sweep file has; `changes` are the manifest's own."""
    tree: Any = OmegaConf.to_container(OmegaConf.create(sweep)) or {}
    trials = tree.get("budget", {}).get("trials", 14)
    objective = Objective(**tree.get("objective", {}), metrics=metrics or {})
    manifest = StudyManifest(
        folder.name,
        StudyTerms(objective, tree.get("rungs", {}).get("count", 10), {}, _branches(tree)),
        num_trials=trials,
        budget={"trials": trials},
        selection={"top": 3, "seeds": 0},
        pruner=tree.get("pruner", {}),
    )
    manifest = replace(manifest, **changes)
    manifest.write(folder.manifest_file)
    return manifest


def _branches(tree: Mapping[str, Any]) -> dict[str, BranchTerms]:
    common = {node: tree[node] for node in _NODES if node in tree}
    space = dict(parse_space(tree.get("space", {})).dimensions)
    if not tree.get("branches"):
        return {"main": BranchTerms(common, space)}
    return {
        str(name): BranchTerms(
            common | {node: branch[node] for node in _NODES if isinstance(branch.get(node), Mapping)},
            space | dict(parse_space(branch.get("space", {})).dimensions),
        )
        for name, branch in tree["branches"].items()
    }
