"""Settings that end a study early are refused where they could do nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftsweep.config.compose import compose_sweep
from ftsweep.errors import ConfigError

SWEEP = """
defaults: [base, model: tiny, data: pydocs, task: classification, strategy: lora, _self_]
space: {training: {epochs: {low: 1, high: 4}}}
budget: {trials: 12}
"""


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "mine.yaml").write_text(SWEEP)
    monkeypatch.chdir(tmp_path)
    return "mine.yaml"


@pytest.mark.parametrize(
    ("overrides", "why"),
    [
        (["study.target=1.5", "objective.metric=accuracy"], "validation/accuracy is at most 1"),
        (["study.target=-1"], "validation/loss stays above 0"),
        (["study.patience=12"], "of 12 trials, 12 in a row"),
        (["study.patience=0"], "study.patience"),
        (["study.min_delta=0.01"], "not set"),
        (["study.min_delta=-1", "study.patience=3"], "study.min_delta"),
        (["store.cache_gib=-1"], "store.cache_gib"),
    ],
)
def test_stop_that_makes_no_sense_is_refused(sweep: str, overrides: list[str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        compose_sweep(sweep, overrides)


def test_stops_reach_the_configuration(sweep: str) -> None:
    words = ["study.target=0.9", "objective.metric=accuracy", "study.patience=4", "study.min_delta=0.01"]
    config = compose_sweep(sweep, [*words, "study.extend=true", "store.cache_gib=2"])
    study = config.study
    assert (study.target, study.patience, study.min_delta, study.extend) == (0.9, 4, 0.01, True)
    assert config.store.cache_gib == 2
    assert config.composed["study"]["target"] == 0.9
