"""The `guards` node: words for modes, files beside the sweep, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftsweep.config.compose import compose_sweep, explain_sweep
from ftsweep.config.folders import list_group
from ftsweep.errors import ConfigError

SWEEP = """
defaults: [base, model: tiny, data: pydocs, task: classification, strategy: lora, _self_]
space: {training: {epochs: [1, 2]}}
budget: {trials: 2}
"""
OWN = """
from ftsweep.guards.base import DataGuard
class Loud(DataGuard):
    def __init__(self, *, mode: str = "refuse", warn_above: float | None = 0.1) -> None:
        super().__init__(mode=mode, warn_above=warn_above)
    def look(self, data): return []
"""


@pytest.fixture
def guards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The composed guards of a sweep with more lines and overrides."""
    monkeypatch.chdir(tmp_path)

    def compose(lines: str = "", *overrides: str) -> dict[str, Any]:
        Path("mine.yaml").write_text(SWEEP + lines, encoding="utf-8")
        config = compose_sweep("mine.yaml", overrides)
        found: dict[str, Any] = dict(config.branches[0].config["guards"])
        assert config.composed["guards"] == found
        return found

    return compose


def test_every_shipped_guard_is_there_without_being_named(guards: Any) -> None:
    assert set(guards()) == {entry["name"] for entry in list_group("guards")}


@pytest.mark.parametrize(
    ("lines", "overrides"),
    [
        ("guards: {near_duplicates: fix}", []),
        ("", ["guards.near_duplicates=fix"]),
        ("guards: {near_duplicates: {mode: fix}}", []),
        ("guards: {near_duplicates: allow}", ["guards.near_duplicates=fix"]),
        ("", ["guards={near_duplicates:fix}"]),
    ],
)
def test_a_word_is_a_mode(guards: Any, lines: str, overrides: list[str]) -> None:
    node = guards(lines, *overrides)["near_duplicates"]
    assert (node["mode"], node["similarity"]) == ("fix", 0.75)


def test_a_word_in_the_file_and_a_setting_on_the_command_line_go_together(guards: Any) -> None:
    node = guards("guards: {near_duplicates: fix}", "guards.near_duplicates.similarity=0.9")["near_duplicates"]
    assert (node["mode"], node["similarity"]) == ("fix", 0.9)


def test_off_is_a_mode_although_yaml_reads_it_as_false(guards: Any) -> None:
    found = guards("guards: {small_data: off, cut_inputs: {mode: off}}", "guards.cut_targets=off")
    assert {found[name]["mode"] for name in ("small_data", "cut_inputs", "cut_targets")} == {"off"}


def test_every_branch_has_the_same_guards(guards: Any, tmp_path: Path) -> None:
    lines = "guards: {small_data: allow}\nbranches: {a: {strategy: lora}, b: {strategy: full}}"
    guards(lines)
    config = compose_sweep("mine.yaml", ["guards.cut_inputs=off"])
    assert all(branch.config["guards"]["small_data"]["mode"] == "allow" for branch in config.branches)
    assert all(branch.config["guards"]["cut_inputs"]["mode"] == "off" for branch in config.branches)


def test_a_guard_beside_the_sweep_is_one_class_and_one_file(guards: Any, tmp_path: Path) -> None:
    (tmp_path / "guards").mkdir()
    (tmp_path / "guards" / "loud.yaml").write_text("# Capitals.\n_target_: own_guards.Loud\nwarn_above: 0.2\n")
    (tmp_path / "own_guards.py").write_text(OWN)
    assert "loud" not in guards("allow: [own_guards]"), "nobody has named it"
    node = guards("allow: [own_guards]\nguards: {loud: allow}")["loud"]
    assert node == {"_target_": "own_guards.Loud", "mode": "allow", "warn_above": 0.2}
    assert guards("allow: [own_guards]", "guards.loud=off")["loud"]["mode"] == "off"


def test_show_says_where_a_mode_was_set(guards: Any) -> None:
    guards()
    sources = explain_sweep("mine.yaml", ["guards.small_data=allow"]).sources
    assert ("guards.small_data.mode", "allow", "command line") in [tuple(source) for source in sources]


@pytest.mark.parametrize(
    ("lines", "overrides", "message"),
    [
        ("guards: fix", [], r"mine\.yaml: guards: this is not a mapping of guards"),
        ("guards: {near_duplicate: fix}", [], r"guards\.near_duplicate: there is no such guard. .*near_duplicates'"),
        ("", ["guards.near_duplicate=fix"], r"command line: guards\.near_duplicate: there is no such guard"),
        ("", ["guards=off"], r"'guards=off' names no guard"),
        ("", ["guards.small_data=fix"], r"guards\.small_data\.mode: no row of train can be left out"),
        ("", ["guards.small_data=maybe"], r"guards\.small_data\.mode: 'maybe' is not possible"),
        (
            "",
            ["guards.small_data.warn_bellow=3"],
            r"guards\.small_data\.warn_bellow: this key.*warn_below",
        ),
        ("", ["guards.near_duplicates.similarity=0.2"], r"guards\.near_duplicates\.similarity: 0.2 is not possible"),
        ("", ["guards.cut_inputs.warn_above=7"], r"guards\.cut_inputs\.warn_above: 7 is not a share"),
        ("guards: {mine: {_target_: os.system}}", [], r"guards\.mine.*lies outside ftsweep"),
        ("", ["space.guards.near_duplicates.similarity=[0.7,0.8]"], r"guards"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(guards: Any, lines: str, overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        guards(lines, *overrides)
