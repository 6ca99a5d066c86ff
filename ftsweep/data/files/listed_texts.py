"""Texts in files of their own, and a table beside them that names each: what writes the texts into the table."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path, PurePath

from ftsweep.data.files.encodings import find_encoding
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.reading import open_file
from ftsweep.data.files.shell import path_argument, python_command
from ftsweep.errors import DataError

_NUM_LOOKED_AT = 50  # rows
_MOST = 0.9
"""Share of these rows whose cell must name a file."""
_NAMES: Mapping[str, Callable[[PurePath], str]] = {
    "file.name": lambda file: file.name,
    "file.stem": lambda file: file.stem,
    "file.relative_to(root).as_posix()": lambda file: file.as_posix(),
}
"""What cells may name a file by, in Python for a `file` below `root`."""
_WRITTEN = (
    "import pandas, pathlib, sys; root = pathlib.Path(sys.argv[2]); table = pandas.read_csv(sys.argv[1], dtype=str, "
    "keep_default_na=False, sep=SIGN, encoding=CODE); texts = {NAME: file for file in root.rglob('*.txt')}; "
    "table['text'] = [texts[each].read_text(ENCODING).strip() if each in texts else '' for each in "
    "table[sys.argv[4]]]; table.to_csv(sys.argv[3], index=False)"
)


def listed_way(folder: Path, files: Sequence[DataFile]) -> str:
    """The command that writes the texts of files into the only table beside them, that names them; "" without one."""
    tables = [file for file in files if file.format in ("csv", "tsv")]
    texts = [file for file in files if file.format == "txt"]
    is_plain = all(not file.member and not file.compression for file in files)
    if len(tables) != 1 or len(tables) + len(texts) < len(files) or not is_plain or not folder.is_dir():
        return ""
    try:
        table = open_file(tables[0])
        rows = [row.values for row in islice(table, _NUM_LOOKED_AT) if not row.problem]
        encoding = find_encoding(texts[0], None).name
    except DataError:
        return ""
    below = [PurePath(file.path.relative_to(folder)) for file in texts]
    for code, name_of in _NAMES.items():
        names = {name_of(file) for file in below}
        if len(names) < len(texts):
            continue  # one name of several files would say the text of one of them
        for column in table.facts.columns:
            if rows and sum(str(row.get(column)) in names for row in rows) >= _MOST * len(rows):
                written = _WRITTEN.replace("NAME", code).replace("ENCODING", repr(encoding))
                written = written.replace("SIGN", repr(table.facts.delimiter)).replace(
                    "CODE", repr(table.facts.encoding)
                )
                arguments = f"{path_argument(tables[0].path)} {path_argument(folder)} NEW.csv {shlex.quote(column)}"
                return (
                    f"The column {column!r} of {tables[0].where} names the texts; to write them into it: "
                    f"{python_command(written, arguments)}."
                )
    return ""
