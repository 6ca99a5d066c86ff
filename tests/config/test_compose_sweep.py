"""A user's sweep file and command line, whole: what comes out, and every way in which it is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from hydra.core.utils import JobRuntime

from ftsweep.config.compose import compose_sweep
from ftsweep.config.schema import SweepConfig
from ftsweep.domain.space import Choice, FloatInterval, IntInterval
from ftsweep.errors import ConfigError

DEFAULTS = "defaults: [base, model: tiny, data: pydocs, task: classification, strategy: lora, _self_]\n"
SPACE = """
space:
  training: {learning_rate: {low: 1e-4, high: 1e-2, log: true}}
  strategy: {rank: [4, 8]}
"""
BRANCHES = """
defaults: [base, model: tiny, data: pydocs, task: classification, _self_]
space: {training: {batch_size: [8, 16]}}
branches:
  all: {strategy: full, overrides: [training.learning_rate=1e-4]}
  low_rank:
    strategy: lora
    space: {strategy: {rank: [4, 8]}, training: {batch_size: [4, 16]}}
"""


def refused(compose: Callable[..., SweepConfig], text: str, *overrides: str, **more: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        compose(text, *overrides, **more)
    return str(caught.value)


def test_a_sweep_file_becomes_a_whole_checked_config(compose: Callable[..., SweepConfig]) -> None:
    config = compose(DEFAULTS + SPACE + "training: {epochs: 2}\n", "training.batch_size=4")
    (branch,) = config.branches
    assert (config.study.name, branch.name, config.store.path) == ("mine", "", "mlruns")
    assert branch.space.dimensions == {
        "training.learning_rate": FloatInterval(1e-4, 1e-2, log=True),
        "strategy.rank": Choice((4, 8)),
    }
    assert branch.config["training"] | {"epochs": 2, "batch_size": 4} == branch.config["training"]
    assert branch.config["strategy"] == {
        "_target_": "ftsweep.strategies.Lora",
        "rank": 8,
        "alpha": None,
        "dropout": 0.0,
        "targets": "all-linear",
        "rslora": False,
        "dora": False,
        "init": "default",
    }
    assert config.search_folders == (Path.cwd(),)


def test_a_trial_gets_its_parameters_written_in(compose: Callable[..., SweepConfig]) -> None:
    (branch,) = compose(DEFAULTS + SPACE).branches
    config = branch.config_with({"training.learning_rate": 1e-3, "strategy.rank": 4})
    assert (config["training"]["learning_rate"], config["strategy"]["rank"]) == (1e-3, 4)


def test_the_command_line_sweeps_and_replaces_the_files_dimension(compose: Callable[..., SweepConfig]) -> None:
    config = compose(
        DEFAULTS + SPACE,
        "training.learning_rate=interval(0.1,0.2)",
        "training.batch_size=8,16",
        "training.epochs=int(interval(1,3))",
        "space.strategy.rank=[2]",
    )
    assert config.branches[0].space.dimensions == {
        "training.learning_rate": FloatInterval(0.1, 0.2),
        "strategy.rank": Choice((2,)),
        "training.batch_size": Choice((8, 16)),
        "training.epochs": IntInterval(1, 3),
    }


def test_one_bound_can_be_moved_from_the_command_line(compose: Callable[..., SweepConfig]) -> None:
    config = compose(DEFAULTS + SPACE, "space.training.learning_rate.high=5e-3", "~space.strategy")
    assert config.branches[0].space.dimensions == {"training.learning_rate": FloatInterval(1e-4, 5e-3, log=True)}


def test_a_group_override_wins_over_the_file(compose: Callable[..., SweepConfig]) -> None:
    config = compose(DEFAULTS + SPACE, "strategy=full", "~space.strategy", "pruner=none", "executor=inline")
    assert config.branches[0].config["strategy"] == {"_target_": "ftsweep.strategies.Full"}
    assert config.pruner == {"_target_": "ftsweep.search.pruners.NoPruner"}


def test_a_group_that_the_file_leaves_open_can_be_chosen_on_the_command_line(
    compose: Callable[..., SweepConfig],
) -> None:
    config = compose(DEFAULTS.replace("model: tiny, ", "") + SPACE, "model=tiny")
    assert config.branches[0].config["model"]["_target_"] == "ftsweep.models.TinyModel"


def test_the_pruner_inside_the_patient_one_can_be_chosen(compose: Callable[..., SweepConfig]) -> None:
    pruner = compose(DEFAULTS + SPACE, "pruner=patient", "pruner@pruner.pruner=hyperband").pruner
    assert pruner["pruner"]["_target_"] == "ftsweep.search.pruners.Hyperband"
    assert "startup_trials" not in pruner["pruner"]


PAIRS = ["task=preference"]
WRONG = [
    # keys, types, choices
    (["trainig.epochs=2"], ["command line (trainig.epochs=2)", "trainig", "'training'"]),
    (["training.epoch=2"], ["training.epoch", "Did you mean 'epochs'?"]),
    (["training.epochs=two"], ["training.epochs", "'two'", "valid number"]),
    (["training.batch_size=8.5"], ["training.batch_size", "8.5", "valid integer"]),
    (["training.batch_size='8'"], ["training.batch_size", "'8'", "valid integer"]),
    (["training.gradient_checkpointing=1"], ["training.gradient_checkpointing", "valid boolean"]),
    (["training.learning_rate=0"], ["training.learning_rate", "greater than 0"]),
    (["training.learning_rate=nan"], ["training.learning_rate", "finite"]),
    (["training.schedule=linaer"], ["training.schedule", "'linear', 'cosine' or 'constant'"]),
    (["training=3"], ["training", "not a mapping"]),
    (["budget.trials=null"], ["budget.trials: null is not possible"]),
    (["budget.trials=true"], ["budget.trials: true is not possible"]),
    (["=3"], ["command line: '=3' names no key", "key=value"]),
    (["strategy=full"], ["no 'strategy.rank'", "Or leave it out: '~space.strategy.rank'."]),
    (["budget.trials=0"], ["budget.trials", "greater than or equal to 1"]),
    (["rungs.count=0"], ["rungs.count"]),
    (["rungs.train_rows=15"], ["rungs.train_rows", "greater than or equal to 16"]),
    (["seed.data=-1"], ["seed.data"]),
    (["strategy.rnk=4"], ["strategy.rnk", "Did you mean 'rank'?"]),
    (["strategy.rank=four"], ["strategy.rank", "'four'", "valid integer"]),
    (["strategy.rank=0"], ["strategy.rank", "at least 1"]),
    (["executor.worker=2"], ["executor.worker", "'workers'"]),
    (["executor.workers=0"], ["executor.workers", "1 or more"]),
    (["sampler.startup_trials=1.5"], ["sampler.startup_trials", "valid integer"]),
    (["strategy=loraa"], ["command line: strategy=loraa does not exist", "'lora'"]),
    (["modl=tiny"], ["modl", "'model'"]),
    (["strategy=lora,full"], ["group 'strategy'", "branches"]),
    (["model=local"], ["model.path", "must be given", "model.path=..."]),
    (["model=local", "model.path=nope"], ["model.path", "no file or folder 'nope'", "looked in"]),
    (["training.learning_rate.x=1"], ["training.learning_rate has no keys below it"]),
    (["~space.training.epochs"], ["no 'space.training.epochs' to remove"]),
    # space
    (["space.training.learning_rate.high=1e-5"], ["space.training.learning_rate", "above"]),
    (["space.training.learning_rate.low=0"], ["logarithmic"]),
    (["space.training.learning_rate.step=1"], ["log and step"]),
    (["space.training.batch_size=[]"], ["space.training.batch_size", "empty"]),
    (["training.batch_size=8,8"], ["command line (training.batch_size=8,8)", "8 is there twice"]),
    (["space.training.batch_siz=[8,9]"], ["no 'training.batch_siz'", "'batch_size'"]),
    (["space.strategy.rnk=[8,9]"], ["no 'strategy.rnk'", "'rank'"]),
    (["space.seed.data=[1,2]"], ["space.seed.data", "never sampled"]),
    (["space.data.limit=[1,2]"], ["space.data.limit", "different data"]),
    (["training.schedule=choice(linear,cosin)"], ["space.training.schedule", "'cosin'"]),
    (["training.batch_size=interval(8,16)"], ["space.training.batch_size", "8.0", "valid integer"]),
    (["training.warmup=interval(0,1)"], ["space.training.warmup", "less than 1"]),
    (["strategy.rank=interval(4,8)"], ["space.strategy.rank", "valid integer"]),
    (["strategy.rank=choice(0,4)"], ["space.strategy.rank", "0 is not possible", "at least 1"]),
    (["strategy.targets=choice(all-linear,3)"], ["space.strategy.targets", "3"]),
    (["~space"], ["nothing varies", "12 trials", "budget.trials=1"]),
    (["space.strategy.rank=null"], ["space.strategy.rank", "None is not a dimension"]),
    # objective
    (["objective.split=test"], ["objective.split", "test split", "objective.split=validation"]),
    (["objective.split=train"], ["objective.split", "overfits", "objective.split=validation"]),
    (["objective.split=dev"], ["objective.split", "no split 'dev'"]),
    (["objective.metric=f1"], ["objective.metric", "no metric 'f1'", "macro_f1"]),
    (["objective.metric=perplexity"], ["objective.metric", "'perplexity'", "accuracy"]),
    (["objective.metric=accuracy", "objective.direction=minimize"], ["objective.direction", "=maximize"]),
    (
        [*PAIRS, "space.task.beta=[0.1,1]", "objective.metric=loss"],
        ["space.task.beta", "validation/loss means something else", "objective.metric=accuracy", "one task.beta"],
    ),
    (
        [*PAIRS, "space.task.loss=[dpo,orpo]", "objective.metric=accuracy"],
        ["space.task.loss", "objective.metric=ranking_accuracy"],
    ),
    (
        ["task=instruction", "space.task.max_length=[128,512]"],
        ["space.task.max_length", "means something else", "objective.metric=rouge_l", "one task.max_length"],
    ),
    (
        ["task=token_classification", "objective.metric=loss", "space.task.max_length=[64,128]"],
        ["space.task.max_length", "objective.metric=f1"],
    ),
    (["space.task.fold_labels=[true,false]"], ["space.task.fold_labels", "Set one task.fold_labels for all trials"]),
    (["task=instruction", "space.task.learn=[all,last]"], ["space.task.learn", "objective.metric=rouge_l"]),
    (["objective.direction=up"], ["objective.direction", "'minimize' or 'maximize'"]),
    # study
    (["study.name=a/b"], ["study.name", "'a/b'", "letters"]),
    (["study.name=5"], ["study.name", "valid string"]),
    (["study.enqueue=[{training.learning_rat:1}]"], ["study.enqueue[0]", "'training.learning_rate'"]),
    (["study.enqueue=[{training:{learning_rate:1}}]"], ["study.enqueue[0]", "outside the space", "1e-4 .. 0.01"]),
    (["study.enqueue=[{}]"], ["study.enqueue[0]", "no parameter"]),
    (["study.enqueue=3"], ["study.enqueue", "valid array"]),
    (["budget.trials=1", "study.enqueue=[{strategy.rank:4}]"], ["study.enqueue", "budget.trials=2"]),
    # what may be built
    (["model._target_=os.system"], ["model", "os.system lies outside ftsweep", "no component"]),
    (["model._target_=my_pkg.Model"], ["model", "allow: [my_pkg]"]),
    (["model._target_=ftsweep.store.atomic.remove"], ["model", "not a component class"]),
    (["strategy.targets={_target_: os.getcwd}"], ["strategy.targets", "os.getcwd lies outside"]),
    (["strategy={_target_: ftsweep.strategies.Full}"], ["strategy.rank", "conf/strategy/lora.yaml", "strategy=NAME"]),
    (["strategy={_target_: ftsweep.strategies.Full, rnk: 1}", "~strategy.rank"], ["strategy.alpha", "It is one of"]),
    (["strategy={rnk: 1}"], ["strategy.rnk", "Did you mean 'rank'?"]),
    (["model._partial_=true"], ["model", "'_partial_' is not supported"]),
    (["allow=[os]"], ["allow", "belongs to Python itself"]),
    (["allow=my_pkg"], ["allow", "list of package names"]),
    (["allow=['../x']"], ["allow", "not a package's name"]),
    # interpolation
    (["training.epochs=${nope}"], ["training.epochs", "'nope' not found"]),
    (["strategy.alpha=${strategy.rank}"], ["strategy.alpha follows strategy.rank", "dimension of its own"]),
]


@pytest.mark.parametrize(("overrides", "says"), WRONG, ids=lambda value: " ".join(value) if "=" in value[0] else "")
def test_a_wrong_setting_is_one_error_that_names_key_and_remedy(
    overrides: list[str], says: list[str], compose: Callable[..., SweepConfig]
) -> None:
    message = refused(compose, DEFAULTS + SPACE, *overrides)
    for words in says:
        assert words in message
    assert message.count("\n") == 0


WRONG_FILES = [
    ("", ["mapping of settings", "defaults: [base"]),
    ("- a\n", ["mapping of settings"]),
    (DEFAULTS + SPACE + "data: [1]\n", ["data: [1] is not a mapping", "data: {key: value}"]),
    (DEFAULTS + "space: [1\n", ["mine.yaml:3", "not YAML"]),
    (DEFAULTS + "study: {}\nstudy: {}\n", ["mine.yaml:3", "duplicate key study"]),
    (SPACE, ["no `defaults`", "defaults: [base"]),
    ("defaults: {model: tiny}\n", ["must be a list"]),
    (DEFAULTS.replace(", _self_", ""), ["lacks `_self_`", "last"]),
    (DEFAULTS.replace("base, ", "") + SPACE, ["no executor is chosen", "base"]),
    (DEFAULTS.replace("base, ", "bse, ") + SPACE, ["'bse'", "`base`"]),
    (DEFAULTS.replace("model: tiny, ", "") + SPACE, ["no model is chosen", "model: NAME", "tiny"]),
    (DEFAULTS.replace("model: tiny", "model: tinny") + SPACE, ["model=tinny", "'tiny'"]),
    (DEFAULTS.replace("model: tiny", "modle: tiny") + SPACE, ["config group 'modle'", "'model'"]),
    (DEFAULTS + "trainin: {}\n", ["mine.yaml: trainin", "'training'"]),
    (DEFAULTS + SPACE + "training: {epochs: abc}\n", ["mine.yaml: training.epochs", "'abc'"]),
    (DEFAULTS + "space: {training.epochs: [1, 2]}\n", ["'training.epochs'", "Mirror the tree"]),
    (DEFAULTS + "hydra: {run: {dir: x}}\n", ["hydra.run", "hydra.searchpath"]),
    (DEFAULTS + "hydra: {searchpath: [nowhere]}\n", ["nowhere", "does not exist"]),
    (DEFAULTS + "hydra: {searchpath: ['pkg://nowhere']}\n", ["no package 'nowhere'"]),
    (DEFAULTS + "model: null\n", ["no model is chosen"]),
    (DEFAULTS.replace("_self_", "pruner: none, _self_") + SPACE, ["pruner is chosen twice", "`override pruner: none`"]),
]


@pytest.mark.parametrize(("text", "says"), WRONG_FILES, ids=range(len(WRONG_FILES)))
def test_a_wrong_file_is_one_error_that_names_it(
    text: str, says: list[str], compose: Callable[..., SweepConfig]
) -> None:
    message = refused(compose, text)
    for words in says:
        assert words in message


@pytest.mark.parametrize(
    ("sweep", "says"),
    [
        ("quickstar", ["no shipped sweep 'quickstar'", "'quickstart'"]),
        ("nope.yaml", ["nope.yaml", "no such sweep file"]),
        ("nowhere/x.yaml", ["folder does not exist"]),
        ("mine.yml", ["must end with .yaml"]),
    ],
)
def test_a_sweep_that_is_not_there_is_answered_with_near_names(
    sweep: str, says: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yml").write_text(DEFAULTS)
    with pytest.raises(ConfigError) as caught:
        compose_sweep(sweep)
    for words in says:
        assert words in str(caught.value)


def test_a_file_name_that_cannot_name_a_study_asks_for_another(compose: Callable[..., SweepConfig]) -> None:
    assert "study.name" in refused(compose, DEFAULTS + SPACE, name="my sweep.yaml")
    assert compose(DEFAULTS + SPACE + "study: {name: x}\n", name="my sweep.yaml").study.name == "x"


def test_a_sweep_cannot_build_on_itself(compose: Callable[..., SweepConfig]) -> None:
    assert "this file itself" in refused(compose, DEFAULTS + SPACE, name="base.yaml")


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "loss"])
def test_the_direction_is_the_metrics_own(metric: str, compose: Callable[..., SweepConfig]) -> None:
    objective = compose(DEFAULTS + SPACE, f"objective.metric={metric}").objective
    assert objective.direction == ("minimize" if metric == "loss" else "maximize")


@pytest.mark.parametrize("entry", ["{training.learning_rate: 3e-4}", "{training: {learning_rate: 3e-4}}"])
def test_an_enqueued_setting_is_completed_by_the_default(entry: str, compose: Callable[..., SweepConfig]) -> None:
    config = compose(DEFAULTS + SPACE + f"study: {{enqueue: [{entry}]}}\n")
    assert config.study.enqueue == ({"training.learning_rate": 3e-4, "strategy.rank": 8},)


# branches


def test_each_branch_has_its_own_components_settings_and_space(compose: Callable[..., SweepConfig]) -> None:
    config = compose(BRANCHES)
    every, low = config.branches
    assert (every.name, low.name) == ("all", "low_rank")
    assert every.config["strategy"]["_target_"].endswith("Full")
    assert low.config["strategy"]["_target_"].endswith("Lora")
    assert (every.config["training"]["learning_rate"], low.config["training"]["learning_rate"]) == (1e-4, 2e-4)
    assert every.space.dimensions == {"training.batch_size": Choice((8, 16))}
    assert low.space.dimensions == {"training.batch_size": Choice((4, 16)), "strategy.rank": Choice((4, 8))}
    assert every.config["data"] == low.config["data"]


def test_the_command_line_wins_over_a_branchs_override(compose: Callable[..., SweepConfig]) -> None:
    config = compose(BRANCHES, "training.learning_rate=5e-4")
    assert [branch.config["training"]["learning_rate"] for branch in config.branches] == [5e-4, 5e-4]


def test_a_branchs_space_can_be_changed_from_the_command_line(compose: Callable[..., SweepConfig]) -> None:
    config = compose(BRANCHES, "branches.low_rank.space.strategy.rank=[2,32]")
    assert config.branches[1].space.dimensions["strategy.rank"] == Choice((2, 32))


def test_an_enqueued_setting_of_a_branch_carries_its_prefix(compose: Callable[..., SweepConfig]) -> None:
    config = compose(BRANCHES + "study: {enqueue: [{low_rank: {strategy: {rank: 4}}}]}\n")
    assert config.study.enqueue == ({"low_rank.training.batch_size": 16, "low_rank.strategy.rank": 4},)


@pytest.mark.parametrize(
    ("text", "overrides", "says"),
    [
        (
            BRANCHES.replace("classification", "preference")
            + "  odds: {strategy: full, overrides: [task.loss=orpo]}\n",
            ["objective.metric=accuracy"],
            ["branches.odds", "task.loss", "objective.metric=ranking_accuracy"],
        ),
        (BRANCHES + "  a.b: {}\n", [], ["'a.b'", "cannot be a branch's name"]),
        (BRANCHES + "  training: {}\n", [], ["'training'", "Rename"]),
        (BRANCHES + "  more: {data: files}\n", [], ["branches.more.data", "share one data"]),
        (BRANCHES + "  more: {strategi: lora}\n", [], ["branches.more.strategi", "'strategy'"]),
        (BRANCHES + "  more: {strategy: loraa}\n", [], ["branches.more", "strategy=loraa", "'lora'"]),
        (BRANCHES + "  more: {strategy: [lora]}\n", [], ["branches.more.strategy", "overrides"]),
        (BRANCHES + "  more: {}\n", [], ["branch 'more'", "no strategy is chosen"]),
        (BRANCHES + "  more: lora\n", [], ["branches.more", "mapping"]),
        (BRANCHES + "  more: {strategy: lora, overrides: [seed.data=1]}\n", [], ["seed.data=1", "one branch alone"]),
        (BRANCHES + "  more: {strategy: lora, overrides: [strategy=full]}\n", [], ["strategy: full"]),
        (BRANCHES + "  more: {strategy: lora, overrides: [strategy.rnk=1]}\n", [], ["overrides", "'more'", "'rank'"]),
        (BRANCHES + "  more: {strategy: lora, overrides: 3}\n", [], ["branches.more.overrides", "list"]),
        (BRANCHES + "  more: {strategy: lora, space: {strategy: {rnk: [1]}}}\n", [], ["'more'", "'rank'"]),
        (BRANCHES + "  more: {strategy: lora, space: {strategy: {rank: []}}}\n", [], ["branches.more.space", "empty"]),
        (BRANCHES, ["strategy.rank=choice(4,8)"], ["branch 'all'", "strategy.rank", "branches.NAME.space"]),
        (BRANCHES, ["strategy=lora"], ["no effect", "branches.all.strategy=lora"]),
        (BRANCHES + "  more: {strategy: lora, task: text}\n", ["objective.metric=accuracy"], ["'more'", "'accuracy'"]),
        (BRANCHES, ["study.enqueue=[{all.training.batch_size:8,low_rank.strategy.rank:4}]"], ["one branch"]),
        (BRANCHES, ["~space", "~branches.low_rank.space"], ["nothing varies", "2 settings", "budget.trials=2"]),
    ],
)
def test_a_wrong_branch_is_one_error_that_names_it(
    text: str, overrides: list[str], says: list[str], compose: Callable[..., SweepConfig]
) -> None:
    message = refused(compose, text, *overrides)
    for words in says:
        assert words in message


def test_approaches_can_be_compared_without_any_dimension(compose: Callable[..., SweepConfig]) -> None:
    config = compose(BRANCHES, "~space", "~branches.low_rank.space", "budget.trials=2")
    assert [dict(branch.space.dimensions) for branch in config.branches] == [{}, {}]


# the user's own groups, components and files

TASK = """
import torch  # a user's module may do this; the control process must not
print("noise on standard output")
from ftsweep.domain.metric import Metric
from ftsweep.tasks import Classification


class Mine(Classification):
    metrics = {"loss": Metric("minimize", low=0), "kappa": Metric("maximize", low=-1, high=1)}

    def __init__(self, *, max_length: int = 64, style: str = "plain") -> None:
        if style == "bad":
            raise ValueError("no such style")
        super().__init__(max_length=max_length)
"""


@pytest.fixture
def sweep_with_a_task(tmp_path: Path) -> Path:
    (tmp_path / "my_tasks.py").write_text(TASK)
    for group, name, text in [
        ("task", "classification", "_target_: my_tasks.Mine\nstyle: plain\n"),
        ("strategy", "lora", "_target_: ftsweep.strategies.Lora\nrank: 2\n"),
    ]:
        (tmp_path / group).mkdir()
        (tmp_path / group / f"{name}.yaml").write_text(text)
    sweep = tmp_path / "mine.yaml"
    sweep.write_text(DEFAULTS + SPACE + "allow: [my_tasks]\nobjective: {metric: kappa}\n")
    return sweep


def test_groups_and_classes_beside_the_sweep_file_win_and_torch_stays_out(sweep_with_a_task: Path) -> None:
    script = f"""
import sys
from ftsweep.config.compose import compose_sweep
from ftsweep.errors import ConfigError
config = compose_sweep({str(sweep_with_a_task)!r})
task = config.branches[0].config["task"]
assert task == {{"_target_": "my_tasks.Mine", "style": "plain", "max_length": 64}}, task
assert config.branches[0].config["strategy"]["rank"] == 2
assert config.objective.direction == "maximize"
assert config.allowed_packages == ("my_tasks",)
try:
    compose_sweep({str(sweep_with_a_task)!r}, ["task.style=bad"])
except ConfigError as error:
    assert "no such style" in str(error), error
else:
    raise AssertionError
heavy = {{"torch", "transformers", "datasets", "peft", "optuna", "mlflow", "plotly", "my_tasks"}} & set(sys.modules)
assert not heavy, heavy
assert {str(sweep_with_a_task.parent)!r} not in sys.path
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("task.stile=a", "'style'"),
        ("task.style=3", "valid string"),
        ("space.task.style=[plain,bad]", "space.task.style"),
        ("task._target_=my_tasks.Mne", "'Mine'"),
    ],
)
def test_a_users_class_is_held_against_its_settings(
    sweep_with_a_task: Path, override: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what its own process does, here: that process is the test's above
    monkeypatch.setattr("ftsweep.config.checks.components._needs_process", lambda request: False)
    try:
        with pytest.raises(ConfigError) as caught:
            compose_sweep(str(sweep_with_a_task), [override])
    finally:
        sys.modules.pop("my_tasks")
    assert words in str(caught.value)


def test_a_user_class_needs_the_sweep_files_permission_before_it_is_imported(
    compose: Callable[..., SweepConfig],
) -> None:
    Path("my_sampler.py").write_text("open('imported', 'w').close()\nclass Mine: pass\n")
    assert "allow: [my_sampler]" in refused(compose, DEFAULTS + SPACE, "sampler._target_=my_sampler.Mine")
    assert not Path("imported").exists()


def test_a_module_that_fails_to_import_is_one_error(compose: Callable[..., SweepConfig]) -> None:
    Path("my_broken.py").write_text("raise RuntimeError('half written')\n")
    message = refused(compose, DEFAULTS + SPACE + "allow: [my_broken]\n", "strategy._target_=my_broken.Mine")
    assert "strategy" in message
    assert "RuntimeError: half written" in message


def test_a_module_that_kills_the_checking_process_is_one_error(compose: Callable[..., SweepConfig]) -> None:
    Path("my_killer.py").write_text("import os; os._exit(3)\n")
    message = refused(compose, DEFAULTS + SPACE + "allow: [my_killer]\n", "strategy._target_=my_killer.Mine")
    assert "my_killer.Mine ended with exit code 3" in message


@pytest.mark.parametrize("entry", ["extra", "file://extra"])
def test_the_users_search_path_survives_and_wins_over_shipped_groups(
    entry: str, compose: Callable[..., SweepConfig]
) -> None:
    Path("extra/strategy").mkdir(parents=True)
    Path("extra/strategy/lora.yaml").write_text("_target_: ftsweep.strategies.Lora\nrank: 77\n")
    text = DEFAULTS + "space: {training: {epochs: [1, 2]}}\nbudget: {trials: 2}\n"
    written = compose(text + f"hydra: {{searchpath: ['{entry}']}}\n")
    typed = compose(text, f"hydra.searchpath=['{entry}']")
    for config in (written, typed):
        assert config.branches[0].config["strategy"]["rank"] == 77
        assert config.pruner["_target_"] == "ftsweep.search.pruners.Median"


def test_files_are_found_beside_the_sweep_file_first_then_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "there/mine.yaml").write_text(DEFAULTS.replace("pydocs", "files") + SPACE)
    for file in ("there/both.jsonl", "here/both.jsonl", "here/only.jsonl"):
        (tmp_path / file).write_text("{}\n")
    monkeypatch.chdir(tmp_path / "here")

    def train(typed: str) -> str:
        return str(compose_sweep("../there/mine.yaml", [f"data.train={typed}"]).branches[0].config["data"]["train"])

    assert train("both.jsonl") == str(tmp_path / "there/both.jsonl")
    assert train("only.jsonl") == str(tmp_path / "here/only.jsonl")
    assert train(str(tmp_path / "here/both.jsonl")) == str(tmp_path / "here/both.jsonl")
    monkeypatch.setenv("HOME", str(tmp_path / "here"))
    assert train("'~/only.jsonl'") == str(tmp_path / "here/only.jsonl")


# traces


@pytest.mark.usefixtures("composed_anew")
def test_composing_leaves_no_trace_and_works_inside_a_hydra_program(compose: Callable[..., SweepConfig]) -> None:
    before = dict(Singleton._instances)
    path = list(sys.path)
    compose(DEFAULTS + SPACE)
    refused(compose, DEFAULTS + SPACE, "strategy=nope")
    assert not GlobalHydra().is_initialized()
    assert sys.path == path
    marker = Singleton._instances[JobRuntime] = JobRuntime()
    marker.set("name", "theirs")
    try:
        first, second = compose(DEFAULTS + SPACE), compose(DEFAULTS + SPACE)
        assert first == second
        assert JobRuntime.instance().get("name") == "theirs"
    finally:
        Singleton._instances.clear()
        Singleton._instances.update(before)


@pytest.mark.usefixtures("composed_anew")
def test_hydra_programs_in_the_same_process_do_not_see_shipped_groups(
    compose: Callable[..., SweepConfig], tmp_path: Path
) -> None:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import MissingConfigException

    compose(DEFAULTS + SPACE)
    (tmp_path / "theirs.yaml").write_text("defaults: [strategy: lora, _self_]\n")
    with (
        initialize_config_dir(str(tmp_path), version_base="1.3"),
        pytest.raises(MissingConfigException, match="strategy/lora"),
    ):
        hydra_compose("theirs")
