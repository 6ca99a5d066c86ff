"""The docs say what is so: pages and links, commands, keys, and every sweep that they show."""

from __future__ import annotations

import ast
import inspect
import runpy
import shutil
from dataclasses import MISSING, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.exceptions import UsageError
from docs_pages import PAGES, ROOT, Block, anchors, blocks, commands, keys_by_section, links, name_of

from ftsweep import __version__
from ftsweep.cli import main as cli
from ftsweep.config import schema
from ftsweep.config.build import locate
from ftsweep.config.checks.values import parameters
from ftsweep.config.compose import compose_sweep
from ftsweep.config.folders import list_group, shipped_folder
from ftsweep.domain.objective import Objective

DOCS = ROOT / "docs"
EXAMPLE = DOCS / "examples" / "tickets"
DEFAULTS = "defaults: [base, model: tiny, data: pydocs, task: classification, strategy: lora, _self_]\n"
SPACE = "space: {training: {epochs: [1, 2]}}\n"
CORE = {
    "study": schema.StudySettings,
    "store": schema.StoreSettings,
    "budget": schema.Budget,
    "seed": schema.SeedSettings,
    "rungs": schema.RungSettings,
    "training": schema.TrainingSettings,
    "objective": Objective,
}
COMPONENTS = sorted(shipped_folder("conf").glob("*/*.yaml"))
YAML_BLOCKS = [block for page in PAGES for block in blocks(page, "yaml")]
COMMANDS = [(name_of(page), words) for page in PAGES for words in commands(page)]


def spelled(value: Any) -> str:
    """A default as the tables have it: as YAML has it in one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {spelled(inside)}' for key, inside in value.items())}}}"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return f"[{', '.join(value)}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


# -- pages ------------------------------------------------------------------------------------------------------------


def test_every_page_is_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            files = [target.partition("#")[0] for target in links(page)]
            waiting += [(page.parent / file).resolve() for file in files if file]
    assert set(PAGES) <= reached


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in links(page):
        file, _, anchor = target.partition("#")
        place = (page.parent / file).resolve() if file else page
        assert place.exists(), target
        if anchor:
            assert anchor in anchors(place), target


def test_readme_tree_has_every_folder() -> None:
    (tree,) = [block.text for block in blocks(ROOT / "README.md", "text") if "pyproject.toml" in block.text]
    named = [line.split()[0] for line in tree.splitlines()]
    packages = {f"{folder.parent.name}/" for folder in (ROOT / "ftsweep").glob("*/__init__.py")}
    assert packages <= set(named)
    for name in named:
        assert (ROOT / name).exists() or (ROOT / "ftsweep" / name).exists(), name


def test_changelog_speaks_of_this_version() -> None:
    assert __version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_no_page_names_a_place_of_one_machine() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert f"{ROOT.parent}/" not in text, page
        assert "/tmp/" not in text, page


# -- commands ---------------------------------------------------------------------------------------------------------


def test_command_reference_is_what_the_commands_say() -> None:
    made = runpy.run_path(str(DOCS / "make_cli_reference.py"))["reference"]()
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == made, "run `make docs`"


def test_every_command_is_shown_in_use() -> None:
    assert {words[0] for _, words in COMMANDS} >= set(cli.main.commands)


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=lambda value: value if isinstance(value, str) else value[0])
def test_every_command_line_is_one_that_the_command_takes(
    page: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if words[0].startswith("--"):
        words = [*words[1:], words[0]]
    command = cli.main.commands.get(words[0])
    assert command is not None, f"{page}: ftsweep {words[0]}"
    if len(words) == 1:  # a command's name in a sentence
        return
    context = click.Context(command, info_name=words[0])
    try:
        given, _, _ = command.make_parser(context).parse_args([word for word in words[1:] if word != "--debug"])
    except UsageError as error:
        pytest.fail(f"{page}: ftsweep {' '.join(words)}: {error.message}")
    sweep, overrides = given.get("sweep"), given.get("overrides")
    if sweep in (None, "SWEEP", "FILE") or words[0] == "copy":
        return
    monkeypatch.chdir(tmp_path)
    for block in YAML_BLOCKS:
        if block.sweep_name == sweep:
            place_sweep(block, sweep)
    overrides = overrides if isinstance(overrides, tuple) else ()  # click marks what was not given
    for file in [word.partition("train=")[2] for word in overrides if ".train=" in word]:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).touch()
    compose_sweep(sweep, overrides)


# -- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("node", CORE)
def test_every_core_key_is_explained_as_in_the_schema(node: str) -> None:
    documented = {key.name.partition(".")[2]: key for key in keys_by_section(DOCS / "sweep-file.md")[node]}
    keys = [field for field in fields(CORE[node]) if field.repr]  # an objective's metrics are no key
    assert list(documented) == [field.name for field in keys]
    for field in keys:
        key = documented[field.name]
        if CORE[node] is not Objective:
            assert key.meaning == help_text(CORE[node], field.name)
        if key.default.startswith("`") and field.default is not MISSING:
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            assert yaml_value(key.default) == default, field.name


@pytest.mark.parametrize("file", COMPONENTS, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_setting_of_a_component_is_explained(file: Path) -> None:
    group, target = file.parent.name, yaml.safe_load(file.read_text())["_target_"]
    pages = ("data-gate.md", "fit-verdicts.md") if group == "guards" else ("sweep-file.md",)
    sections = {title: keys for page in pages for title, keys in keys_by_section(DOCS / page).items()}
    same = [each.stem for each in file.parent.glob("*.yaml") if yaml.safe_load(each.read_text())["_target_"] == target]
    (title,) = [f"{group}: {name}" for name in same if f"{group}: {name}" in sections]
    prefix = {"guards": f"{group}.{file.stem}.", "judge": "task.judge."}.get(group, f"{group}.")
    documented = {key.name.removeprefix(prefix): key.default for key in sections[title]}
    known = parameters(locate(target))
    assert list(documented) == list(known)
    for name, parameter in known.items():
        if parameter.is_required:
            assert documented[name] in ("required", "median"), name
        else:
            assert documented[name] == f"`{spelled(parameter.default)}`", name


def test_the_glossary_has_every_outcome_and_no_word_twice() -> None:
    rows = (DOCS / "glossary.md").read_text(encoding="utf-8").splitlines()
    words = [row.split("|")[1].strip() for row in rows if row.startswith("|")][2:]
    assert len(words) == len(set(words))
    studies = (DOCS / "studies.md").read_text(encoding="utf-8")
    assert all(f"| {kind} |" in studies for kind in ("complete", "pruned", "infeasible", "diverged", "failed"))


# -- sweeps -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", YAML_BLOCKS, ids=str)
def test_every_yaml_block_composes(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tree = yaml.safe_load(block.text)
    if "_target_" in tree:
        kept = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in EXAMPLE.glob("*/*.yaml")]
        assert tree in kept, "a component that no example has"
        return
    place_sweep(block, block.sweep_name or "shown.yaml")
    compose_sweep(block.sweep_name or "shown.yaml")


def place_sweep(block: Block, name: str) -> None:
    """Write a block as a sweep file into the current folder, made whole if it is a part, with what it needs there."""
    text = block.text
    tree = yaml.safe_load(text)
    if "allow" in tree:
        shutil.copytree(EXAMPLE, Path.cwd(), dirs_exist_ok=True)
    if "defaults" not in tree:
        text = DEFAULTS + ("" if "space" in tree else SPACE) + text
    Path(name).write_text(text, encoding="utf-8")
    for node in ("data", "general"):
        if "train" in tree.get(node, {}):
            Path(tree[node]["train"]).touch()


def help_text(cls: type, field: str) -> str:
    """The docstring under a field, on one line."""
    (body,) = [node.body for node in ast.parse(inspect.getsource(cls)).body if isinstance(node, ast.ClassDef)]
    for statement, after in pairwise(body):
        if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == field:
            assert isinstance(after, ast.Expr)
            assert isinstance(after.value, ast.Constant)
            return " ".join(str(after.value.value).split())
    raise AssertionError(f"{cls.__name__}.{field} has no help text")


def yaml_value(cell: str) -> Any:
    value = yaml.safe_load(cell.strip("`"))
    return float(value) if isinstance(value, str) and value[0].isdigit() else value  # YAML 1.1 reads 2e-4 as text


def test_docs_name_every_shipped_sweep_and_group() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert all(entry["name"] in changelog for entry in list_group("sweeps"))
    sections = keys_by_section(DOCS / "sweep-file.md")
    assert set(schema.TOP_LEVEL_KEYS) - {"space", "branches"} <= set(sections)
