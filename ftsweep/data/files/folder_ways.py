"""What makes the files of a folder readable that holds no rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ftsweep.data.files.made_readable import (
    EML,
    KIND_OF,
    LETTERS,
    annotations_way,
    reuters_way,
    way_of_unknown,
    way_to_read,
)
from ftsweep.data.files.shell import path_argument, python_command


def way_for_folder(folder: Path, files: Sequence[Path]) -> str:
    """The same for a folder without a file of rows, by the first of its files that has a way; "" without one."""
    for file in files:
        kind = KIND_OF.get(file.suffix.lower())
        if kind == "brat":
            return f"{annotations_way(folder)}."
        if kind == "letter":
            made = python_command(LETTERS.format(**EML), f"{path_argument(file.parent)}/*.eml > NEW.jsonl")
            return f"Letters as rows: {made}."
        if kind in ("text", "page") and len(files) > 1:
            return f"Texts to be read are named .txt: {named_txt_way(folder, file.suffix)}."
        if kind == "pdf" and len(files) > 1:
            made = f"`find {path_argument(folder)} -name '*{file.suffix}' -exec pdftotext {{}} \\;`"
            return f"Save their texts as .txt: {made}."
        way = way_to_read(file)
        if kind == "sgml" and "topics" in way:
            return f"All of them: {reuters_way(f'{path_argument(file.parent)}/*{file.suffix} > NEW.jsonl')}."
        if way:
            return f"{way}."
    if files and not any(file.suffix for file in files):
        return f"Files of text must be named .txt: {_renamed(folder, '-type f')} does it."
    return f"{way_of_unknown(files[0])}." if files else ""


def named_txt_way(folder: Path, suffix: str) -> str:
    """The command that names the files of a kind as texts are named."""
    return _renamed(folder, f"-name '*{suffix}'")


def _renamed(folder: Path, which: str) -> str:
    return f"`find {path_argument(folder)} {which} -exec mv {{}} {{}}.txt \\;`"
