"""Rules about ftsweep's own source: nothing is unpickled, nothing from outside is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import ftsweep

ROOT = Path(ftsweep.__file__).parent
FILES = sorted(file for file in ROOT.rglob("*.py") if not file.is_relative_to(ROOT / "testing"))
NEVER_IMPORTED = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
NEVER_CALLED = {
    "eval", "exec", "compile", "os.system", "os.popen", "torch.load", "torch.save", "yaml.load", "yaml.unsafe_load",
    "yaml.full_load", "mlflow.pyfunc.load_model",
}  # fmt: skip

IN_MEMORY = {"row_store.py": {"pickle"}}
"""Rows are kept packed in memory: what is unpacked there was packed by the same process, and never lies on disk."""


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield f"{file.name}:{node.lineno}", ast.unparse(node.func), node


def test_nothing_is_pickled_and_no_text_is_run() -> None:
    assert len(FILES) > 100
    assert [place for place, name, _ in calls() if name in NEVER_CALLED] == []
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            forbidden = NEVER_IMPORTED - IN_MEMORY.get(file.name, set())
            assert forbidden.isdisjoint(name.partition(".")[0] for name in names), file


def test_what_could_open_a_pickle_or_run_foreign_code_is_told_not_to() -> None:
    for place, name, call in calls():
        given = {each.arg: each.value for each in call.keywords}
        if name.endswith("np.load"):
            assert ast.unparse(given["allow_pickle"]) == "False", place
        for keyword in ("shell", "trust_remote_code", "allow_all_kernels"):
            assert keyword not in given or ast.unparse(given[keyword]) == "False", place
        if name.endswith("from_pretrained"):
            starred = [ast.unparse(each.value) for each in call.keywords if each.arg is None]
            assert "origin.arguments()" in starred or name == "PeftModel.from_pretrained", place


def test_the_loaders_arguments_say_no_to_foreign_code() -> None:
    from ftsweep.models.origin import Origin

    assert Origin(name="x", where="y").arguments()["trust_remote_code"] is False
