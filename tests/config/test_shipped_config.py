"""Every shipped YAML composes, builds, and says exactly what its constructor takes."""

from __future__ import annotations

import inspect
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from ftsweep.config import schema
from ftsweep.config.build import build, locate
from ftsweep.config.checks.values import parameters
from ftsweep.config.compose import compose_sweep
from ftsweep.config.folders import list_groups, shipped_folder
from ftsweep.domain.objective import Objective
from ftsweep.errors import ConfigError

CONF, SWEEPS = shipped_folder("conf"), shipped_folder("sweeps")
GUARDS = sorted(CONF.glob("guards/*.yaml"))
JUDGES = sorted(CONF.glob("judge/*.yaml"))
COMPONENTS = sorted(file for file in CONF.rglob("*.yaml") if file.parent != CONF and file not in [*GUARDS, *JUDGES])
SHIPPED = sorted(SWEEPS.rglob("*.yaml"))

SWEEP = """
defaults: [base, model: tiny, data: pydocs, task: classification, strategy: lora, _self_]
space: {training: {epochs: [1, 2]}}
budget: {trials: 2}
"""
OTHER_DEFAULTS = {"executor/local_pair": {"cpu_workers", "threads"}}
"""What a second choice of one class is there for."""

NEEDED = {
    "model/local": ["model.path=."],
    "model/hub": ["model.name=owner/name"],
    "model/study": ["model.study=earlier"],
    "data/files": ["data.train=rows.jsonl"],
    "strategy/few_shot": ["~space.training", "space.strategy.k=[0,1]"],
    "data/hub": ["data.name=owner/name"],
}


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "mine.yaml").write_text(SWEEP)
    (tmp_path / "rows.jsonl").write_text('{"text": "a", "label": "b"}\n')
    monkeypatch.chdir(tmp_path)
    return "mine.yaml"


def identify(file: Path) -> str:
    return file.relative_to(CONF).with_suffix("").as_posix()


def test_nothing_is_shipped_that_is_not_tested() -> None:
    assert len(COMPONENTS) == 57
    assert len(GUARDS) == 25
    assert len(JUDGES) == 1
    assert len(SHIPPED) == 15
    assert sorted(file.name for file in CONF.glob("*.yaml")) == ["base.yaml"]
    assert {file.parent.name for file in COMPONENTS} == set(schema.COMPONENT_GROUPS)


@pytest.mark.parametrize("file", COMPONENTS, ids=identify)
def test_every_component_composes_and_builds(file: Path, sweep: str) -> None:
    group, name = file.parent.name, file.stem
    config = compose_sweep(sweep, [f"{group}={name}", *NEEDED.get(f"{group}/{name}", [])])
    node = config.branches[0].config.get(group) or getattr(config, group)
    assert type(build(node)) is locate(node["_target_"])


@pytest.fixture(scope="module")
def guards_off(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The guards' nodes of a sweep in which each was turned off by its own setting."""
    sweep = tmp_path_factory.mktemp("guards") / "mine.yaml"
    sweep.write_text(SWEEP)
    nodes: dict[str, Any] = compose_sweep(str(sweep), [f"guards.{file.stem}=off" for file in GUARDS]).branches[0].config
    return nodes["guards"]


@pytest.mark.parametrize("file", GUARDS, ids=identify)
def test_every_guard_composes_and_builds(file: Path, guards_off: dict[str, Any]) -> None:
    node = guards_off[file.stem]
    guard = build(node)
    assert type(guard) is locate(node["_target_"])
    assert guard.mode == "off"


@pytest.mark.parametrize("file", JUDGES, ids=identify)
def test_every_judge_is_a_choice_within_the_task(file: Path, sweep: str) -> None:
    words = ["task=instruction", f"+judge={file.stem}", "task.judge.model=some", "objective.metric=judge"]
    task = build(compose_sweep(sweep, words).branches[0].config["task"])
    assert type(task.judge) is locate(yaml.safe_load(file.read_text())["_target_"])
    with pytest.raises(ConfigError, match=r"task\.judge\.model"):
        compose_sweep(sweep, [word for word in words if "model=" not in word])


@pytest.mark.parametrize("file", [*COMPONENTS, *GUARDS, *JUDGES], ids=identify)
def test_every_component_file_spells_out_its_constructor(file: Path) -> None:
    node: dict[str, Any] = yaml.safe_load(file.read_text())
    cls = locate(node.pop("_target_"))
    for default in node.pop("defaults", []):
        node |= {key.partition("@")[2]: None for key in default if key != "_self_"} if isinstance(default, dict) else {}
    assert set(node) == set(parameters(cls))
    assert all(each.annotation is not inspect.Parameter.empty for each in parameters(cls).values())
    for key, parameter in parameters(cls).items():
        if not parameter.is_required and key not in OTHER_DEFAULTS.get(identify(file), ()):
            assert node[key] == parameter.default, f"{key} is not the constructor's default"


@pytest.mark.parametrize("file", [*COMPONENTS, *GUARDS, *SHIPPED], ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_file_begins_with_a_comment_that_list_shows(file: Path) -> None:
    group = file.parent.name if file.parent != SWEEPS else "sweeps"
    (entry,) = [entry for entry in list_groups(group)[group] if entry["name"] == file.stem]
    assert 20 < len(entry["about"]) < 120
    assert entry["about"].endswith(".")


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_shipped_sweep_composes_by_the_command_in_its_first_line(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "questions.jsonl").write_text('{"prompt": "a", "completion": "b"}\n')
    command = file.read_text().splitlines()[0].removeprefix("# ").split()
    assert command[:3] == ["ftsweep", "run", file.stem]
    config = compose_sweep(command[2], command[3:])
    assert config.study.name == file.stem
    for branch in config.branches:
        assert tuple(sorted(branch.config)) == tuple(sorted(schema.TRIAL_NODES))
        assert branch.has_default_in_space(), "trial 0 is the sweep as written, so that must lie in the space"
        for group in schema.BRANCH_GROUPS:
            build(branch.config[group])


def test_base_has_the_defaults_of_the_schema() -> None:
    base = yaml.safe_load((CONF / "base.yaml").read_text())
    for name, cls in {
        "store": schema.StoreSettings,
        "budget": schema.Budget,
        "seed": schema.SeedSettings,
        "rungs": schema.RungSettings,
        "training": schema.TrainingSettings,
    }.items():
        written = {key: float(value) if key == "learning_rate" else value for key, value in base[name].items()}
        assert written == asdict(cls()), name
    assert base["objective"] == Objective().to_dict() | {"direction": None}
    assert set(base["study"]) == {field.name for field in fields(schema.StudySettings)}
    chosen = {key for default in base["defaults"] if isinstance(default, dict) for key in default}
    assert chosen == {"executor", "sampler", "pruner", "recording", "report", "data@general"}


def test_medical_instruction_says_in_one_sentence_that_the_file_must_be_given() -> None:
    with pytest.raises(Exception, match=r"data\.train: this must be given.*data\.train=\.\.\."):
        compose_sweep("medical_instruction")


def test_every_setting_of_the_core_is_explained() -> None:
    for cls in (schema.Budget, schema.TrainingSettings, schema.SeedSettings, schema.RungSettings, schema.StudySettings):
        source = inspect.getsource(cls)
        for field in fields(cls):
            after = source.split(f"    {field.name}: ")[1].split("\n", 1)[1].lstrip()
            assert after.startswith('"""'), f"{cls.__name__}.{field.name} has no help text"
