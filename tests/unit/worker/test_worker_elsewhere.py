"""A worker on another machine: it opens what was prepared where the study began, or refuses other rows of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_steps import finish

from ftsweep.cluster.inputs import inputs_of
from ftsweep.cluster.tree import Tree
from ftsweep.errors import OtherSourceError
from ftsweep.worker.engine import Engine

pytestmark = pytest.mark.usefixtures("shallow")

Make = Callable[..., dict[str, Any]]


@pytest.fixture
def mixed(config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """Of plain text, with a general text that is replayed: three prepared sets."""
    general = tmp_path / "general.jsonl"
    general.write_text("".join(f'{{"text": "tide {n} barn {n * n} cloud"}}\n' for n in range(40)))
    fractions = {"validation_fraction": 0.2, "test_fraction": 0.0}
    config["general"] = {"_target_": "ftsweep.data.Files", "train": str(general), **fractions}
    config["task"] = {"_target_": "ftsweep.tasks.Text", "max_length": 24, "packed": False}
    config["training"]["replay"] = 0.25
    return config


def brought(job: dict[str, Any], made: list[str], tree: Tree, **told: Any) -> dict[str, Any]:
    """The job on a node that was brought what it needs."""
    inputs = inputs_of(job, made)
    for name, file in inputs.kept.items():
        tree.place(name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tree.place(name))
    moved: dict[str, Any] = tree.inwards(job, inputs.paths)
    return {**moved, "root": tree.root, **told}


def test_what_was_prepared_first_is_opened_on_every_machine(
    mixed: dict[str, Any], make_job: Make, tmp_path: Path
) -> None:
    result = finish(Engine(threads=1), make_job("prepare", "prepare"))[1]["result"]
    assert len(result["made"]) == 3
    tree, sources = Tree(str(tmp_path / "node")), result["sources"]
    job = brought(make_job(), result["made"], tree, sources=sources)
    for file in tree.place(str(tmp_path)).glob("*.jsonl"):
        file.write_text('{"text": "another row"}\n')
    there = finish(Engine(threads=1), job)[0]
    here = finish(Engine(threads=1), make_job(name="trial-0001"))[0]
    assert [each.values for each in there] == [each.values for each in here]
    assert sorted(each.name for each in tree.place(str(tmp_path / "cache" / "prepared")).glob("[!.]*")) == sorted(
        Path(folder).name for folder in result["made"]
    )


def test_rows_that_differ_are_refused_where_they_would_be_prepared(
    config: dict[str, Any], make_job: Make, tmp_path: Path
) -> None:
    result = finish(Engine(threads=1), make_job("prepare", "prepare"))[1]["result"]
    tree = Tree(str(tmp_path / "node"))
    job = brought(make_job(), [], tree, sources=result["sources"])
    Path(job["spec"]["config"]["data"]["train"]).write_text('{"text": "another row", "label": "sea"}\n')
    with pytest.raises(OtherSourceError, match="Files gives other rows on this machine"):
        finish(Engine(threads=1), job)
