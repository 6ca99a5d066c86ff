"""The text that the embedded model is pre-trained on: what every Python installation has, without its docstrings.

The `pydocs` tasks train and validate on docstrings, so none may be seen here: every string that stands as a statement
(docstrings of modules, classes, functions and attributes) and every triple-quoted string is cut out of the source.
"""

from __future__ import annotations

import ast
import io
import random
import re
import sysconfig
import tokenize
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

# Tests are absent from many distributions; pydoc_data is read as prose below; the others hold generated tables.
SKIPPED_FOLDERS = {
    "test",
    "tests",
    "idle_test",
    "site-packages",
    "__pycache__",
    "pydoc_data",
    "encodings",
    "turtledemo",
}
MIN_COMMENT_WORDS = 8


class Corpus(NamedTuple):
    """Documents by kind. `held_out` are topics that no other list contains."""

    code: list[str]
    comments: list[str]
    topics: dict[str, str]
    held_out: dict[str, str]


def read_corpus(seed: int, *, held_out_fraction: float = 0.1, max_files: int | None = None) -> Corpus:
    """Everything, or the first `max_files` sources, in an order that depends on file names and the seed alone."""
    code: list[str] = []
    comments: list[str] = []
    for path in islice(source_files(), max_files):
        try:
            source = path.read_text(encoding="utf-8")
            tree = ast.parse(source)
        except (UnicodeDecodeError, SyntaxError):  # lib2to3 and others carry files of old Pythons
            continue
        code.append(without_docstrings(source, tree))
        comments.extend(comment_blocks(source))
    topics = topic_texts()
    names = sorted(topics)
    random.Random(seed).shuffle(names)  # noqa: S311  (a split, not a secret)
    num_held_out = max(1, round(len(names) * held_out_fraction))
    held_out = {name: topics[name] for name in sorted(names[:num_held_out])}
    return Corpus(code, comments, {name: topics[name] for name in sorted(names[num_held_out:])}, held_out)


def source_files() -> Iterator[Path]:
    """The standard library's Python files, by name."""
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).parts
        is_config = any(part.startswith(("config-", "_sysconfigdata")) for part in parts)  # made by the build
        if not SKIPPED_FOLDERS.intersection(parts) and not is_config:
            yield path


def without_docstrings(source: str, tree: ast.Module) -> str:
    """The source with string statements removed and triple-quoted strings emptied."""
    lines = source.encode().splitlines(keepends=True)  # bytes: ast counts columns in UTF-8
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    data = b"".join(lines)
    cuts: list[tuple[int, int, bytes]] = []
    for node, is_statement in _strings(tree):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        if is_statement or data[start:end].lstrip(b"rRbBuU").startswith((b'"""', b"'''")):
            cuts.append((start, end, b"" if is_statement else b'""'))
    for start, end, replacement in sorted(cuts, reverse=True):
        data = data[:start] + replacement + data[end:]
    text = re.sub(r"[ \t]+\n", "\n", data.decode())
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _strings(tree: ast.AST) -> Iterator[tuple[ast.Constant, bool]]:
    """String constants, and whether each stands as a statement. Parts of f-strings have no usable position in 3.11."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.JoinedStr):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value, True
        elif isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            yield node, False
        else:
            yield from _strings(node)


def comment_blocks(source: str) -> Iterator[str]:
    """Prose of consecutive comment lines, joined; short ones and commented-out rulers are left out."""
    block: list[str] = []
    last_line = -1
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        text = token.string.lstrip("#!: ").rstrip()
        if token.start[0] != last_line + 1 and block:
            yield from _prose(block)
            block = []
        block.append(text)
        last_line = token.start[0]
    yield from _prose(block)


def _prose(lines: list[str]) -> Iterator[str]:
    text = re.sub(r"\n{2,}", "\n\n", "\n".join(line for line in lines if not re.fullmatch(r"[-=*#_~+ ]{3,}", line)))
    words = re.findall(r"[A-Za-z]{2,}", text)
    if len(words) >= MIN_COMMENT_WORDS and sum(map(len, words)) > 0.6 * len(text.replace(" ", "")):
        yield re.sub(r"(?<=[\w,])\n(?=\w)", " ", text).strip()


def topic_texts() -> dict[str, str]:
    """Python's own documentation topics, with lines of a paragraph joined."""
    from pydoc_data.topics import topics

    return {name: re.sub(r"(?<=[\w,;)])\n(?=[\w(\"])", " ", text).strip() for name, text in topics.items()}
