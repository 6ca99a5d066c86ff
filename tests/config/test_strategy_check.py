"""A strategy's refusals, told by key before anything runs: as written, and as the search may combine settings."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ftsweep.config.checks import strategy as strategy_check
from ftsweep.config.schema import SweepConfig
from ftsweep.errors import ConfigError


@pytest.mark.parametrize(
    "overrides",
    [
        ["training.l2_sp=0.1"],
        ["training.kl_to_base=0.1", "strategy=prompt_tuning"],
        ["training.l2_sp=0.1", "training.kl_to_base=0.1", "strategy=full"],
        ["training.l2_sp=0.1", "strategy=ia3", "task=classification"],
        ["space.training.l2_sp={low: 1e-4, high: 1, log: true}", "space.strategy.rslora=[true, false]"],
        ["task=text", "task.packed=false", "strategy=prefix_tuning"],
        ["training.gradient_checkpointing=true", "strategy=prompt_tuning"],
        ["training.compile=true", "training.gradient_checkpointing=true"],
    ],
)
def test_what_works_together_is_taken(varied: Callable[..., SweepConfig], overrides: list[str]) -> None:
    varied(*overrides)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["training.l2_sp=0.1", "strategy=prompt_tuning"], r"training\.l2_sp: .*changes no pre-trained weight"),
        (["training.l2_sp=0.1", "strategy=head", "task=classification"], r"training\.l2_sp: .*no pre-trained weight"),
        (["training.l2_sp=0.1", "strategy.dora=true"], r"training\.l2_sp: DoRA"),
        (["training.kl_to_base=0.1", "task=classification"], r"training\.kl_to_base: .*its head is new"),
        (["strategy=prefix_tuning", "training.gradient_checkpointing=true"], r"training\.gradient_checkpointing: "),
        (["training.compile=true", "strategy=head", "task=classification"], r"training\.compile: .*no more than a"),
        (["strategy=prompt_tuning", "task=text"], r"task\.packed: .*task\.packed=false"),
        (["strategy.init=pissa", "strategy.dora=true"], r"strategy\.init: "),
    ],
)
def test_what_does_not_is_refused_by_its_key(
    varied: Callable[..., SweepConfig], overrides: list[str], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        varied(*overrides)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (
            ["space.training.l2_sp=[0, 0.1]", "strategy=prompt_tuning"],
            r"space\.training\.l2_sp: .*training\.l2_sp=0\.1, but",
        ),
        (
            ["space.training.kl_to_base={low: 0, high: 1}", "task=classification"],
            r"space\.training\.kl_to_base: .*training\.kl_to_base=1, but",
        ),
        (
            ["space.strategy.dora=[false, true]", "training.l2_sp=0.1"],
            r"space\.strategy\.dora: the search may combine strategy\.dora=True, but DoRA",
        ),
        (
            ["space.strategy.dora=[false, true]", "space.strategy.init=[default, pissa]"],
            r"space\.strategy\.init: the search may combine strategy\.dora=True, strategy\.init=pissa, but ",
        ),
    ],
)
def test_a_combination_that_the_search_may_make_is_refused(
    varied: Callable[..., SweepConfig], overrides: list[str], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        varied(*overrides)


def test_a_large_space_is_looked_at_one_dimension_at_a_time(
    varied: Callable[..., SweepConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strategy_check, "MAX_COMBINATIONS", 3)
    varied("space.strategy.dora=[false, true]", "space.strategy.rank=[4, 8]", "space.strategy.init=[default, pissa]")
    with pytest.raises(ConfigError, match=r"strategy\.dora=True"):
        varied("space.strategy.dora=[false, true]", "space.strategy.rank=[4, 8]", "training.l2_sp=0.1")


def test_a_stage_s_strategy_is_looked_at_too(compose: Callable[..., SweepConfig]) -> None:
    staged = """
defaults:
  - base
  - model: tiny
  - data: pydocs
  - task: instruction
  - strategy: lora
  - data@stages.domain.data: pydocs
  - task@stages.domain.task: text
  - strategy@stages.domain.strategy: lora
  - _self_
space: {training: {learning_rate: [1e-3, 2e-3]}}
stages: {domain: {strategy: {dora: true}, training: {l2_sp: 0.1}}}
"""
    with pytest.raises(ConfigError, match=r"stages\.domain\.training\.l2_sp: DoRA"):
        compose(staged)
