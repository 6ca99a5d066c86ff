"""`guards.forgetting` composes however it is written, and what it cannot honour is refused before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftsweep.config.compose import compose_sweep
from ftsweep.errors import ConfigError

HEAD = "defaults: [base, model: tiny, data: pydocs, task: {task}, strategy: {strategy}, _self_]\n"
SPACE = "space: {training: {epochs: [1, 2]}}\n"


def sweep(folder: Path, text: str = "", task: str = "instruction", strategy: str = "lora") -> str:
    file = folder / "own.yaml"
    file.write_text(HEAD.format(task=task, strategy=strategy) + SPACE + text)
    return str(file)


@pytest.mark.parametrize(
    ("text", "overrides"),
    [
        ("", ["guards.forgetting=on"]),
        ("", ["guards.forgetting.mode=on"]),
        ("guards: {forgetting: on}\n", []),
        ("guards: {forgetting: {mode: on}}\n", []),
    ],
    ids=["word", "key", "yaml word", "yaml key"],
)
def test_on_is_on_however_it_is_written(tmp_path: Path, text: str, overrides: list[str]) -> None:
    node = compose_sweep(sweep(tmp_path, text), overrides).branches[0].config["guards"]["forgetting"]
    assert {key: node[key] for key in ("mode", "limit", "tokens")} == {"mode": "on", "limit": 0.1, "tokens": 32768}


def test_it_is_off_unless_asked_for(tmp_path: Path) -> None:
    assert compose_sweep(sweep(tmp_path)).branches[0].config["guards"]["forgetting"]["mode"] == "off"


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["general=null"], r"guards\.forgetting.*no general text.*data@general"),
        (["guards.forgetting.limit=-1"], r"guards\.forgetting\.limit.*cannot be a limit"),
        (["guards.forgetting.tokens=5"], r"guards\.forgetting\.tokens.*not enough"),
        (["guards.forgetting.mode=fix"], r"guards\.forgetting\.mode"),
        (["guards.forgetting.limits=1"], r"limits"),
    ],
)
def test_what_cannot_be_honoured_is_refused(tmp_path: Path, overrides: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        compose_sweep(sweep(tmp_path), ["guards.forgetting=on", *overrides])


def test_virtual_tokens_before_a_new_head_are_refused_and_before_next_tokens_are_not(tmp_path: Path) -> None:
    file = sweep(tmp_path, task="classification", strategy="prompt_tuning")
    with pytest.raises(ConfigError, match=r"virtual tokens.*strategy=lora"):
        compose_sweep(file, ["guards.forgetting=on"])
    compose_sweep(sweep(tmp_path, strategy="prompt_tuning"), ["guards.forgetting=on"])
