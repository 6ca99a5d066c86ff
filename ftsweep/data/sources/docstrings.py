"""Docstrings out of source files, without importing them, and the prose out of docstrings."""

from __future__ import annotations

import ast
import inspect
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

_SKIPPED_FOLDERS = frozenset(
    [
        "site-packages",
        "dist-packages",
        "test",
        "tests",
        "testing",
        "_testing",
        "_vendor",
        "externals",
        "third_party",
        "idlelib",
        "lib2to3",
        "turtledemo",
        "pydoc_data",
        "ensurepip",
        "__pycache__",
    ]
)
_MAX_FILE_BYTES = 100_000
"""Larger files cost more to parse than their few docstrings are worth."""

_SECTION = re.compile(
    r"^(?:\w[\w ]{2,30}\n[-=~^]{3,}\s*$"  # numpy's underlined headings
    r"|(?:Args?|Arguments|Parameters?|Params|Returns?|Yields?|Raises|Examples?|Example usage|Notes?|Warnings?|See also|"
    r"References?|Attributes|Shape|Inputs?|Outputs?|Usage|Keyword arg(?:ument)?s|Keyword Args|Tips?):{1,2}\s*$"
    r"|(?:Args?|Returns?|Raises|Example|Note|Warning|Params?):\s"
    r"|\s*:(?:param|type|returns?|rtype|raises)\b|\s*@(?:param|return)|\s*\.\. |\s*>>> |\s*```|\s*[-=~*]{4,}\s*$)",
    re.MULTILINE | re.IGNORECASE,
)
_ROLE = re.compile(r":[\w:+-]+:`~?([^`<]+?)(?:\s*<[^>]*>)?`")
_LINK = re.compile(r"`([^`<]+?)\s*<[^>]*>`_{0,2}|\[([^\]]+)\]\([^)]*\)")
_MARKUP = re.compile(r"[`*]+|\\(?=\W)|\$|(?<=\w)_(?=\s)")


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Documented:
    """One documented class or function, with its docstring as prose paragraphs."""

    name: str  # dotted: module and qualified name
    signature: str
    module: str
    place: str  # file, relative to where packages lie, and line
    paragraphs: tuple[str, ...]


def documented(root: Path, package: str, *, per_file: int) -> Iterator[Documented]:
    """Public classes and functions below `root` whose docstring holds prose; at most `per_file` of one file.

    Files come in the order of `source_files`.
    """
    for path in source_files(root):
        yield from _in_file(path, root, package, per_file)


def definitions(path: Path) -> Iterator[tuple[Definition, str]]:
    """Public classes and functions of a file with their qualified names; none when it cannot be parsed."""
    try:
        source = path.read_text(encoding="utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in other people's strings
            tree = ast.parse(source)
    except (OSError, ValueError, SyntaxError, RecursionError):  # templates and files of other Python versions
        return
    yield from _public(tree, "")


def source_files(root: Path) -> list[Path]:
    """Python files below `root` that are neither tests nor copies of other packages, nor very large.

    They are in the order of a hash of their path, so that any first n are from all over the package and the order
    depends on the installed version alone.
    """
    paths = [path for path in root.rglob("*.py") if not _is_skipped(path.relative_to(root))]
    paths = [path for path in paths if path.stat().st_size <= _MAX_FILE_BYTES]
    return sorted(paths, key=lambda path: sha256(path.relative_to(root).as_posix().encode()).digest())


def module_name(path: Path, root: Path, package: str) -> str:
    """The dotted name under which a file below `root` is imported."""
    parts = [*([package] if package else []), *path.relative_to(root).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def file_place(path: Path, root: Path, package: str) -> str:
    """The file relative to where packages lie."""
    relative = path.relative_to(root).as_posix()
    return f"{package}/{relative}" if package else relative


def prose(docstring: str) -> tuple[str, ...]:
    """The paragraphs before the first section, directive or example, on one line each and without markup."""
    text = inspect.cleandoc(docstring)
    section = _SECTION.search(text)
    text = text[: section.start()] if section else text
    text = _ROLE.sub(r"\1", text)
    text = _LINK.sub(lambda match: match[1] or match[2], text)
    paragraphs = (" ".join(_MARKUP.sub("", paragraph).split()) for paragraph in text.split("\n\n"))
    return tuple(paragraph for paragraph in paragraphs if paragraph)


def _in_file(path: Path, root: Path, package: str, per_file: int) -> Iterator[Documented]:
    module, file = module_name(path, root, package), file_place(path, root, package)
    num_found = 0
    for node, name in definitions(path):
        paragraphs = prose(ast.get_docstring(node, clean=False) or "")
        if paragraphs and num_found < per_file:
            num_found += 1
            yield Documented(f"{module}.{name}", _signature(node, name), module, f"{file}:{node.lineno}", paragraphs)


def _public(node: ast.AST, prefix: str) -> Iterator[tuple[Definition, str]]:
    """Public classes and functions of a module, and of its classes, with their qualified names."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition):
            if child.name.startswith("_"):
                continue
            yield child, prefix + child.name
            if isinstance(child, ast.ClassDef):
                yield from _public(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.If | ast.Try):
            yield from _public(child, prefix)


def _signature(node: Definition, name: str) -> str:
    """The call as one reads it: without annotations, `self` and long tails."""
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        return f"class {name}({bases})" if bases else f"class {name}"
    arguments = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    if arguments and arguments[0] in ("self", "cls"):
        arguments = arguments[1:]
    if node.args.vararg:
        arguments.append(f"*{node.args.vararg.arg}")
    arguments += [argument.arg for argument in node.args.kwonlyargs]
    if node.args.kwarg:
        arguments.append(f"**{node.args.kwarg.arg}")
    shown = arguments if len(arguments) <= 6 else [*arguments[:6], "..."]
    return f"{name}({', '.join(shown)})"


def _is_skipped(relative: Path) -> bool:
    return any(part in _SKIPPED_FOLDERS for part in relative.parts[:-1]) or relative.name.startswith(
        ("test_", "conftest")
    )
