"""The data gate as a user meets it: leaky data is refused with rows and an override, and with the override it runs."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from e2e_place import Place, make_place, sentences

LEAKY = ("data.train=leaky.jsonl", "data.validation=held_out.jsonl", "data.test=null")
REFUSAL = "exact_copies: 3 of 60 rows of validation (5.0 %) stand in train too (held_out.jsonl:1 = leaky.jsonl:61"


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Place:
    """A place whose train file holds three rows of its validation file."""
    place = make_place(tmp_path_factory.mktemp("leaky"), database=empty_database)
    rows = sentences(120)
    for name, chosen in (("leaky", [*rows[:60], *rows[60:63]]), ("held_out", rows[60:])):
        lines = "".join(json.dumps(row) + "\n" for row in chosen)
        (place.folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    return place


def study_of(place: Place) -> Path:
    return place.study("small")


def test_plan_refuses_leaky_data_with_rows_and_the_override(leaky: Place) -> None:
    done = leaky.run("plan", "small.yaml", *LEAKY)
    assert done.returncode == 1, done.stdout
    assert f"Error: 1 guard refuses the data of study 'small': {REFUSAL}" in done.stderr
    assert "add to the command: guards.exact_copies=fix " in done.stderr
    assert "warn: small_data: validation has 60 rows" in done.stderr, "what else was found"
    assert "Traceback" not in done.stderr


def test_run_refuses_it_before_any_trial_and_the_override_goes_on(leaky: Place) -> None:
    refused = leaky.run("run", "small.yaml", *LEAKY)
    assert refused.returncode == 1
    assert REFUSAL in refused.stderr
    assert not any((study_of(leaky) / "trials").glob("0*"))
    done = leaky.run("run", "small.yaml", *LEAKY, "budget.trials=1", "guards.exact_copies=fix")
    assert done.returncode == 0, done.stderr
    assert "Data, warn: small_data: validation has 60 rows" in done.stdout
    data = json.loads((study_of(leaky) / "result.json").read_text(encoding="utf-8"))["data"]["main"]
    assert data["num_rows"] == {"train": 60, "validation": 60}
    (fixed,) = [finding for finding in data["findings"] if finding["check"] == "exact_copies"]
    assert fixed["message"].startswith("3 rows of train left out (guards.exact_copies=fix)")
    _check_record(leaky)


def _check_record(place: Place) -> None:
    """Findings are tags of the parent run, a table among its artifacts, and a section of the report."""
    with sqlite3.connect(place.folder / "mlruns" / "mlflow.db") as database:
        tags = dict(database.execute("select key, value from tags where key like 'data_finding%'").fetchall())
    assert tags["data_findings.refuse"] == "0"
    assert tags["data_finding.exact_copies"] == "note: 3"
    (table,) = (place.folder / "mlruns" / "artifacts").rglob("data_findings.json")
    lines = json.loads(table.read_text(encoding="utf-8"))
    checks = [line[lines["columns"].index("check")] for line in lines["data"]]
    assert checks[0] == "small_data", "the most severe first"
    page = (study_of(place) / "report.html").read_text(encoding="utf-8")
    assert "3 rows of train left out" in page


def test_allowed_leaks_are_told_apart_and_more_data_is_asked_for(leaky: Place) -> None:
    settings = ("budget.trials=1", "rungs.count=2", "training.epochs=1", "selection.quantity=true", "selection.seeds=1")
    done = leaky.run("run", "small.yaml", *LEAKY, "study.name=told", "guards.exact_copies=allow", *settings)
    assert done.returncode == 0, done.stderr
    result = json.loads((leaky.study("told") / "result.json").read_text(encoding="utf-8"))
    parts = result["flagged"]["validation"]
    assert {name: part["num_rows"] for name, part in parts.items()}["clean"] == 57
    assert parts["flagged"] == parts["exact_copies"]
    assert parts["flagged"]["num_rows"] == 3
    whole = sum(parts[name]["values"]["loss"] * parts[name]["num_rows"] for name in ("clean", "flagged")) / 60
    assert whole == pytest.approx(result["model"]["value"], rel=1e-4)
    assert [point["num_examples"] for point in result["quantity"]["points"]] == [16, 32, 63]
    told = leaky.run("best", "told").stdout
    assert "3 of 60 rows of validation are flagged (exact_copies 3): " in told
    assert result["quantity"]["sentence"] in told
    page = (leaky.study("told") / "report.html").read_text(encoding="utf-8")
    assert "Would more data help?" in page
    assert "Flagged rows" in page
    with sqlite3.connect(leaky.folder / "mlruns" / "mlflow.db") as database:
        keys = {key for (key,) in database.execute("select key from metrics")}
        tags = {key for (key,) in database.execute("select key from tags")}
    assert {"clean/validation/loss", "flagged/validation/num_rows", "quantity/025", "quantity/100"} <= keys
    assert {"flagged_rows", "quantity"} <= tags
