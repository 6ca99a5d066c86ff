"""`data: pydocs`: real text that every installation has, the docstrings of Python's and ftsweep's libraries."""

from __future__ import annotations

import ast
import gc
import hashlib
import importlib.util
import json
import platform
import random
import re
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Any

from ftsweep.data.base import DataSource, Row, check_fractions, check_limit, sampled
from ftsweep.data.likeness.duplicates import normalise
from ftsweep.data.sources.docstrings import Documented, definitions, documented, file_place, module_name, source_files
from ftsweep.data.sources.parameters import tagged_rows
from ftsweep.errors import ConfigError, DataError, suggest

EXTRACTOR_VERSION = 3
"""Counts up when the same installation would give other rows."""

LIBRARIES: Mapping[str, str] = {
    "python": "",
    "numpy": "numpy",
    "pandas": "pandas",
    "scikit-learn": "sklearn",
    "sympy": "sympy",
    "networkx": "networkx",
    "torch": "torch",
    "transformers": "transformers",
}
"""Label (the distribution's name) to package: each comes with torch, datasets, scikit-learn or transformers."""

PARAMETER_LIBRARIES: Mapping[str, str] = {
    "numpy": "numpy",
    "scipy": "scipy",
    "pandas": "pandas",
    "scikit-learn": "sklearn",
    "networkx": "networkx",
}
"""Those whose docstrings have sections in numpy's style."""

COLUMNS = ("text", "label", "prompt", "completion", "module")
PARAMETER_COLUMNS = ("tokens", "tags", "module")
PAIR_COLUMNS = ("prompt", "chosen", "rejected", "module")
_PAIRS_SEED = 0x9A125

PER_LIBRARY = 600
PER_FILE = 20
MIN_CHARACTERS = 60
MAX_CHARACTERS = 400
MIN_COMPLETION = 20
"""Characters of `text` and of `completion`: shorter says too little, longer would be cut at 128 tokens."""

MAX_IN_PAIR = 150
"""Characters of a summary in a pair: a longer one is rare, and costs as much as three."""

_NAMES = re.compile(
    r"c?python|numpy|pandas|sci-?kit-?(?: ?learn)?|sklearn|sympy|networkx|pytorch|torch|transformers?|hugging ?face"
    r"|(?<![A-Za-z])(?:np|pd|nx|hf)(?![A-Za-z])",
    re.IGNORECASE,
)
_MASK = "library"


class PyDocs(DataSource):
    """Which library a docstring describes (`text`, `label`), what a call does (`prompt`, `completion`), which of two
    summaries is that of a call (`prompt`, `chosen`, `rejected`), and which words of a parameter list are names and
    types (`tokens`, `tags`).

    In `text` every library's name is masked, so that the label does not stand in the input. About 600 rows per
    library, those of one text in two libraries left out; the installed versions alone decide which. A task that reads
    `tokens` gets rows of parameter lists in numpy's style instead (`ftsweep.data.sources.parameters` says how they are
    tagged): at most 600 per library, no entry twice. A task that reads `rejected` gets pairs: a call's own summary is
    the chosen one, that of a call of another library the rejected one. Each summary stands in one pair: none tells of
    another.

    Args:
        limit: at most this many rows, drawn from all of them; null takes all, a few thousand.
        group: `module` keeps each module's docstrings in one split (a harder task); null splits by row.
        validation_fraction: share of rows for validation.
        test_fraction: share of rows for test; 0 for none.
    """

    def __init__(
        self,
        *,
        limit: int | None = None,
        group: str | None = None,
        validation_fraction: float = 0.15,
        test_fraction: float = 0.15,
    ) -> None:
        known = tuple(dict.fromkeys([*COLUMNS, *PARAMETER_COLUMNS, *PAIR_COLUMNS]))
        if group is not None and group not in known:
            raise ConfigError(f"there is no column {group!r}", where="data.group", remedy=suggest(str(group), known))
        check_fractions(validation_fraction, test_fraction)
        self.limit = check_limit(limit)
        self.group = group
        self.validation_fraction = validation_fraction
        self.test_fraction = test_fraction

    def fingerprint(self) -> str:
        """Hash of the libraries' versions, Python's and the extractor's."""
        versions = {label: _version(label) for label in {**LIBRARIES, **PARAMETER_LIBRARIES}}
        facts = ["pydocs", EXTRACTOR_VERSION, versions, self.limit, self.group]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]

    def load(self, columns: Iterable[str]) -> dict[str, list[Row]]:
        """`train` alone: ftsweep makes the split. Places are files of the installed packages, with their line."""
        kept = {*columns, *((self.group,) if self.group else ())}
        with _without_collection():
            make = _parameter_rows if "tokens" in kept else _pair_rows if "rejected" in kept else _all_rows
            rows = sampled(make(), self.limit)
        return {"train": [Row({key: row.values[key] for key in row.values if key in kept}, row.place) for row in rows]}


@contextmanager
def _without_collection() -> Iterator[None]:
    """No garbage collection inside: each syntax tree would set off walks over a heap that holds torch."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _all_rows() -> list[Row]:
    by_text: dict[str | None, list[Row]] = {}
    for label, package in LIBRARIES.items():
        num_rows = 0
        for item in documented(_root(label, package), package, per_file=PER_FILE):
            values = _values(item, label)
            key = normalise(values["text"])
            is_short = len(values["text"]) < MIN_CHARACTERS or len(values["completion"]) < MIN_COMPLETION
            if is_short or any(row.values["label"] == label for row in by_text.get(key, ())):
                continue
            by_text.setdefault(key, []).append(Row(values, item.place))
            num_rows += 1
            if num_rows == PER_LIBRARY:
                break
        if num_rows == 0:
            raise DataError(
                f"no docstrings of {label} are found", where="data=pydocs", remedy="Its source files are needed."
            )
    return [rows[0] for rows in by_text.values() if len(rows) == 1]


def _pair_rows() -> list[Row]:
    """Calls of two libraries at random: the first one's prompt and summary, and the second one's summary."""
    rows = [row for row in _all_rows() if len(row.values["completion"]) <= MAX_IN_PAIR]
    random.Random(_PAIRS_SEED).shuffle(rows)  # noqa: S311 - no secret
    found, waiting = [], list[Row]()  # all of one library
    for other in rows:
        if not waiting or waiting[-1].values["label"] == other.values["label"]:
            waiting.append(other)
            continue
        row = waiting.pop()
        prompt = row.values["prompt"].replace(f" ({row.values['module']}) do?", " do?")
        values = {"prompt": prompt, "chosen": row.values["completion"], "module": row.values["module"]}
        found.append(Row({**values, "rejected": other.values["completion"]}, row.place))
    return found


def _parameter_rows() -> list[Row]:
    rows: list[Row] = []
    seen: set[tuple[str, ...]] = set()
    for label, package in PARAMETER_LIBRARIES.items():
        root = _root(label, package)
        found = list(islice(_parameters_below(root, package, seen), PER_LIBRARY))
        if not found:
            raise DataError(
                f"no parameter lists of {label} are found", where="data=pydocs", remedy="Its source files are needed."
            )
        rows += found
    return rows


def _parameters_below(root: Path, package: str, seen: set[tuple[str, ...]]) -> Iterator[Row]:
    for path in source_files(root):
        if b"Parameters" not in path.read_bytes():  # parsing is what takes long
            continue
        module, file = module_name(path, root, package), file_place(path, root, package)
        of_file = (
            row
            for node, _ in definitions(path)
            if (docstring := ast.get_docstring(node, clean=False)) is not None
            for row in tagged_rows(docstring, node.body[0].lineno, seen)
        )
        for row in islice(of_file, PER_FILE):
            values = {"tokens": list(row.words), "tags": list(row.tags), "module": module}
            yield Row(values, f"{file}:{row.line}")


def _values(item: Documented, label: str) -> dict[str, Any]:
    library = "the Python standard library" if label == "python" else label
    call = item.signature.removeprefix("class ")
    kind = "class" if item.signature.startswith("class ") else "function"
    return {
        "text": _shortened(_NAMES.sub(_MASK, " ".join(item.paragraphs))),
        "label": label,
        "prompt": f"What does the {kind} {call} of {library} ({item.module}) do?",
        "completion": item.paragraphs[0],
        "module": item.module,
    }


def _shortened(text: str) -> str:
    """Whole sentences up to MAX_CHARACTERS; of one long sentence its beginning."""
    if len(text) <= MAX_CHARACTERS:
        return text
    end = text.rfind(". ", MIN_CHARACTERS, MAX_CHARACTERS)
    return text[: end + 1] if end > 0 else text[: text.rfind(" ", 0, MAX_CHARACTERS)]


def _root(label: str, package: str) -> Path:
    if not package:
        return Path(sysconfig.get_path("stdlib"))
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise DataError(
            f"the package {label} is not installed", where="data=pydocs", remedy=f"Install it: pip install {label}."
        )
    return Path(spec.origin).parent


def _version(label: str) -> str:
    if label == "python":
        return platform.python_version()
    try:
        return version(label)
    except PackageNotFoundError as error:
        raise DataError(
            f"the package {label} is not installed", where="data=pydocs", remedy=f"Install it: pip install {label}."
        ) from error
