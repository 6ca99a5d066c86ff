"""Columns are judged by an even draw of the rows: what lies behind the first ones counts as well."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ftsweep.cli.main import main
from ftsweep.data.looking import seen_rows
from ftsweep.data.looking.look import Look, look_at


def _look(lines: list[str], names: str, folder: Path) -> Look:
    (folder / "rows.csv").write_text("".join(f"{line}\n" for line in [names, *lines]))
    return look_at([str(folder / "rows.csv")])


@pytest.fixture(autouse=True)
def few_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_rows, "NUM_LOOKED_AT", 200)


def test_a_label_that_lies_sorted_is_seen(tmp_path: Path) -> None:
    look = _look([f"the {n}th day was long,{'no' if n < 600 else 'yes'}" for n in range(1200)], "text,label", tmp_path)
    assert look.guess is not None
    assert look.guess.task == "classification"
    assert look.columns["label"].counts.keys() == {"no", "yes"}
    assert look.columns["label"].num_values == 200


def test_splits_that_lie_sorted_are_seen(tmp_path: Path) -> None:
    rows = [f"the {n}th day was long,{n % 2},{'train' if n < 1000 else 'test'}" for n in range(1200)]
    look = _look(rows, "text,label,split", tmp_path)
    assert look.split_column == "split"
    assert look.num_rows["train"] == pytest.approx(1000, abs=100)


def test_rows_of_a_group_are_drawn_together(tmp_path: Path) -> None:
    rows = [f"the {n}th day was long,{n % 2},{n // 4}" for n in range(2000)]
    assert _look(rows, "text,label,patient_id", tmp_path).group_column == "patient_id"


def test_a_person_is_told_by_how_many_rows(tmp_path: Path) -> None:
    written = tmp_path / "rows.csv"
    for num_rows, told in ((150, "rows: train 150\n"), (1200, "rows: train 1200; columns are told by 200 of them\n")):
        written.write_text("text,label\n" + "".join(f"the {n}th day was long,{n % 2}\n" for n in range(num_rows)))
        done = CliRunner().invoke(main, ["new", str(written), "--force"])
        assert done.exit_code == 0
        assert told in done.output


def test_few_rows_are_all_looked_at_in_order(tmp_path: Path) -> None:
    look = _look([f"the {n}th day was long,{n % 2}" for n in range(150)], "text,label", tmp_path)
    assert next(iter(look.columns["text"].counts)) == "the 0th day was long"
    assert look.columns["text"].num_values == 150
