"""`ftsweep compare`: only what differs, in as many columns as the terminal has, with commands that can be pasted."""

from __future__ import annotations

import io
import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from report_studies import StudyBuilder, falling, write_demo
from rich.console import Console

from ftsweep.cli.compare_view import print_compared
from ftsweep.cli.main import main
from ftsweep.config.compose import compose_sweep
from ftsweep.config.grammar import parse_overrides
from ftsweep.control.continuity import manifest_of
from ftsweep.report.overview import read_overview
from ftsweep.report.sparkline import sparkline
from ftsweep.report.tables.difference import Compared
from ftsweep.store.folders import Store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    write_demo(tmp_path)
    builder = StudyBuilder(tmp_path, "other")
    builder.trial(0, falling(2e-3, 16), params={"training.learning_rate": 2e-3, "training.batch_size": 16})
    return tmp_path


def compared(store: Path, *names: str) -> list[Compared]:
    found = []
    for name in names:
        study, _, number = name.partition(":")
        overview = read_overview(Store(store).study(study))
        found.append(Compared(overview, next(each for each in overview.trials if each.number == int(number))))
    return found


def shown(store: Path, *names: str, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    print_compared(console, compared(store, *names), str(store))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def is_command(line: str) -> bool:
    return "ftsweep " in line


@pytest.mark.parametrize("width", [80, 120])
def test_any_number_of_trials_fits_the_terminal_and_loses_no_value(store: Path, width: int) -> None:
    names = ["other:0", *(f"demo:{number}" for number in range(6))]
    lines = shown(store, *names, width=width)
    assert max(len(line) for line in lines if not is_command(line)) <= width
    text = "\n".join(lines)
    for each in compared(store, *names):
        assert each.name in text
        rate = next(value for name, value in each.trial.params.items() if name.endswith("learning_rate"))
        assert f"{rate:.3g}".replace("e-0", "e-") in text or str(rate) in text


def test_only_what_differs_is_shown_and_the_rest_is_counted(store: Path) -> None:
    text = "\n".join(shown(store, "demo:0", "demo:3"))
    assert "training.learning_rate" in text
    assert "equal in all of these trials" in text
    same = compared(store, "demo:0", "demo:0")
    console = Console(file=io.StringIO(), width=80)
    print_compared(console, same, str(store))
    assert "Setting" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_curves_of_one_objective_share_a_scale() -> None:
    assert sparkline([0.0, 1.0], low=0.0, high=1.0) == "▁█"
    assert sparkline([0.5, float("nan")], low=0.0, high=1.0) == "▅·"
    assert sparkline([3.0], low=3.0, high=3.0) == "▁"


def test_printed_commands_give_back_the_setting(store: Path) -> None:
    (line,) = [
        each for each in shown(store, "demo:0", "demo:3") if each.startswith("Run the setting of demo:3 again: ")
    ]
    words = shlex.split(line.partition("again: ")[2])
    assert words[:3] == ["ftsweep", "run", "demo"]
    values = {each.key: each.value for each in parse_overrides(words[3:], groups=()).assignments}
    params = compared(store, "demo:3")[0].trial.params
    assert {key: value for key, value in values.items() if key in params} == dict(params)
    assert values["study.name"] == "demo-trial-3"


def test_printed_command_of_a_branch_composes_to_its_setting(tmp_path: Path) -> None:
    config = compose_sweep("tournament")
    (lora,) = [each for each in config.branches if each.name == "lora"]
    builder = StudyBuilder(tmp_path, "tournament")
    manifest_of(config).write(builder.folder.manifest_file)
    params = {**lora.default_params(), "lora.training.learning_rate": 0.0025, "lora.strategy.rank": 4}
    for number in range(2):
        builder.trial(number, falling(1e-3, 16), params=params, branch="lora")
    (line, _) = [each for each in shown(tmp_path, "tournament:0", "tournament:1") if each.startswith("Run the setting")]
    words = shlex.split(line.partition("again: ")[2])
    again = compose_sweep(words[2], words[3:])
    assert [each.default_params() for each in again.branches] == [params]
    assert again.branches[0].has_default_in_space()
    assert again.budget.trials == 1


def test_trials_are_named_across_studies_and_as_json(store: Path) -> None:
    done = CliRunner().invoke(main, ["compare", "demo", "3", "other:0", "--store", str(store), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert told["trials"] == ["demo:3", "other:0"]
    assert told["differs"]["Setting"]["training.learning_rate"] == ["2.2e-3", "2e-3"] or told["differs"]["Setting"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["3"], "only one trial"),
        (["3", "3"], "only one trial"),
        (["3", "99"], "has no trial 99"),
        (["3", "x"], "names no trial"),
        (["3", "othr:0"], "and all trials that are compared lie in one store. Did you mean 'other'?"),
    ],
)
def test_trials_that_cannot_be_compared_are_named(store: Path, words: list[str], why: str) -> None:
    done = CliRunner().invoke(main, ["compare", "demo", *words, "--store", str(store)])
    assert done.exit_code == 2
    assert why in " ".join(done.output.split())
