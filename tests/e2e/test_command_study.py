"""The main job through the real command: from a sweep file to a registered model that answers."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from e2e_place import Place, sentences

Finished = tuple[Place, "subprocess.CompletedProcess[str]"]
QUESTIONS = [row["text"] for row in sentences(6)]
ASKED = json.dumps({"text": QUESTIONS})
REGISTERED = ("models:/small@champion",)


def registered_answers(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("ANSWERS")]
    answers: list[dict[str, Any]] = json.loads(line.removeprefix("ANSWERS"))
    return answers


def test_run_ends_with_the_winner_and_the_links(finished: Finished) -> None:
    _, done = finished
    assert "is chosen: validation/loss" in done.stdout
    assert "4 trials:" in done.stdout
    assert "report:" in done.stdout
    assert "report.html" in done.stdout
    assert "ftsweep ui" in done.stdout
    assert "Note:" not in done.stdout, "something was not recorded"


def test_status_lists_the_study_and_its_trials(finished: Finished) -> None:
    place, _ = finished
    (row,) = place.ask("status", "--json")["studies"]
    assert (row["study"], row["state"], row["num_ended"]) == ("small", "complete", 4)
    study = place.ask("status", "small", "--json")
    assert [trial["number"] for trial in study["trials"]] == [0, 1, 2, 3]
    assert study["trials"][0]["is_default"]
    assert study["trials"][0]["outcome"] == "complete"
    assert place.run("status", "small").stdout.count("complete") >= 1
    for trial in study["trials"]:
        verdict, *_ = trial["verdicts"]
        assert verdict["numbers"]["z_start"] > 2, "rows are compared between rungs"


def test_best_measures_winner_default_and_base_on_test(finished: Finished) -> None:
    place, _ = finished
    conclusion = place.ask("best", "small", "--json")["conclusion"]
    model = conclusion["model"]
    winner = f"trial-{model['number']:04d}" + (f"-{model['seed']}" if model["seed"] else "")
    assert {winner, "baseline"} <= set(conclusion["test"])
    assert conclusion["test"][winner]["accuracy"] > conclusion["test"]["baseline"]["accuracy"]
    assert conclusion["test_looks"] == 1
    assert "accuracy" in place.run("best", "small").stdout


def test_trial_tells_the_costs_by_which_approaches_are_compared(finished: Finished) -> None:
    place, _ = finished
    outcome = json.loads((place.study("small") / "trials" / "0000" / "outcome.json").read_text())
    assert outcome["extra"]["num_trained_parameters"] > 0
    assert outcome["extra"]["train_seconds"] > 0


def test_predict_from_study_export_and_registry_agree(finished: Finished, tmp_path: Any) -> None:
    place, _ = finished
    lines = "".join(json.dumps({"text": text}) + "\n" for text in QUESTIONS)
    from_study = place.run("predict", "small", stdin=lines)
    assert from_study.returncode == 0, from_study.stderr
    answers = [json.loads(line) for line in from_study.stdout.splitlines()]
    assert {answer["label"] for answer in answers} <= {"sea", "farm"}

    exported = tmp_path / "exported"
    assert place.run("best", "small", "--export", str(exported)).returncode == 0
    assert (exported / "adapter_model.safetensors").exists()
    plain = "\n".join(QUESTIONS)
    from_folder = place.run("predict", str(exported), stdin=plain)
    assert [json.loads(line) for line in from_folder.stdout.splitlines()] == answers
    refused = place.run("best", "small", "--export", str(exported))
    assert refused.returncode == 2
    assert "empty folder" in refused.stderr

    registered = registered_answers(place.run(*REGISTERED, stdin=ASKED, module="registered_model"))
    assert [answer["label"] for answer in registered] == [answer["label"] for answer in answers]
    for left, right in zip(registered, answers, strict=True):
        assert left["probability"] == pytest.approx(right["probability"], abs=1e-6)


@pytest.mark.slow
def test_registered_model_answers_in_a_process_that_has_imported_mlflow_only(finished: Finished) -> None:
    done = finished[0].run_as_a_person(*REGISTERED, stdin=ASKED, module="registered_model")
    assert {answer["label"] for answer in registered_answers(done)} <= {"sea", "farm"}


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")  # inside MLflow
def test_mlflow_has_one_parent_and_every_trial_with_its_rungs(finished: Finished) -> None:
    from mlflow import MlflowClient

    place, _ = finished
    client = MlflowClient(f"sqlite:///{place.folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("small")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], max_results=100)
    by_name = {run.info.run_name: run for run in runs}
    assert set(by_name) == {"sweep", "baseline-main", *(f"trial-{number:04d}" for number in range(4))}
    assert len(runs) == 6
    statuses = {"complete": "FINISHED", "pruned": "KILLED"}
    for trial in place.ask("status", "small", "--json")["trials"]:
        run = by_name[f"trial-{trial['number']:04d}"]
        assert run.info.status == statuses[trial["outcome"]]
        assert set(trial["params"]) <= set(run.data.params)
        history = client.get_metric_history(run.info.run_id, "validation/loss")
        assert [metric.step for metric in history] == list(range(trial["rung"] + 1))
        assert run.data.metrics["value/validation/loss"] == pytest.approx(trial["value"])
        assert run.data.tags["mlflow.parentRunId"] == by_name["sweep"].info.run_id
        assert run.data.tags["verdict"].startswith(trial["verdicts"][0]["kind"])
        assert run.data.tags["verdict.severity"] == trial["verdicts"][0]["severity"]
    assert by_name["sweep"].data.tags["study_verdict.winner"]
    assert by_name["sweep"].inputs.dataset_inputs
    artifacts = {file.path for file in client.list_artifacts(by_name["sweep"].info.run_id)}
    assert any("report.html" in path for path in artifacts)
    assert client.get_model_version_by_alias("small", "champion").version in {1, "1"}


def test_complete_study_starts_nothing_when_run_again(finished: Finished) -> None:
    place, _ = finished
    before = {path: path.stat().st_mtime_ns for path in place.study("small").glob("trials/*/*")}
    again = place.run("run", "small.yaml")
    assert again.returncode == 0, again.stderr
    assert "is complete: nothing was started" in again.stdout
    assert "is chosen" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in place.study("small").glob("trials/*/*")} == before


def test_changed_training_on_an_old_study_is_refused_with_the_difference(finished: Finished) -> None:
    place, _ = finished
    refused = place.run("run", "small.yaml", "training.epochs=3")
    assert refused.returncode == 2
    assert "training.epochs was 2, is now 3" in refused.stderr
    assert "study.name=" in refused.stderr


def test_report_is_one_page_that_names_the_winner(finished: Finished) -> None:
    place, _ = finished
    done = place.run("report", "small", "--out", "page.html")
    assert done.returncode == 0, done.stderr
    page = (place.folder / "page.html").read_text(encoding="utf-8")
    assert "is chosen" in page
    assert "<script src=" not in page


def test_plan_takes_what_new_writes_prepares_and_times_it_and_makes_no_study(place: Place) -> None:
    assert place.run("new", "rows.jsonl").returncode == 0
    facts = place.ask("plan", "rows.yaml", "--json")
    assert facts["num_trials"] == 12
    assert facts["branches"][0]["estimate"]["trial_seconds"] > 0
    assert sum(facts["branches"][0]["data"]["num_rows"].values()) == 120
    assert not place.study("rows").exists()


def test_changed_data_is_refused_on_an_old_study(finished: Finished, tmp_path: Path) -> None:
    place = Place(Path(shutil.copytree(finished[0].folder, tmp_path / "copy")))
    num_trials = len(place.ask("status", "small", "--json")["trials"])
    rows = (place.folder / "rows.jsonl").read_text(encoding="utf-8").replace("wave", "storm")
    (place.folder / "rows.jsonl").write_text(rows, encoding="utf-8")
    refused = place.run("run", "small.yaml", f"budget.trials={num_trials + 1}")
    assert refused.returncode == 2, refused.stderr
    assert "the data of study 'small' is not what its trials were made with" in refused.stderr
    assert len(place.ask("status", "small", "--json")["trials"]) == num_trials


def test_a_finished_study_holds_no_pickle(finished: Finished) -> None:
    store = finished[0].store
    files = [file for file in store.rglob("*") if file.is_file()]
    assert (store / "studies" / "small" / "model" / "adapter_model.safetensors") in files
    assert [file.name for file in files if file.suffix in (".pkl", ".pickle", ".bin", ".pt", ".pth", ".ckpt")] == []
    arrays = [file for file in files if file.suffix == ".npz"]  # a zip file too
    for file in arrays:
        with np.load(file, allow_pickle=False) as opened:
            assert all(opened[name].dtype != object for name in opened)
    others = [file for file in files if file.suffix != ".db" and file not in arrays]
    assert [file.name for file in others if is_pickle(file)] == []


def is_pickle(file: Path) -> bool:
    """By the first bytes of protocols 2 to 5, and of the zip files that torch.save writes."""
    start = file.read_bytes()[:4]
    return (start[:1] == b"\x80" and start[1:2] in b"\2\3\4\5" and len(start) == 4) or start == b"PK\3\4"
