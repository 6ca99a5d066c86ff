"""`key=value` words that give one value each, in the command line's grammar: a setting, or a part of the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ftsweep.config.checks.values import settings_problem
from ftsweep.config.grammar import parse_overrides
from ftsweep.config.schema import Budget
from ftsweep.errors import ConfigError

_BUDGET = "budget."


def assigned_values(words: Sequence[str], where: str = "command line") -> dict[str, Any]:
    """The values by key, in order; of one key twice the last.

    Raises:
        ConfigError: a word is no `key=value`, or asks for several values or for a key to be removed.
    """
    values: dict[str, Any] = {}
    parsed = parse_overrides(words, groups=(), where=where)
    if parsed.search_path:
        raise ConfigError("a search path is no value of a setting", where=where, remedy="Leave it out.")
    for word, assignment in zip(words, parsed.assignments, strict=True):
        if assignment.removes or assignment.replaces:
            what = "removes a key" if assignment.removes else "names several values"
            raise ConfigError(f"{word!r} {what}", where=where, remedy="Give each key one value: key=value.")
        values[assignment.key] = assignment.value
    return values


def raised_values(words: Sequence[str], now: Mapping[str, Any], where: str = "command line") -> dict[str, Any]:
    """Parts of the budget by key without `budget.`, all of them more than `now`, the whole budget.

    Raises:
        ConfigError: another key, a value that a budget cannot have, or one that raises nothing.
    """
    asked = assigned_values(words, where)
    if not asked:
        raise ConfigError("nothing is asked for", where=where, remedy="Name what to raise, as in budget.trials=50.")
    known = asdict(Budget())
    for key in asked:
        if not key.startswith(_BUDGET) or key.removeprefix(_BUDGET) not in known:
            remedy = f"What can be raised: {', '.join(_BUDGET + name for name in known)}."
            raise ConfigError(f"{key!r} is no part of the budget", where=where, remedy=remedy)
    values = {key.removeprefix(_BUDGET): value for key, value in asked.items()}
    check_raised(values, now)
    return values


def check_raised(values: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse parts of a budget that are not more than they are now; both by key without `budget.`.

    Raises:
        ConfigError: names the key.
    """
    if problem := settings_problem(Budget, values):
        raise ConfigError(problem.what, where=f"{_BUDGET}{problem.key}", remedy=problem.remedy)
    for key, value in values.items():
        before = now.get(key, asdict(Budget())[key])
        if before is None or (value is not None and value <= before):
            shown = "unlimited" if before is None else before
            raise ConfigError(
                f"it is {shown} already: {value} is not more",
                where=f"{_BUDGET}{key}",
                remedy="A budget can be raised while a study runs, not lowered; `ftsweep stop` ends it now.",
            )
