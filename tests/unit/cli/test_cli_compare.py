"""`ftsweep compare`: only what differs, in as many columns as the terminal has, with commands that can be pasted."""

from __future__ import annotations

import io
import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from report_studies import SWEEP, StudyBuilder, falling, write_demo
from rich.console import Console
from study_manifests import write_manifest

from ftsweep.cli.compare_view import print_compared
from ftsweep.cli.main import main
from ftsweep.config.compose import compose_sweep
from ftsweep.config.grammar import parse_overrides
from ftsweep.control.continuity import manifest_of
from ftsweep.report.overview import read_overview
from ftsweep.report.sparkline import sparkline
from ftsweep.report.tables.difference import Compared, caution
from ftsweep.search.asking import going_on
from ftsweep.store.atomic import write_json
from ftsweep.store.folders import Store
from ftsweep.tasks.text import Text


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


def test_printed_commands_say_what_the_study_was_begun_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own rows.jsonl").write_text("")
    monkeypatch.chdir(tmp_path)
    given = [
        "data=files",
        "data.train=own rows.jsonl",
        "data.group='a, b'",
        "strategy=full",
        "study={name: quickstart}",
    ]
    given += ["budget.trials=7", "~space.strategy"]
    config = compose_sweep("quickstart", [*given, "training.learning_rate=1e-5,1e-4"])
    builder = StudyBuilder(tmp_path, "quickstart")
    manifest_of(config).write(builder.folder.manifest_file)
    for number in range(2):
        builder.trial(number, falling(1e-3, 16), params={"training.learning_rate": 1e-4})
    lines = [each for each in shown(tmp_path, "quickstart:0", "quickstart:1") if each.startswith("Run the setting")]
    words = shlex.split(lines[0].partition("again: ")[2])
    monkeypatch.chdir("/")
    again = compose_sweep(words[2], words[3:])
    (branch,) = again.branches
    assert branch.config["data"] == config.branches[0].config["data"]
    assert branch.config["data"]["train"] == str(tmp_path / "own rows.jsonl")
    assert branch.config["strategy"] == config.branches[0].config["strategy"]
    assert (again.study.name, again.budget.trials) == ("quickstart-trial-0", 1)
    assert branch.config["training"]["learning_rate"] == 1e-4
    onward = shlex.split(going_on(builder.folder.manifest(), builder.folder, "budget.trials=20"))
    assert "data.group='a, b'" in onward
    assert [word for word in onward if word.startswith("budget.trials")] == ["budget.trials=20"]
    assert compose_sweep(onward[2], onward[3:]).branches == config.branches


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


def written(study: StudyBuilder, number: int, **config: object) -> None:
    """A trial's settings as its worker got them."""
    file = study.folder.trial(number).spec_file
    write_json(file, {**json.loads(file.read_text()), "config": config})


def test_settings_that_are_written_and_data_that_is_other_are_shown_where_they_differ(tmp_path: Path) -> None:
    for name, length, strategy, data in (("one", 64, "Lora", "a1"), ("two", 128, "Head", "b2")):
        study = StudyBuilder(tmp_path, name)
        study.trial(0, falling(2e-3, 16), params={"training.learning_rate": 2e-3})
        task, node = {"max_length": length, "label_smoothing": 0.0}, {"_target_": f"ftsweep.strategies.{strategy}"}
        written(study, 0, task=task, strategy=node, training={"learning_rate": 2e-3})
        write_json(study.folder.data_file, {"main": data * 16})
    lines = [line.split() for line in shown(tmp_path, "one:0", "two:0")]
    assert ["task.max_length", "64", "128"] in lines
    assert ["strategy", "Lora", "Head"] in lines
    assert ["fingerprint", "of", "the", "data", "a1a1a1a1", "b2b2b2b2"] in lines
    assert not [line for line in lines if "task.label_smoothing" in line]


def test_models_of_other_tokens_are_not_held_against_each_other_by_a_loss_per_token(tmp_path: Path) -> None:
    for name, path in (("one", "base-a"), ("two", "base-b")):
        study = StudyBuilder(tmp_path, name)
        study.trial(0, falling(2e-3, 16))
        write_manifest(study.folder, SWEEP, metrics=Text.metrics)
        written(study, 0, model={"path": path})
    found = compared(tmp_path, "one:0", "two:0")
    assert "an average over tokens" in caution(found)
    assert "bits_per_byte does" in "\n".join(shown(tmp_path, "one:0", "two:0"))
    assert not caution([found[0], found[0]])
    for name, dtype in (("one", "float32"), ("two", "bfloat16")):
        written(StudyBuilder(tmp_path, name), 0, model={"path": "base-a", "dtype": dtype})
    assert not caution(compared(tmp_path, "one:0", "two:0")), "the same tokens, whatever numbers they are computed in"
