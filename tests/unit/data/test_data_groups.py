"""Columns that say whose a row is are found in files, and named with what keeps such rows in one split."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from ftsweep.control.new_sweep import write_new_sweep
from ftsweep.data.looking.groups import is_whose
from ftsweep.data.looking.look import look_at
from ftsweep.domain.finding import Severity

ROWS, PEOPLE = 240, 30


def looked(folder: Path, column: str, label: Any, person: Any) -> tuple[list[str], str]:
    """The findings, and the sweep file."""
    chosen = random.Random(0)
    rows = [
        {"text": f"row {number} of many {chosen.random()}", "label": label(number), column: person(number)}
        for number in range(ROWS)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    look = look_at([str(folder / "rows.jsonl")])
    found = [finding.text for finding in look.findings if finding.check == "groups"]
    return found, write_new_sweep(look, force=True).file.read_text()


def test_a_column_that_tells_the_label_is_named_whatever_it_is_called(tmp_path: Path) -> None:
    found, sweep = looked(tmp_path, "ref2", lambda n: "ab"[n % PEOPLE % 2], lambda n: f"x{n % PEOPLE}")
    assert len(found) == 1
    assert found[0].startswith("groups: 30 values of 'ref2' stand in 240 rows")
    assert found[0].endswith("data.group=ref2")
    assert "\n  # group: ref2 # keeps rows that have it in common in one split\n" in sweep


def test_a_column_is_named_for_its_name_where_labels_say_nothing_of_it(tmp_path: Path) -> None:
    chosen = random.Random(1)
    labels = [chosen.choice("ab") for _ in range(ROWS)]
    found, _ = looked(tmp_path, "patient_id", labels.__getitem__, lambda n: n % PEOPLE)
    assert "'patient_id'" in found[0]
    found, sweep = looked(tmp_path, "colour", labels.__getitem__, lambda n: f"c{n % PEOPLE}")
    assert found == []
    assert "# group" not in sweep


@pytest.mark.parametrize("person", [lambda n: f"p{n}", lambda n: f"p{n % 4}"], ids=["a row each", "as few as labels"])
def test_a_column_of_rows_own_or_of_a_few_values_is_no_group(tmp_path: Path, person: Any) -> None:
    assert looked(tmp_path, "customer", lambda n: "ab"[n % 4 // 2], person)[0] == []


@pytest.mark.parametrize(
    ("column", "person"),
    [
        ("subcategory", lambda n: f"k{n % PEOPLE}"),
        ("fine_label", lambda n: f"k{n % PEOPLE}"),
        ("points", lambda n: n % 2 * 15 + n % PEOPLE // 2),
        ("seen", lambda n: f"2024-{n % 2 * 6 + n % 12 // 2 + 1:02}"),
    ],
    ids=["finer", "finer by name", "cut at a number", "cut at a date"],
)
def test_what_the_label_was_made_of_is_no_group(tmp_path: Path, column: str, person: Any) -> None:
    assert looked(tmp_path, column, lambda n: "ab"[n % 2], person)[0] == []


def test_of_splits_that_are_given_plan_says_whether_they_share_any(tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        rows = [{"text": f"row {n} of {split}", "label": "ab"[n % 2], "customer": n % PEOPLE} for n in range(ROWS)]
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    look = look_at([str(tmp_path)])
    (finding,) = [each for each in look.findings if each.check == "groups"]
    assert finding.severity is Severity.NOTE
    assert finding.text.endswith("With data.group=customer ftsweep plan says whether your splits share any.")
    sweep = write_new_sweep(look, force=True, out=tmp_path / "sweep.yaml").file.read_text()
    (tmp_path / "validation.jsonl").unlink()
    (finding,) = [each for each in look_at([str(tmp_path)]).findings if each.check == "groups"]
    assert "(your test is refused where it shares any): data.group=customer" in finding.text
    assert "  # group: customer # refuses rows that have it in common on both sides\n" in sweep


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("customer", True), ("userId", True), ("patient_no", True), ("doc-id", True), ("user_text", False), ("id", False)],
)
def test_names_say_whose_a_row_is(name: str, is_one: bool) -> None:
    assert is_whose(name) is is_one
