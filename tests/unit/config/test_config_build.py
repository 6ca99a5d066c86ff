"""Building components, and what may never be built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftsweep.config.build import build, import_path
from ftsweep.errors import ConfigError

MODULE = """
from pathlib import Path
from os import system
from ftsweep.errors import ConfigError


class Wrapper:
    def __init__(self, *, inner=None, text="", items=(), settings=None):
        self.inner, self.text, self.items, self.settings = inner, text, items, settings


class Fussy:
    def __init__(self, *, size):
        if size < 0:
            raise ConfigError(f"{size} is below 0", where="strategy.size", remedy="Give 0 or more.")
        raise ZeroDivisionError("inside")


def function():
    raise AssertionError("a function was called")


instance = Wrapper()
"""


@pytest.fixture(scope="module", autouse=True)
def module(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("components")
    (folder / "built_components.py").write_text(MODULE)
    (folder / "never_imported.py").write_text("import sys\nsys.was_imported = True\nclass Anything: pass")
    with import_path([folder]):
        yield


def make(**node: Any) -> Any:
    return build({"_target_": "built_components.Wrapper", **node}, allowed=["built_components"])


def test_nested_components_are_built_first_and_values_stay_plain() -> None:
    built = make(inner={"_target_": "built_components.Wrapper", "text": "a"}, items=[1, [2]], settings={"a": {"b": 1}})
    assert type(built.inner).__name__ == "Wrapper"
    assert built.inner.text == "a"
    assert (type(built.items), built.items) == (list, [1, [2]])
    assert (type(built.settings), type(built.settings["a"])) == (dict, dict)


def test_ftsweeps_own_components_need_no_permission() -> None:
    assert type(build({"_target_": "ftsweep.tasks.Text", "max_length": 64})).__name__ == "Text"


@given(st.text(st.sampled_from("${}\\a?.:'\" \n")))
def test_text_is_never_read_as_an_interpolation(text: str) -> None:
    assert make(text=text, settings={"a": [text]}).settings == {"a": [text]}


OUTSIDE = [
    "os.system",
    "never_imported.Anything",
    "builtins.eval",
    "hydra.utils.get_method",
    "hydra.utils.instantiate",
    "ftsweepx.models.Model",
    "built_componentsx.Wrapper",
]
NO_PATH = [
    "ftsweep",
    "ftsweep.",
    ".ftsweep.models",
    "ftsweep..models.Model",
    "ftsweep.models.tiny.__builtins__",
    "ftsweep.models.tiny.__class__",
    "ftsweep.models.ModelSource.__init__.__globals__",
    "built_components.Wrapper.__init__",
    "built_components._hidden",
    "built_components",
    ["os.system"],
    None,
    3,
    "",
]
NO_COMPONENT = [
    "ftsweep.store.folders.os.system",
    "ftsweep.store.folders.shutil.rmtree",
    "ftsweep.store.atomic.remove",
    "ftsweep.store.folders.Path",
    "ftsweep.config.build.build",
    "built_components.system",
    "built_components.Path",
    "built_components.function",
    "built_components.instance",
]
ATTACKS = [
    *((target, "lies outside ftsweep") for target in OUTSIDE),
    *((target, "cannot be a `_target_`") for target in NO_PATH),
    *((target, "is not a component class|there is no module") for target in NO_COMPONENT),
]


@pytest.mark.parametrize(("target", "says"), ATTACKS)
@pytest.mark.parametrize("nested", [False, True])
def test_a_target_outside_what_is_allowed_is_refused_wherever_it_stands(target: Any, says: str, nested: bool) -> None:
    node = {"_target_": target}
    whole = {"_target_": "built_components.Wrapper", "items": [{"a": node}]} if nested else node
    with pytest.raises(ConfigError, match=says) as caught:
        build(whole, allowed=["built_components"], where="strategy")
    assert str(caught.value).startswith("strategy.items[0].a:" if nested else "strategy:")
    assert not hasattr(sys, "was_imported")


@pytest.mark.parametrize("key", ["_args_", "_partial_", "_recursive_", "_convert_"])
def test_keys_that_steer_the_instantiation_are_refused(key: str) -> None:
    for node in ({key: True}, {"settings": {"a": {key: ["x"]}}}):
        with pytest.raises(ConfigError, match=f"'{key}' is not supported"):
            make(**node)


def test_a_node_without_a_class_is_refused() -> None:
    with pytest.raises(ConfigError, match="sampler: the node names no class"):
        build({"rank": 3}, where="sampler")


def test_a_constructors_own_error_keeps_its_words() -> None:
    with pytest.raises(ConfigError) as caught:
        build({"_target_": "built_components.Fussy", "size": -1}, allowed=["built_components"], where="strategy")
    assert str(caught.value) == "strategy.size: -1 is below 0. Give 0 or more."


def test_a_constructors_accident_is_one_sentence_with_its_cause() -> None:
    with pytest.raises(ConfigError, match=r"strategy: built_components\.Fussy cannot be made .*: inside") as caught:
        build({"_target_": "built_components.Fussy", "size": 1}, allowed=["built_components"], where="strategy")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_class_that_does_not_exist_is_answered_with_near_names() -> None:
    with pytest.raises(ConfigError, match=r"has no class 'Wraper'.*Did you mean 'Wrapper'"):
        build({"_target_": "built_components.Wraper"}, allowed=["built_components"])
    with pytest.raises(ConfigError, match=r"no module 'ftsweep\.nowhere'"):
        build({"_target_": "ftsweep.nowhere.Thing"})


def test_user_folders_never_shadow_installed_modules(tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("raise AssertionError('shadowed')")
    code = f"from ftsweep.config.build import import_path\nwith import_path([{str(tmp_path)!r}]): import random"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_building_needs_no_hydra_pydantic_optuna_or_torch() -> None:
    code = (
        "import sys; from ftsweep.config.build import build\n"
        "build({'_target_': 'ftsweep.tasks.Text', 'max_length': 64})\n"
        "heavy = {'hydra', 'omegaconf', 'pydantic', 'optuna', 'mlflow', 'torch'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_module_that_an_installed_one_of_its_name_hides_is_named(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("class Mine: pass\n")
    with import_path([tmp_path]), pytest.raises(ConfigError, match=r"numpy has no class 'Mine'") as refused:
        build({"_target_": "numpy.Mine"}, allowed=["numpy"])
    assert f"which hides {tmp_path}/numpy.py: give that one another name." in str(refused.value)
