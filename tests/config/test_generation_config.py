"""Answers that a sweep has generated: refused by key where nobody would see them, or trials could not be compared."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ftsweep.config.schema import SweepConfig
from ftsweep.errors import ConfigError


def test_a_score_of_answers_is_an_objective_with_its_own_direction(varied: Callable[..., SweepConfig]) -> None:
    config = varied("objective.metric=chrf", "task.generation.rows=16")
    assert (config.objective.key, config.objective.direction) == ("validation/chrf", "maximize")
    assert config.objective.is_generated
    assert not varied("task.generation.rungs=[5,10]").objective.is_generated


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["task.generation.rows=16"], r"task\.generation\.rows: .*no answers are generated.*rungs=\[5,10\]"),
        (["task.generation.rungs=[5,11]"], r"task\.generation\.rungs: .*no rung 11: a trial has 10"),
        (["task.generation.rungs=[]"], r"task\.generation\.rungs: .*names no rung"),
        (["task.generation.rungs=[0]"], r"task\.generation\.rungs: "),
        (["task.generation.scores=[rouge]", "task.generation.rungs=[5]"], r"scores: .*'rouge'.*rouge_l"),
        (["objective.metric=rouge_l", "task.generation.temperature=0.5"], r"temperature: .*do_sample=true"),
        (["objective.metric=rouge_l", "+task.generation.row=5"], r"task\.generation\.row: .*rows"),
        (["objective.metric=rouge_l", "space.task.generation.rows=[8, 16]"], r"space\.task\.generation\.rows: "),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(
    varied: Callable[..., SweepConfig], overrides: list[str], told: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        varied(*overrides)
    assert re.search(told, str(caught.value).replace("\n", " ")), str(caught.value)


JUDGE = """
from ftsweep.domain.metric import Metric
from ftsweep.tasks import Judge


class Brevity(Judge):
    metrics = {NAME: Metric("minimize", 0, 1)}

    def __init__(self, *, most: int = 40):
        self.most = most

    def score(self, rows):
        return [{} for row in rows]
"""
NODE = "task.judge={_target_: my_judges.Brevity, most: 5}"


def test_a_judge_beside_the_sweep_file_is_an_objective(varied: Callable[..., SweepConfig], tmp_path: Path) -> None:
    (tmp_path / "my_judges.py").write_text(JUDGE.replace("NAME", '"brevity"'), encoding="utf-8")
    allowed = ("allow=[my_judges]", NODE)
    objective = varied(*allowed, "objective.metric=brevity").objective
    assert (objective.key, objective.direction, objective.is_generated) == ("validation/brevity", "minimize", True)
    with pytest.raises(ConfigError, match=r"allow: \[my_judges\]"):
        varied(NODE)
    with pytest.raises(ConfigError, match="makes no metric 'brevity'"):
        varied("objective.metric=brevity")
    with pytest.raises(ConfigError, match=r"space\.task\.judge\.most: validation/brevity means something else"):
        varied(*allowed, "objective.metric=brevity", "space.task.judge.most=[5,9]")
    with pytest.raises(ConfigError, match=r"task\.judge\.least"):
        varied(*allowed, "+task.judge.least=5")


def test_a_judge_takes_no_name_that_the_task_has(varied: Callable[..., SweepConfig], tmp_path: Path) -> None:
    (tmp_path / "my_judges.py").write_text(JUDGE.replace("NAME", '"loss"'), encoding="utf-8")
    with pytest.raises(ConfigError, match="has a metric 'loss', which the task has already"):
        varied("allow=[my_judges]", NODE)


def test_what_is_no_judge_is_refused(varied: Callable[..., SweepConfig]) -> None:
    with pytest.raises(ConfigError, match="this is no judge"):
        varied("task.judge={_target_: ftsweep.models.TinyModel}")
