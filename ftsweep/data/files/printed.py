"""Commands on what a file holds, packed or not."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from ftsweep.data.files.kinds import Compression, DataFile
from ftsweep.data.files.shell import path_argument, python_command

_PRINTS: Mapping[Compression, str] = {
    "": "cat",
    "gzip": "gzip -dc",
    "bz2": "bzip2 -dc",
    "xz": "xz -dc",
    "zstd": "zstd -dc",
    "zip": "unzip -p",
}


def printed(file: DataFile) -> str:
    """The command that prints a file's lines."""
    if file.member:
        member = re.sub(r"[\[*?]", r"[\g<0>]", file.member)  # unzip takes these for signs of a pattern
        return f"unzip -p {path_argument(file.path)} {shlex.quote(member)}"
    return f"{_PRINTS[file.compression]} {path_argument(file.path)}"


def python_on(file: DataFile, code: str, rest: str = "") -> str:
    """The command that runs code with a file as its first argument, unpacked where it is packed, and the rest."""
    if not file.member and not file.compression:
        return python_command(code, f"{path_argument(file.path)} {rest}".strip())
    return f"`{printed(file)} | {python_command(code, f'/dev/stdin {rest}'.strip())[1:]}"
