"""Commands and settings as text that a shell and our own parser take back: whatever is printed can be pasted."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DEFAULT_STORE = "mlruns"
"""The store of a command that names none, in the folder it runs in."""

_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")
_SPECIAL = re.compile(r"(?i)true|false|null|nan|[+-]?inf|[+-]?[0-9_.]+(e[+-]?[0-9_]+)?")


def quoted_command(*words: object) -> str:
    """The words as one line for a shell."""
    return " ".join(_shell_word(str(word)) for word in words)


def task_options(task: str, **columns: object) -> str:
    """`--task TASK --columns text=a,label=b` for a shell, whatever the names of the columns hold."""
    return quoted_command("--task", task, "--columns", ",".join(f"{name}={each}" for name, each in columns.items()))


def study_command(verb: str, study: str, *words: object, store: Path | str) -> str:
    """`ftsweep VERB STUDY ...` with the store, where it is not the one in the current folder."""
    return store_command(verb, study, *words, store=store)


def store_command(verb: str, *words: object, store: Path | str) -> str:
    """`ftsweep VERB ...` with the store, where it is not the one in the current folder."""
    option = () if store == Path(DEFAULT_STORE).absolute() else ("--store", store)
    return quoted_command("ftsweep", verb, *words, *option)


def run_command(sweep: str, study: str, *words: str, store: Path | str, begun_with: Sequence[str] = ()) -> str:
    """`ftsweep run` for a study of this sweep (a file's path, or the name of a shipped one).

    words: overrides as a shell takes them; begun_with: those of the command that began the study, as they came. What
    the words set anew is left out of these.
    """
    anew = {"study.name", "store.path", *map(overridden, words)}
    given = [*(_shell_word(line) for line in begun_with if overridden(line) not in anew), *words]
    if Path(sweep).stem != study:
        given.insert(0, f"study.name={study}")
    if store != Path(DEFAULT_STORE).absolute():
        given.append(override("store.path", str(store)))
    line = quoted_command("ftsweep", "run", sweep_word(Path(sweep)))
    return " ".join([line, *given])


def overridden(line: str) -> str:
    """The key that an override sets, or removes."""
    return line.strip("'\"").partition("=")[0].lstrip("+~").strip()


def sweep_word(file: Path) -> str:
    """A sweep file as an argument of a command: what would be read as an option or a home begins with `./`."""
    text = str(file)
    return f"./{text}" if text.startswith(("-", "~")) else text


def override(key: str, value: Any) -> str:
    """`key=value` as a shell takes it and the command line reads it back."""
    return _shell_word(f"{key}={spelled(value)}")


def _shell_word(text: str) -> str:
    """In double quotes where single ones in it would have to be spelled, and nothing in it means something there."""
    if "'" in text and not re.search(r'["$`\\!]', text):
        return f'"{text}"'
    return shlex.quote(text)


def spelled(value: Any) -> str:
    """A value in the command line's grammar, as it stands behind `key=` before a shell's quotes."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ",".join(f"{spelled(key)}:{spelled(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(spelled, value)) + "]"
    if not isinstance(value, str):
        return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
    if _PLAIN.fullmatch(value) and not _SPECIAL.fullmatch(value):
        return value
    # of backslashes only those before a quote (ours at the end is one) need another
    escaped = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + (r"\'" if found[2] else ""), value)
    return "'" + escaped.replace("${", r"\${") + "'"
