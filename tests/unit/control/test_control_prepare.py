"""Branches whose models split text into different tokens are compared by what does not depend on that."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ftsweep.control.prepare import prepare_data
from ftsweep.domain.objective import Objective
from ftsweep.errors import ConfigError
from ftsweep.tasks.base import Task
from ftsweep.tasks.classification import Classification
from ftsweep.tasks.instruction import Instruction
from ftsweep.tasks.masked_text import MaskedText
from ftsweep.tasks.text import Text


def prepared(task: type[Task], metric: str, tokens: dict[str, str]) -> dict[str, Any]:
    """What is prepared of branches with these tokens."""
    objective = Objective(metric, "validation", task.metrics[metric].direction, task.metrics)
    config: Any = SimpleNamespace(objective=objective, branches=[SimpleNamespace(label=label) for label in tokens])
    jobs: Any = SimpleNamespace(
        make=SimpleNamespace(prepare=lambda branch: branch.label),
        call=lambda label, phase: {"tokens": tokens[label]},
    )
    return prepare_data(config, jobs)


@pytest.mark.parametrize(
    ("task", "metric", "remedy"),
    [
        (Text, "loss", "Use objective.metric=bits_per_byte"),
        (Text, "perplexity", "Use objective.metric=bits_per_byte"),
        (Instruction, "token_accuracy", "Use objective.metric=bits_per_byte"),
        (MaskedText, "loss", "study of its own"),
    ],
)
def test_a_metric_of_tokens_compares_no_models_of_different_tokens(task: type[Task], metric: str, remedy: str) -> None:
    with pytest.raises(ConfigError, match=f"validation/{metric} is an average .* 'a' and 'c' split .*{remedy}"):
        prepared(task, metric, {"a": "x", "b": "x", "c": "y"})
    assert set(prepared(task, metric, {"a": "x", "b": "x"})) == {"a", "b"}
    assert set(prepared(task, metric, {"": "x"})) == {""}


@pytest.mark.parametrize(
    ("task", "metric"), [(Text, "bits_per_byte"), (Instruction, "rouge_l"), (Classification, "loss")]
)
def test_others_compare_all_models(task: type[Task], metric: str) -> None:
    assert len(prepared(task, metric, {"a": "x", "b": "y"})) == 2
