"""What to do about an error of lm-evaluation-harness: by what it is, not by where it was raised."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml  # type: ignore[import-untyped]

_NETWORK = (
    "A task that fetches its rows needs the network, or a cache of Hugging Face that has them; one in a folder of "
    "yours (--include-path) needs neither."
)
_AWAY = {"httpx", "httpcore", "requests", "urllib3"}
"""Packages whose errors are about the network."""
_AWAY_NAMES = {"LocalEntryNotFoundError", "OfflineModeIsEnabled"}
_NAME_ERRORS = (KeyError, AttributeError, ImportError)
"""An error of the last kind is about a function in a file beside the task's; a package that is missing comes first."""


def remedy_for(error: BaseException, include: Path | None, *, batch_size: int = 1) -> str:
    """A sentence about an error that a task raised. include: the folder of one's own tasks, if there is one."""
    file = "the task's file" if include is None else f"the task's file in {include}"
    for each in _chain(error):
        kind = type(each)
        if isinstance(each, MemoryError) or kind.__name__ == "OutOfMemoryError":
            return f"Ask fewer rows at a time (--batch-size, now {batch_size}), or end what else holds the memory."
        if kind.__name__ == "DatasetNotFoundError":
            return f"Check the name of the data set in {file}; one that asks for consent needs `hf auth login`."
        if type(each) is ImportError:  # of lm-eval itself, over that of a module of the task's own
            break
        if isinstance(each, ModuleNotFoundError) and each.name:
            return f"It needs the module {each.name}: install the package that has it."
        if isinstance(each, ConnectionError | TimeoutError) or _is_about_network(kind):
            return _NETWORK
        if isinstance(each, FileNotFoundError):
            return f"Check the files of rows that {file} names (dataset_path, dataset_kwargs)."
    if isinstance(error, _NAME_ERRORS) or type(error).__name__ == "UndefinedError":
        return f"Check the names of splits, columns, metrics and functions in {file}."
    if include is not None:
        return f"Check {file}: what lm-eval says is about it."
    return "Name another task; `ftsweep --debug evaluate ...` shows where it was raised."


def unreadable_files(include: Path) -> str:
    """A sentence about files of a folder that lm-eval passes over because they are no YAML; "" where there are none."""
    found = []
    for file in sorted(include.rglob("*.yaml")):
        try:
            yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)  # tags of lm-eval's own are kept
        except (yaml.YAMLError, ValueError, OSError) as error:
            mark = getattr(error, "problem_mark", None)
            found.append(f"{file}:{mark.line + 1}" if mark else str(file))
    return f"lm-eval cannot read {', '.join(found)}: mend that first." if found else ""


def _is_about_network(kind: type[BaseException]) -> bool:
    return kind.__module__.partition(".")[0] in _AWAY or kind.__name__ in _AWAY_NAMES


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, the nearest first."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
