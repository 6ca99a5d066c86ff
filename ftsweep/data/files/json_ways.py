"""Commands that write rows of JSON that holds none as it is: lists by split, a list deep within, an object a file."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path, PurePath
from typing import Any

from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.printed import python_on
from ftsweep.data.files.shell import path_argument, python_command
from ftsweep.data.files.split_words import split_named

_APART = (
    "import json, sys; found = json.load(open(sys.argv[1], 'rb')); [json.dump(rows, open(f'{name}.json', "
    "'w')) for name, rows in found.items() if isinstance(rows, list)]"
)
"""Writes each list of a file to a file of its name."""
_AS_TABLES = _APART.replace("import json", "import csv, json").replace(
    "json.dump(rows, open(f'{name}.json', 'w'))",
    "csv.writer(open(f'{name}.csv', 'w', encoding='utf-8', newline='')).writerows(rows)",
)
_TOGETHER = (
    "import json, pathlib, sys; root = pathlib.Path(sys.argv[1]); [print(json.dumps({**json.loads(file.read_bytes()), "
    "**dict(zip(sys.argv[2:], file.relative_to(root).parts[:-1]))})) for file in sorted(root.rglob('*SUFFIX'))]"
)
"""Writes the object of each file in a folder as a line, with the names of its folders in columns."""
_WITHIN = (
    "import functools, json, sys; json.dump(functools.reduce(lambda found, key: found[key], sys.argv[3:], "
    "json.load(open(sys.argv[1], 'rb'))), open(sys.argv[2], 'w'))"
)
_TASK = (
    "import json, sys; [print(json.dumps({'instruction': ' '.join(found['Definition']), 'input': row['input'], "
    "'output': output})) for each in sys.argv[1:] for found in [json.load(open(each, 'rb'))] for row in "
    "found['Instances'] for output in row['output']]"
)
"""A row for each answer of an instance, with the task's definition."""
_BY_LABEL = (
    "import json, sys; [print(json.dumps({'text': text, 'label': label})) for label, texts in "
    "json.load(open(sys.argv[1], 'rb')).items() for text in texts]"
)
_IN_A_TASK = {"Definition", "Instances"}
_DEEPEST = 4
_NUM_SHOWN = 4


def apart_way(value: Mapping[str, Any], names: Sequence[str], file: DataFile) -> str:
    """How the lists under these names come to files of their own."""
    if value.keys() >= _IN_A_TASK:
        return way_of_value(value, file)
    code = _APART if isinstance(value[names[0]][0], dict) else _AS_TABLES
    return f"Write each to a file of its own: {python_on(file, code)}."


def way_of_value(value: Any, file: DataFile) -> str:
    """How a value that holds no rows becomes rows; "" where nobody can say."""
    if not isinstance(value, Mapping):
        return ""
    if value.keys() >= _IN_A_TASK:
        made = python_on(file, _TASK, "> NEW.jsonl")
        return f"It is a task of Natural Instructions; a row for each answer to it: {made}."
    if len(value) > 1 and all(_are_texts(each) for each in value.values()):
        return f"{by_label_way(list(value), file)}."
    if path := max(_lists_within(value, ()), key=lambda found: found[1], default=None):
        keys = " ".join(shlex.quote(key) for key in path[0])
        made = python_on(file, _WITHIN, f"NEW.json {keys}")
        return f"If the {path[1]} objects in {'.'.join(path[0])!r} are the rows: {made}."
    suffix = file.path.suffix
    has_more = not file.member and not file.compression and len(list(islice(_root(file).rglob(f"*{suffix}"), 2))) > 1
    return f"If each file of a folder is a row: {_together(file)}." if has_more else ""


def by_label_way(names: Sequence[str], file: DataFile) -> str:
    """How lists of texts under their labels become rows."""
    made = python_on(file, _BY_LABEL, "> NEW.jsonl")
    return f"If {', '.join(map(repr, names[:_NUM_SHOWN]))} are labels, each with a list of its texts: {made}"


def json_in_text_way(file: DataFile, lines: Sequence[str]) -> str:
    """The same of a file of text that holds one value of JSON; "" of any other text."""
    if not lines or lines[0].lstrip("\ufeff").lstrip()[:1] not in ("{", "["):
        return ""
    try:
        value = json.loads("".join(lines).lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return ""
    if not value or not (isinstance(value, dict) or _are_objects(value)):
        return ""
    if isinstance(value, dict) and not file.member and len(PurePath(file.name).parts) > 1:
        return f"If each file of the folder is a row: {_together(file)}."
    return "Name it .json."


def _are_objects(value: Any) -> bool:
    """Whether it is a list that the rows of a .json file may be: one of numbers, such as a note's [1], is text."""
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(isinstance(each, str) for each in value)


def _together(file: DataFile) -> str:
    inner = PurePath(file.name).parts[1:-1]
    columns = ["split" if split_named(part) else "folder" for part in inner]
    columns = [f"{name}{place}" if name in columns[:place] else name for place, name in enumerate(columns)]
    code = _TOGETHER.replace("SUFFIX", file.path.suffix)
    return python_command(code, " ".join([path_argument(_root(file)), *columns, "> NEW.jsonl"]))


def _root(file: DataFile) -> Path:
    """The folder that was named, of a file in it; the file's own of one that was named itself."""
    return file.path.parents[max(0, len(PurePath(file.name).parts) - 2)]


def _lists_within(value: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    """The paths to lists of objects within objects, each with its length."""
    for key, inner in value.items():
        if isinstance(inner, list) and len(inner) > 1 and all(isinstance(each, dict) for each in inner):
            yield (*path, key), len(inner)
        elif isinstance(inner, Mapping) and len(path) < _DEEPEST:
            yield from _lists_within(inner, (*path, key))
