"""Bad input gets one clear paragraph and exit code 2, and loses nothing."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from e2e_place import Place

from ftsweep.cli.main import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rum"], "run"),
        (["run", "no_such_sweep"], "quickstart"),
        (["run", "small.yaml", "training.learning_rte=1"], "learning_rate"),
        (["run", "small.yaml", "training.batch_size=many"], "batch_size"),
        (["run", "small.yaml", "strategy=loro"], "lora"),
        (["run", "small.yaml", "objective.split=test"], "test"),
        (["run", "small.yaml", "objective.metric=rouge"], "accuracy"),
        (["run", "small.yaml", "space.strategy.alphabet=[1,2]"], "alpha"),
        (["run", "small.yaml", "space.training.learning_rate.low=1"], "low"),
        (["run", "small.yaml", "data.train=nowhere.jsonl"], "nowhere.jsonl"),
        (["run", "small.yaml", "model=local", "model.path=nowhere"], "nowhere"),
        (["run", "small.yaml", "study.name=../../etc"], "study.name"),
        (["run", "small.yaml", "store.path=rows.jsonl"], "store.path"),
        (["status", "nothing"], "nothing"),
        (["best", "nothing"], "nothing"),
        (["predict", "nothing"], "nothing"),
        (["list", "stratgies"], "strategy"),
    ],
)
def test_wrong_usage_is_one_paragraph_with_exit_code_2(
    place: Place, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.folder)
    done = CliRunner().invoke(main, words)  # in this process: each is refused before anything is started
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert done.stderr.strip().count("\n\n") == 0


def test_wrong_usage_of_the_command_itself_shows_no_traceback(place: Place) -> None:
    done = place.run("run", "small.yaml", "training.learning_rte=1")
    assert done.returncode == 2
    assert "learning_rate" in done.stderr
    assert "Traceback" not in done.stderr


def test_malformed_rows_are_named_by_file_and_line(place: Place) -> None:
    rows = (place.folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    rows[16] = rows[30] = '{"text": "half a row'
    (place.folder / "rows.jsonl").write_text("\n".join(rows), encoding="utf-8")
    done = place.run("run", "small.yaml")
    assert done.returncode == 1, done.stderr
    assert "rows.jsonl:17, rows.jsonl:31" in done.stderr
    assert "guards.unusable_rows=allow" in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_column_names_those_there_are_and_the_study_runs_once_it_is_mended(place: Place) -> None:
    rows = [{"sentence": f"row {number}", "label": "ab"[number % 2]} for number in range(100)]
    (place.folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    done = place.run("run", "small.yaml", "budget.trials=1")
    assert done.returncode == 2
    assert "sentence" in done.stderr
    assert "data.columns" in done.stderr
    columns = "data.columns={text: sentence, label: label}"  # the remedy, and another setting before the first trial
    mended = place.run("run", "small.yaml", "budget.trials=1", columns, "objective.metric=accuracy")
    assert mended.returncode == 0, mended.stderr


def test_debug_shows_the_traceback(place: Place) -> None:
    done = place.run("run", "no_such_sweep", "--debug")
    assert done.returncode != 0
    assert "Traceback" in done.stderr


BROKEN_STRATEGY = """
from ftsweep.strategies.lora import Lora


class Broken(Lora):
    def save(self, model, folder):
        raise ValueError("no place for this adapter today")
"""


def test_same_error_of_the_users_code_stops_the_study_with_one_report(place: Place) -> None:
    (place.folder / "my_parts.py").write_text(BROKEN_STRATEGY, encoding="utf-8")
    sweep = (place.folder / "small.yaml").read_text(encoding="utf-8")
    sweep = sweep.replace("strategy: {rank: 2}", "strategy: {_target_: my_parts.Broken, rank: 2}\nallow: [my_parts]")
    (place.folder / "small.yaml").write_text(sweep, encoding="utf-8")
    done = place.run("run", "small.yaml", "executor=inline")
    assert done.returncode == 1, done.stderr
    assert "3 trials failed with the same error, ValueError: no place for this adapter today" in done.stderr
    assert "my_parts.py:7" in done.stderr
    assert "Traceback" not in done.stderr
    trials = place.ask("status", "small", "--json")["trials"]
    assert [trial["outcome"] for trial in trials] == ["failed"] * 3
