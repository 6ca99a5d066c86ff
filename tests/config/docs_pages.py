"""The project's Markdown, taken apart: pages, code blocks, links, command lines, tables of keys."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_KEY_ROW = re.compile(r"^\| `([\w.]+)` \| (.+?) \| (.+) \|$")


@dataclass(frozen=True)
class Block:
    """A fenced code block, unindented."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{name_of(self.page)}:{self.line}"

    @property
    def sweep_name(self) -> str | None:
        """The file that a whole sweep says it is, in its first line: `# ftsweep run tweets.yaml`."""
        first = self.text.partition("\n")[0].split()
        is_named = first[:3] == ["#", "ftsweep", "run"] and first[3:]
        return first[3] if is_named else None


@dataclass(frozen=True)
class Key:
    """One row of a table of keys."""

    name: str
    default: str
    meaning: str


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, *languages: str) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        indent, language, body = match.groups()
        if language in languages:
            lines = "\n".join(line.removeprefix(indent) for line in body.splitlines())
            found.append(Block(page, text.count("\n", 0, match.start()) + 1, language, lines + "\n"))
    return found


def commands(page: Path) -> list[list[str]]:
    """The words of every `ftsweep ...` in shell blocks and in code spans, pipes and comments cut off."""
    lines = [line for block in blocks(page, "sh", "bash", "console") for line in block.text.splitlines()]
    prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
    lines += re.findall(r"`(ftsweep [^`]+)`", prose)
    found = []
    for line in lines:
        words = shlex.split(line, comments=True)
        if "ftsweep" in words:
            found.append(words[words.index("ftsweep") + 1 :])
    return found


def links(page: Path) -> Iterator[str]:
    """Targets of links to files of the project."""
    prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return (target for target in _LINK.findall(prose) if "://" not in target)


def anchors(page: Path) -> set[str]:
    """What a link may name behind `#`: headings as GitHub spells them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def keys_by_section(page: Path) -> dict[str, list[Key]]:
    """Rows of tables of keys, by the heading above them; headings without a table have none."""
    sections: dict[str, list[Key]] = {}
    title = ""
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            title = line.lstrip("# ")
            sections[title] = []
        elif row := _KEY_ROW.match(line):
            sections[title].append(Key(*row.groups()))
    return sections
