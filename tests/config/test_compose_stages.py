"""`stages`, `general` and `training.replay` in a sweep file: what comes out, and how they are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftsweep.config.compose import explain_sweep
from ftsweep.config.schema import SweepConfig
from ftsweep.domain.space import Choice
from ftsweep.errors import ConfigError

SWEEP = """
defaults:
  - base
  - model: tiny
  - data: pydocs
  - task: {task}
  - strategy: lora
  - data@stages.domain.data: pydocs
  - task@stages.domain.task: text
  - strategy@stages.domain.strategy: full
  - _self_
training: {{precision: float32}}
stages: {{domain: {{training: {{epochs: 1, batch_size: 8}}}}}}
space: {{training: {{learning_rate: {{low: 1e-4, high: 1e-2, log: true}}}}}}
"""
STAGED = SWEEP.format(task="classification")
BRANCHES = """
branches:
  direct: {stages: []}
  first:
    overrides: [stages.domain.training.epochs=2]
    space: {stages: {domain: {training: {learning_rate: [1e-5, 1e-4], replay: [0.0, 0.1]}}}}
"""
DIRECT = """
defaults: [base, model: tiny, data: pydocs, task: {task}, strategy: lora, _self_]
space: {{training: {{epochs: [1, 2]}}}}
"""


def test_a_stage_is_whole_in_every_trials_config(compose: Callable[..., SweepConfig]) -> None:
    (branch,) = compose(STAGED).branches
    stage = branch.config["stages"]["domain"]
    assert stage["data"]["_target_"] == "ftsweep.data.PyDocs"
    assert stage["task"] == {"_target_": "ftsweep.tasks.Text", "max_length": 512, "packed": True}
    assert stage["strategy"] == {"_target_": "ftsweep.strategies.Full"}
    assert stage["training"] | {"epochs": 1, "batch_size": 8, "learning_rate": 2e-4} == stage["training"]
    assert stage["training"]["precision"] == "float32", "how it is computed is the sweep's own way"


def test_branches_choose_their_stages_and_vary_them(compose: Callable[..., SweepConfig]) -> None:
    direct, first = compose(STAGED + BRANCHES).branches
    assert direct.config["stages"] == {}
    assert first.config["stages"]["domain"]["training"]["epochs"] == 2
    assert first.space.dimensions["stages.domain.training.replay"] == Choice((0.0, 0.1))
    params = {first.param_name(path): 1e-4 for path in first.space.dimensions}
    assert first.config_with(params)["stages"]["domain"]["training"]["learning_rate"] == 1e-4


def test_show_says_where_a_stages_parts_come_from(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(STAGED)
    explained = explain_sweep(str(tmp_path / "mine.yaml"), ["data@general=files", f"general.train={tmp_path}"])
    sources = {each.key: each.choice for each in explained.sources}
    assert sources["strategy@stages.domain.strategy"] == "full"
    assert sources["data@general"] == "files"
    assert explained.composed["stages"]["domain"]["strategy"]["_target_"].endswith("Full")
    assert explained.composed["general"]["train"] == str(tmp_path)


def test_a_files_path_in_a_stage_and_in_general_is_found_beside_the_sweep(compose: Callable[..., SweepConfig]) -> None:
    Path("pages.txt").write_text("a\n")
    paths = ["stages.domain.data.train=pages.txt", "general.train=pages.txt"]
    config = compose(STAGED, "data@stages.domain.data=files", "data@general=files", *paths).branches[0].config
    assert (
        config["stages"]["domain"]["data"]["train"] == config["general"]["train"] == str(Path("pages.txt").absolute())
    )


def test_general_text_may_be_left_out(compose: Callable[..., SweepConfig]) -> None:
    assert compose(DIRECT.format(task="text"), "general=null").branches[0].config["general"] is None


@pytest.mark.parametrize(
    ("text", "overrides", "message"),
    [
        (
            STAGED,
            ["stages.nothing.training.epochs=1"],
            r"stages\.nothing\.data: no data is chosen.*data@stages\.nothing",
        ),
        (STAGED, ["stages.domain.what=1"], r"stages\.domain\.what: a stage has no such key"),
        (STAGED, ["stages.domain.training.epoch=1"], r"stages\.domain\.training\.epoch: this key.*'epochs'"),
        (STAGED, ["stages.domain.training.patience=2"], r"stages\.domain\.training\.patience: a stage has no rungs"),
        (STAGED, ["stages.domain.task.max_length=1"], r"stages\.domain\.task"),
        (STAGED, ["strategy@stages.domain.strategy=head"], r"stages\.domain\.strategy"),
        (
            STAGED,
            ["strategy@stages.domain.strategy=prompt_tuning", "stages.domain.task.packed=false"],
            r"stages\.domain\.strategy: .*whole model",
        ),
        (STAGED, ["strategy=prompt_tuning"], r"strategy: a model of this strategy cannot be exported"),
        (STAGED, ["space.stages.domain.data.limit=[1,2]"], r"space\.stages\.domain\.data\.limit: this cannot vary"),
        (STAGED, ["space.stages.other.training.epochs=[1,2]"], r"there is no stage 'other'.*domain"),
        (STAGED, ["space.stages.domain.training.epoch=[1,2]"], r"has no 'stages\.domain\.training\.epoch'"),
        (STAGED, ["space.general.limit=[1,2]"], r"space\.general\.limit: trials on different text"),
        (STAGED.replace("domain", "test"), [], r"'test' cannot be a stage's name"),
        (STAGED + "branches: {a: {stages: [other]}}", [], r"branches\.a\.stages: there is no stage 'other'"),
        (STAGED + "branches: {a: {stages: domain}}", [], r"branches\.a\.stages: 'domain' is not a list"),
        (STAGED + "branches: {a: {stages: []}}", [], r"stages\.domain: no branch does this stage"),
        (
            STAGED + "branches: {a: {stages: [], overrides: [stages.domain.training.epochs=2]}, b: {}}",
            [],
            r"about a stage that this branch does not do",
        ),
        (STAGED, ["training.replay=0.1"], r"training\.replay: general text cannot be mixed into this task"),
        (DIRECT.format(task="text"), ["training.replay=1"], r"training\.replay: .*less than 1"),
        (DIRECT.format(task="text"), ["training.replay=0.1", "general=null"], r"there is no general text to replay"),
        (
            DIRECT.format(task="classification"),
            ["space.training.replay=[0,0.1]"],
            r"space\.training\.replay: general text cannot",
        ),
    ],
)
def test_what_a_stage_or_replay_cannot_do_is_refused(
    compose: Callable[..., SweepConfig], text: str, overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        compose(text, *overrides)


def test_replay_serves_tasks_of_next_tokens_and_their_stages(compose: Callable[..., SweepConfig]) -> None:
    space: Any = ["space.training.replay=[0,0.1]", "stages.domain.training.replay=0.1"]
    config = compose(SWEEP.format(task="instruction"), *space).branches[0]
    assert config.space.dimensions["training.replay"] == Choice((0, 0.1))
    assert config.config["stages"]["domain"]["training"]["replay"] == 0.1
