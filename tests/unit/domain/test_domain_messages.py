"""docs/contracts.md and the types of messages say the same; what is sent has the keys of its type."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from ftsweep.domain import messages
from ftsweep.errors import ConfigError
from ftsweep.executors.failure import describe_failure

PAGE = (Path(__file__).parents[3] / "docs" / "contracts.md").read_text(encoding="utf-8")


def kind_of(message: Any) -> str:
    (kind,) = get_args(message.__annotations__["type"])
    return str(kind)


def typed(union: Any) -> dict[str, tuple[set[str], set[str]]]:
    """By kind: the keys that a message must have, and those that it may have."""
    found = {}
    for message in get_args(union):
        found[kind_of(message)] = (set(message.__required_keys__) - {"type"}, set(message.__optional_keys__))
    return found


def documented(first_column: str) -> dict[str, tuple[set[str], set[str]]]:
    """The same by the page's table."""
    table = PAGE.partition(f"| {first_column} |")[2].partition("\n\n")[0]
    found = {}
    for kind, cell in re.findall(r"^\| `(\w+)` \| ?([^|]*?) ?\|", table, flags=re.MULTILINE):
        keys = [key.strip() for key in cell.split(",") if key.strip()]
        optional = {key.strip("[]") for key in keys if key.startswith("[")}
        found[kind] = ({key for key in keys if not key.startswith("[")}, optional)
    return found


@pytest.mark.parametrize(
    ("column", "union"), [("control to worker", messages.ToWorker), ("worker to control", messages.ToControl)]
)
def test_page_and_types_have_the_same_kinds_and_keys(column: str, union: Any) -> None:
    assert documented(column) == typed(union)


def test_jobs_have_answers_on_the_page() -> None:
    """Every job but `train`, whose outcome is described with its folder."""
    table = PAGE.partition("| job | `result` |")[2].partition("\n\n")[0]
    jobs = set(typed(messages.ToWorker)) - {"continue", "stop", "pause", "quit", "go", "lanes", "train"}
    assert set(re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)) == jobs


def test_a_worker_has_a_method_for_every_job() -> None:
    from ftsweep.worker.jobs import SingleJobs

    jobs = set(typed(messages.ToWorker)) - {"continue", "stop", "pause", "quit", "go", "lanes", "train", "estimate"}
    assert {kind for kind in jobs if hasattr(SingleJobs, f"_{kind}")} == jobs


def test_a_failure_has_the_keys_of_its_type() -> None:
    required, _ = typed(messages.ToControl)["failed"]
    assert set(describe_failure("trial-0000", ConfigError("no", where="a.b"))) - {"type"} == required
