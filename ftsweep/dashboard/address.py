"""What a page's address says: the page, and in its query what is selected and shown. A link shows what I see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs, quote

from ftsweep.dashboard.views import LEFT, RIGHT

_MAX_SELECTED = 100_000
_MAX_DIGITS = 9
"""Of a trial's number; Python refuses to read thousands of digits."""


@dataclass(frozen=True)
class Shown:
    """What a study's page shows; assets/select.js writes it as the page's query."""

    left: str = LEFT
    right: str = RIGHT
    x: str = ""
    y: str = ""
    selection: tuple[int, ...] = ()
    filters: str = ""
    """The grid's filters, as its JSON."""


def read_shown(query: str) -> Shown:
    """From a page's query (`?left=...`); what it does not say is as it is at first."""
    found = {key: values[-1] for key, values in parse_qs(query.removeprefix("?")).items()}
    return Shown(
        left=found.get("left", LEFT),
        right=found.get("right", RIGHT),
        x=found.get("x", ""),
        y=found.get("y", ""),
        selection=read_numbers(found.get("sel", "")),
        filters=found.get("filter", ""),
    )


def is_number(word: str) -> bool:
    """Whether a word of an address may be a trial's number."""
    return word.isdecimal() and len(word) <= _MAX_DIGITS


def read_numbers(text: str) -> tuple[int, ...]:
    """Trial numbers as the page writes them in short: `0,3-7`. What is none is passed over."""
    numbers: dict[int, None] = {}
    for part in text.split(","):
        low, _, high = part.partition("-")
        if is_number(low) and (not high or is_number(high)):
            span = range(int(low), min(int(high or low), int(low) + _MAX_SELECTED) + 1)
            numbers.update(dict.fromkeys(span))
        if len(numbers) > _MAX_SELECTED:
            break
    return tuple(sorted(numbers)[:_MAX_SELECTED])


def study_address(study: str) -> str:
    return f"/study/{quote(study)}"


def trial_address(study: str, number: int) -> str:
    return f"{study_address(study)}/trial/{number}"


def difference_address(trials: Iterable[tuple[str, int]]) -> str:
    """Of trials as (study, number)."""
    return "/difference?" + "&".join(f"trial={quote(study)}:{number}" for study, number in trials)


def read_count(query: str) -> int:
    """Of how many selected trials a difference's query names the first; 0 where it says nothing of more."""
    word = parse_qs(query.removeprefix("?")).get("of", [""])[-1]
    return int(word) if is_number(word) else 0


def read_trials(query: str) -> list[tuple[str, int]]:
    """The trials that a difference's query names, in its order."""
    words = parse_qs(query.removeprefix("?")).get("trial", [])
    parts = [word.rpartition(":") for word in words]
    return list(dict.fromkeys((study, int(number)) for study, _, number in parts if study and is_number(number)))
