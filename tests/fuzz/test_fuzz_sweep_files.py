"""Whatever stands in a sweep file or on the command line: a checked configuration, or one paragraph."""

from __future__ import annotations

import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import yaml
from fuzzing import fuzz
from hypothesis import strategies as st
from omegaconf import OmegaConf

from ftsweep.config.compose import compose_sweep, explain_sweep
from ftsweep.config.explain import as_yaml
from ftsweep.config.folders import shipped_folder
from ftsweep.config.layers import resolve
from ftsweep.config.schema import TOP_LEVEL_KEYS
from ftsweep.errors import FtsweepError, UsageError

SHIPPED = [file.read_text() for file in sorted(shipped_folder("sweeps").glob("*.yaml"))]
START = "defaults: [base, model: tiny, data: pydocs, task: classification, strategy: lora, _self_]\n"
WORDS = [
    *TOP_LEVEL_KEYS,
    "defaults",
    "hydra",
    "searchpath",
    "_self_",
    "_target_",
    "_partial_",
    "_args_",
    "base",
    "tiny",
    "lora",
    "os.system",
    "ftsweep.executors.process.WorkerProcess",
    "ftsweep.tasks.Text",
    "../x",
    "/etc/passwd",
    "..",
    "",
    "${study.name}",
    "${a}${a}",
    "${oc.env:HOME}",
    "${",
    "\\${x}",
    "name",
    "path",
    "trials",
    "learning_rate",
    "rank",
    "low",
    "high",
    "step",
    "log",
    "mode",
    "fix",
    "count",
    "metric",
    "train",
    "https://u:secretword@host/x",
    "é",
    "\0",
    "\u202e",
    "\u0661",
]
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.sampled_from(WORDS)
    | st.text(max_size=20)
)
keys = st.sampled_from(WORDS) | st.text(max_size=8) | st.integers() | st.booleans() | st.none()
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=20
)
sections = st.dictionaries(st.sampled_from(TOP_LEVEL_KEYS), trees, max_size=4)


@st.composite
def mutated(draw: Any) -> str:
    """A shipped sweep of which a few pieces were cut, doubled, exchanged or overwritten."""
    text = draw(st.sampled_from(SHIPPED))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        piece = draw(
            st.sampled_from(
                [
                    "",
                    text[start:end] * 2,
                    "&a [*a]",
                    "*a",
                    "\t",
                    "{",
                    "]",
                    ": ",
                    "- ",
                    "'",
                    "!!python/name:os.system ",
                    ".nan",
                ]
            )
            | st.text(max_size=12)
            | st.sampled_from(WORDS)
        )
        text = text[:start] + piece + text[end:]
    return text


def written(tree: Any) -> str:
    return START + yaml.safe_dump({key: value for key, value in tree.items() if key != "defaults"}, allow_unicode=True)


def outcome_of(text: str, *overrides: str) -> None:
    """Composes or refuses; anything else is the fault that is looked for."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("fuzzed.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
        refused: FtsweepError | None = None
        try:
            explain_sweep("fuzzed.yaml", overrides)
        except FtsweepError as error:
            refused = error
        assert [file.name for file in Path().iterdir()] == ["fuzzed.yaml"], "composing leaves nothing behind"
    if refused is not None:
        assert isinstance(refused, UsageError), "bad input is exit code 2"
        assert str(refused).strip()
        assert "secretword" not in str(refused)


@fuzz(12, text=mutated())
def test_a_mutated_sweep_file_is_composed_or_refused(text: str) -> None:
    outcome_of(text)


@fuzz(12, tree=sections)
def test_any_tree_of_settings_is_composed_or_refused(tree: dict[str, Any]) -> None:
    outcome_of(written(tree))


@fuzz(10, text=st.text() | st.text("{}[]:,-&*!|>'\"%@`#?\n \tab0."))
def test_any_text_is_composed_or_refused(text: str) -> None:
    outcome_of(text)


overrides = st.builds(
    "{}{}={}".format,
    st.sampled_from(["", "+", "++", "~"]),
    st.sampled_from(
        [
            "training.learning_rate",
            "space.training.epochs",
            "space",
            "strategy",
            "strategy.rank",
            "model",
            "data",
            "study.name",
            "guards.near_duplicates",
            "guards",
            "branches",
            "stages",
            "executor.workers",
            "allow",
            "hydra.searchpath",
            "task._target_",
            "budget.trials",
            "store.path",
            "report.figures",
            "study.enqueue",
            "seed.data",
            "rungs.count",
        ]
    )
    | st.text("abc.@/_", max_size=10),
    st.sampled_from(
        [
            "",
            "null",
            "choice(1,2)",
            "interval(1,2)",
            "interval(0,inf)",
            "tag(log,interval(1e-5,1e-3))",
            "range(1,9)",
            "glob(*)",
            "[1,2,2]",
            "{low:1,high:3}",
            "{low:nan,high:inf}",
            "{_target_:os.system}",
            "..",
            "'../x'",
            "lora",
            "-1",
            "1e400",
            "9" * 400,
            "${oc.env:HOME}",
            "[[[]]]",
            "{a:{a:{a:1}}}",
            "true",
            "full",
            "[" * 50,
            "files",
            "hub",
        ]
    )
    | st.text(max_size=12)
    | st.floats().map(str)
    | st.integers(-(10**30), 10**30).map(str),
)


@fuzz(12, lines=st.lists(overrides, min_size=1, max_size=2))
def test_any_override_is_composed_or_refused(lines: list[str]) -> None:
    outcome_of(START + "space: {training: {learning_rate: {low: 1e-4, high: 1e-2, log: true}}}\n", *lines)


def test_aliases_and_interpolations_that_would_never_end_are_refused_at_once() -> None:
    lists = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    doubled = [f"l{i}: '${{task.l{i + 1}}}${{task.l{i + 1}}}'" for i in range(30)]
    trees = [f"b{i}: {{x: '${{task.b{i + 1}}}', y: '${{task.b{i + 1}}}'}}" for i in range(30)]
    for bomb in (
        "a0: &a0 [x, x, x]\n" + "\n".join(lists) + "\n",
        "task: {" + ", ".join([*doubled, "l30: x"]) + "}\n",
        "task: {" + ", ".join([*trees, "b30: x"]) + "}\n",
        "study: &a {name: *a}\n",
        "space: " + "{a: " * 5000 + "1" + "}" * 5000 + "\n",
        "study: {enqueue: " + "[" * 5000 + "]" * 5000 + "}\n",
        "study: {name: '" + "a" * (1 << 21) + "'}\n",
    ):
        with tempfile.TemporaryDirectory() as folder, chdir(folder):
            Path("bomb.yaml").write_text(START + bomb)
            with pytest.raises(UsageError, match="too much to read"):
                compose_sweep("bomb.yaml")


pieces = st.sampled_from(
    ["${", "}", "\\", "$", "a", ".", ":", "oc.env", "'", '"', " ", "\n", "?", "#", "-", "1e-3", "\u00e9"]
)


@fuzz(60, text=st.lists(pieces).map("".join))
def test_what_was_composed_reads_the_same_from_its_own_yaml(text: str) -> None:
    tree = {"a": text, "b": [{"c": text}]}
    assert resolve(OmegaConf.to_container(OmegaConf.create(as_yaml(tree)), resolve=False), "x") == tree
