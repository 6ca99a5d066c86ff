"""What MLflow has after a study was recorded."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from study_manifests import write_manifest

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.sample import Sample
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, StoredPause
from ftsweep.errors import ConfigError, StudyError
from ftsweep.recording import mlflow_artifacts
from ftsweep.recording.base import RecorderAwayError
from ftsweep.recording.mlflow import MlflowRecorder
from ftsweep.recording.serving_ui import study_addresses
from ftsweep.recording.shared_view import VIEW_TAG
from ftsweep.recording.ui import tracking_uri
from ftsweep.store.atomic import write_text
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.store.samples import rung_name, write_samples
from ftsweep.testing.recorder import STARTED, measurement_of, proposal_of, record_trial, study_facts

# SQLAlchemy tells MLflow 3.17 that a loader it uses is deprecated
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")


PAUSE = StoredPause(1, "It waits.")


def client_of(folder: StudyFolder) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri(folder.store))


def runs_of(folder: StudyFolder) -> dict[str, Any]:
    client = client_of(folder)
    experiment = client.get_experiment_by_name(folder.name)
    runs = client.search_runs([experiment.experiment_id])
    assert len({run.info.run_name for run in runs}) == len(runs)
    return {run.info.run_name: run for run in runs}


def opened(folder: StudyFolder, **changes: Any) -> MlflowRecorder:
    recorder = MlflowRecorder(system_metrics=False)
    recorder.open(replace(study_facts(folder), **changes))
    return recorder


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (OutcomeKind.COMPLETE, "FINISHED"),
        (OutcomeKind.FAILED, "FAILED"),
        (OutcomeKind.PRUNED, "KILLED"),
        (OutcomeKind.INFEASIBLE, "KILLED"),
        (OutcomeKind.DIVERGED, "KILLED"),
    ],
)
def test_an_outcome_is_a_status_a_tag_and_a_reason(folder: StudyFolder, kind: OutcomeKind, status: str) -> None:
    record_trial(opened(folder), 7, Outcome(kind, "because"))
    run = runs_of(folder)["trial-0007"]
    assert run.info.status == status
    assert run.data.tags["ftsweep.outcome"] == kind.value
    assert run.data.tags["ftsweep.reason"] == "because"
    assert (run.info.start_time, run.info.end_time) == (STARTED * 1000, STARTED * 1000 + 4000)


def test_what_a_trial_did_to_texts_is_among_its_metrics(folder: StudyFolder) -> None:
    told = {"metrics": {"domain/perplexity_after": 57.5, "general/forgetting": 0.25}}
    record_trial(opened(folder), 7, Outcome(OutcomeKind.COMPLETE, "trained to the end", extra=told))
    assert told["metrics"].items() <= runs_of(folder)["trial-0007"].data.metrics.items()


def test_scores_measured_later_are_metrics_of_the_trial_that_ended(folder: StudyFolder) -> None:
    recorder = opened(folder)
    record_trial(recorder, 7, Outcome(OutcomeKind.COMPLETE, "trained to the end"))
    recorder.close(finished=True)
    for value in (0.25, 0.5):  # another process, later
        MlflowRecorder(system_metrics=False).add_scores(folder, 7, {"evaluate/own/acc": value})
    run = runs_of(folder)["trial-0007"]
    assert run.data.metrics["evaluate/own/acc"] == 0.5
    assert run.info.status == "FINISHED"
    MlflowRecorder(system_metrics=False).add_scores(folder, 8, {"evaluate/own/acc": 1.0})  # never recorded
    assert set(runs_of(folder)) == {"sweep", "trial-0007"}


def test_children_carry_the_parent_the_study_tags_and_the_data_set(folder: StudyFolder) -> None:
    recorder = opened(folder)
    record_trial(recorder, 0)
    recorder.begin_trial(Proposal(-1, "lora", {}), tags={}, params={})
    runs = runs_of(folder)
    assert set(runs) == {"sweep", "trial-0000", "baseline-lora"}
    for name, run in runs.items():
        assert run.data.tags["seed.data"] == "0"
        assert run.data.tags["mlflow.source.git.commit"] == "c0ffee"
        assert run.data.tags["data_fingerprint"] == "5eed" * 16
        assert run.data.tags.get("mlflow.parentRunId") == (None if name == "sweep" else runs["sweep"].info.run_id)
        (data,) = run.inputs.dataset_inputs
        assert (data.dataset.name, data.dataset.digest) == ("pydocs", ("5eed" * 16)[:36])
        assert '"num_rows": 85' in data.dataset.profile
        assert {tag.key: tag.value for tag in data.tags} == {"mlflow.data.context": "train, validation"}


def test_params_are_spelled_as_json_and_overlong_ones_are_cut(folder: StudyFolder) -> None:
    recorder = opened(folder)
    params = {"rate": 1e-5, "targets": ["a", "b"], "patience": None, "dora": True, "name": "x", "long": "y" * 7000}
    recorder.begin_trial(proposal_of(0), tags={}, params=params)
    logged = runs_of(folder)["trial-0000"].data.params
    assert logged.pop("long").endswith("y ... (7000 characters)")
    assert logged == {"rate": "1e-05", "targets": '["a", "b"]', "patience": "null", "dora": "true", "name": "x"}


def test_a_param_keeps_its_first_value(folder: StudyFolder) -> None:
    recorder = opened(folder)
    recorder.begin_trial(proposal_of(0), tags={}, params={"rate": 1})
    recorder.begin_trial(proposal_of(0), tags={}, params={"rate": 2, "rank": 3})
    opened(folder).begin_trial(proposal_of(0), tags={}, params={"rate": 4})
    assert runs_of(folder)["trial-0000"].data.params == {"rate": "1", "rank": "3"}


def test_a_lost_recording_file_makes_no_second_run_and_no_second_point(folder: StudyFolder) -> None:
    record_trial(opened(folder), 0, None, num_rungs=2)
    spec = folder.trial(0).spec_file
    spec.parent.mkdir(parents=True)
    spec.write_text("{}")
    (folder.path / "recording.json").unlink()
    record_trial(opened(folder), 0)
    run = runs_of(folder)["trial-0000"]
    history = client_of(folder).get_metric_history(run.info.run_id, "validation/loss")
    assert [(point.step, point.value) for point in history] == [(rung, 2.0 - rung / 7) for rung in range(4)]


def test_getting_ready_makes_no_database_where_a_ledger_tells_of_one(folder: StudyFolder) -> None:
    opened(folder).close(finished=False)
    other = Store(folder.store.root.parent / "other").study("example")
    other.path.mkdir(parents=True)
    shutil.copy(folder.path / "recording.json", other.path)
    MlflowRecorder(system_metrics=False).get_ready(other)  # `open` has to find it missing, and send all anew
    assert not other.store.mlflow_database.exists()


def test_a_file_that_cannot_be_read_is_not_taken_for_a_server_that_is_away(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: Path) -> str:
        raise PermissionError(file)

    monkeypatch.setattr(mlflow_artifacts, "content_hash", refuse)
    with pytest.raises(PermissionError):
        opened(folder).keep_artifacts([folder.sweep_file])


def test_a_study_made_anew_does_not_mix_with_the_runs_of_the_old_one(folder: StudyFolder) -> None:
    record_trial(opened(folder), 0)
    (folder.path / "recording.json").unlink()  # as its whole folder was deleted
    record_trial(opened(folder), 0)
    client = client_of(folder)
    runs = client.search_runs([client.get_experiment_by_name("example").experiment_id])
    assert len({run.data.tags["ftsweep.study_id"] for run in runs}) == 2
    assert len(runs) == 4


def test_nan_and_infinity_are_recorded_and_odd_names_are_mended(folder: StudyFolder) -> None:
    recorder = opened(folder)
    values = {"validation/loss": math.nan, "train/loss": math.inf, "validation/f1@5": 0.5}
    recorder.measure(proposal_of(0), Measurement(1, 0.5, 1, 1, 1.0, STARTED, values))
    for _ in range(2):
        recorder.end_trial(proposal_of(0), Outcome(OutcomeKind.DIVERGED), best={"train/loss": math.inf}, tags={})
    metrics = runs_of(folder)["trial-0000"].data.metrics
    assert math.isnan(metrics["validation/loss"])
    assert metrics["train/loss"] == metrics["value/train/loss"] == sys.float_info.max
    assert metrics["validation/f1_5"] == 0.5


def test_the_last_study_metric_is_the_last_one_told(folder: StudyFolder) -> None:
    recorder = opened(folder)
    for time, value in enumerate((3.0, 1.0, 2.0)):
        recorder.tag({}, metrics={"value/validation/loss": value}, timestamp=STARTED + time)
    assert runs_of(folder)["sweep"].data.metrics == {"value/validation/loss": 2.0}


def test_a_paused_trial_is_killed_and_stays_paused_at_the_end_until_it_goes_on(folder: StudyFolder) -> None:
    recorder = opened(folder)
    for number in (0, 1):
        record_trial(recorder, number, None, num_rungs=2)
        recorder.pause_trial(proposal_of(number), PAUSE, timestamp=STARTED + 2)
    recorder.begin_trial(proposal_of(1), tags={}, params={})
    record_trial(recorder, 1)
    recorder.pause_trial(proposal_of(1), PAUSE)  # told late, by what replays the folders
    recorder.close(finished=True)
    runs = runs_of(folder)
    assert (runs["trial-0000"].info.status, runs["trial-0000"].info.end_time) == ("KILLED", round(1000 * (STARTED + 2)))
    tags = runs["trial-0000"].data.tags
    assert (tags["ftsweep.outcome"], tags["ftsweep.pause"]) == ("paused", "paused at rung 1: It waits.")
    assert (runs["trial-0001"].info.status, runs["trial-0001"].data.tags["ftsweep.outcome"]) == ("FINISHED", "complete")
    recorder = opened(folder)
    recorder.begin_trial(proposal_of(0), tags={}, params={})
    run = runs_of(folder)["trial-0000"]
    assert (run.info.status, run.data.tags["ftsweep.outcome"]) == ("RUNNING", "running")
    recorder.close(finished=True)


def test_an_interrupted_study_is_killed_and_runs_again_when_it_goes_on(folder: StudyFolder) -> None:
    recorder = opened(folder)
    record_trial(recorder, 0, None, num_rungs=2)
    recorder.close(finished=False)
    statuses = {name: run.info.status for name, run in runs_of(folder).items()}
    assert statuses == {"sweep": "KILLED", "trial-0000": "KILLED"}
    assert runs_of(folder)["trial-0000"].data.tags["ftsweep.outcome"] == "interrupted"
    recorder = opened(folder)
    recorder.begin_trial(proposal_of(0), tags={}, params={})
    statuses = {name: run.info.status for name, run in runs_of(folder).items()}
    assert statuses == {"sweep": "RUNNING", "trial-0000": "RUNNING"}
    record_trial(recorder, 0)
    recorder.close(finished=True)
    statuses = {name: run.info.status for name, run in runs_of(folder).items()}
    assert statuses == {"sweep": "FINISHED", "trial-0000": "FINISHED"}


def test_a_trial_that_ended_is_not_begun_again(folder: StudyFolder) -> None:
    recorder = opened(folder)
    record_trial(recorder, 0)
    recorder.begin_trial(proposal_of(0), tags={}, params={})
    assert runs_of(folder)["trial-0000"].info.status == "FINISHED"
    assert recorder.has_arrived(proposal_of(0))
    assert not recorder.has_arrived(proposal_of(1))


def test_a_deleted_experiment_is_refused_with_the_remedy(folder: StudyFolder) -> None:
    opened(folder)
    client = client_of(folder)
    client.delete_experiment(client.get_experiment_by_name("example").experiment_id)
    with pytest.raises(StudyError, match=r"was deleted.*Restore it.*experiments restore.*study\.name"):
        opened(folder)


def test_a_deleted_parent_run_is_refused_with_the_remedy(folder: StudyFolder) -> None:
    opened(folder)
    client_of(folder).delete_run(runs_of(folder)["sweep"].info.run_id)
    with pytest.raises(StudyError, match=r"was deleted.*Restore it.*runs restore"):
        opened(folder)


def test_a_trial_run_deleted_by_the_user_stays_deleted_and_hinders_nothing(folder: StudyFolder) -> None:
    record_trial(opened(folder), 0, None, num_rungs=1)
    client_of(folder).delete_run(runs_of(folder)["trial-0000"].info.run_id)
    recorder = opened(folder)
    record_trial(recorder, 0)
    record_trial(recorder, 1)
    assert set(runs_of(folder)) == {"sweep", "trial-0001"}


def test_a_run_whose_making_got_no_answer_is_found_and_not_made_twice(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = opened(folder)
    client = recorder._opened.client
    create_run = client.create_run

    def create_and_lose_the_answer(*args: Any, **kwargs: Any) -> None:
        create_run(*args, **kwargs)
        raise ConnectionResetError("the answer was lost")

    monkeypatch.setattr(client, "create_run", create_and_lose_the_answer)
    with pytest.raises(RecorderAwayError, match="the answer was lost"):
        recorder.begin_trial(proposal_of(0), tags={}, params={})
    monkeypatch.undo()
    record_trial(recorder, 0)
    assert set(runs_of(folder)) == {"sweep", "trial-0000"}


def test_a_rung_is_one_call_and_limits_of_a_batch_are_kept(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = opened(folder)
    client = recorder._opened.client
    log_batch, batches = client.log_batch, []

    def counted(run_id: str, metrics: Any = (), params: Any = (), tags: Any = ()) -> None:
        batches.append((len(metrics), len(params), len(tags)))
        log_batch(run_id, metrics, params, tags)

    monkeypatch.setattr(client, "log_batch", counted)
    recorder.begin_trial(proposal_of(0), tags={}, params={f"p{number}": number for number in range(250)})
    assert [params for _, params, _ in batches] == [100, 100, 50]
    batches.clear()
    recorder.measure(proposal_of(0), measurement_of(0))
    recorder.measure(proposal_of(0), measurement_of(0))
    recorder.measure_all(proposal_of(0), [measurement_of(rung) for rung in range(4)])
    assert batches == [(2, 0, 0), (6, 0, 0)]
    batches.clear()
    many = {f"validation/m{number}": float(number) for number in range(1001)}
    recorder.measure(proposal_of(0), replace(measurement_of(4), values=many))
    assert batches == [(800, 0, 0), (201, 0, 0)]


def test_a_report_is_kept_again_only_when_it_changed(folder: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = opened(folder)
    client, kept = recorder._opened.client, []
    log_artifact = client.log_artifact
    monkeypatch.setattr(client, "log_artifact", lambda *args: (kept.append(args), log_artifact(*args)))
    report = folder.path / "report.html"
    for text in ("one", "one", "two"):
        report.write_text(text)
        recorder.keep_artifacts([report])
    assert len(kept) == 2
    run = runs_of(folder)["sweep"]
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {"report.html", "sweep.yaml"}
    assert (folder.store.artifacts / "example" / run.info.run_id / "artifacts" / "report.html").read_text() == "two"


def test_the_control_machines_load_is_on_the_parent_run(folder: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")
    recorder = MlflowRecorder()
    recorder.open(study_facts(folder))
    monitor = recorder._monitor
    assert monitor is not None
    published = monitor.publish_metrics
    from threading import Event

    has_published = Event()
    monkeypatch.setattr(monitor, "publish_metrics", lambda metrics: (published(metrics), has_published.set()))
    assert has_published.wait(30)
    recorder.close(finished=True)
    assert any(key.startswith("system/cpu") for key in runs_of(folder)["sweep"].data.metrics)


@pytest.mark.parametrize("uri", ["mlruns", "./mlruns", "file:///tmp/mlruns", "ftp://host", "C:\\runs"])
def test_a_place_that_mlflow_cannot_track_in_is_refused(uri: str) -> None:
    with pytest.raises(ConfigError, match=r"recording\.tracking_uri"):
        MlflowRecorder(tracking_uri=uri)


@pytest.mark.parametrize(
    "uri", ["sqlite:///a.db", "postgresql+psycopg2://u@h/db", "http://localhost:5000", "https://h", "databricks"]
)
def test_databases_and_servers_are_taken(uri: str) -> None:
    MlflowRecorder(tracking_uri=uri)


def test_building_the_recorder_imports_neither_mlflow_nor_torch() -> None:
    code = (
        "import sys; from ftsweep.recording.background import BackgroundRecorder as B; "
        "from ftsweep.recording.mlflow import MlflowRecorder as M; import ftsweep.recording.ui; B(M()); "
        "assert not {'mlflow', 'torch', 'pandas', 'sqlalchemy'} & set(sys.modules), sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_what_a_trial_answered_is_a_table_of_its_run(folder: StudyFolder) -> None:
    sample = Sample(3, "what?", "this", "that", {"rouge_l": 0.25})
    write_samples(folder.trial(7).path, rung_name(2), [sample])
    for _ in range(2):
        record_trial(opened(folder), 7)
    run = runs_of(folder)["trial-0007"]
    assert json.loads(run.data.tags["mlflow.loggedArtifacts"]) == [{"path": "samples.json", "type": "table"}]
    client = client_of(folder)
    table = client._read_from_file(client.download_artifacts(run.info.run_id, "samples.json"))  # as `load_table` does
    assert table.to_dict("records") == [
        {"rung": 2, "row": 3, "prompt": "what?", "expected": "this", "answer": "that", "rouge_l": 0.25}
    ]


def test_the_experiments_page_shows_trials_with_what_varies_the_best_first(folder: StudyFolder) -> None:
    recorder = opened(folder)
    record_trial(recorder, 0)
    experiment = client_of(folder).get_experiment_by_name(folder.name)
    view = json.loads(experiment.tags[VIEW_TAG])
    assert view["orderByKey"] == "metrics.`value/validation/loss`"
    assert view["orderByAsc"] is True
    columns = view["selectedColumns"]
    assert columns[0] == "metrics.`value/validation/loss`"
    assert "params.`training.learning_rate`" in columns
    params = runs_of(folder)["trial-0000"].data.params
    assert params["learning_rate"] == params["training.learning_rate"], "by the alphabet among the first three"
    assert "params.`learning_rate`" not in columns
    assert {"tags.`ftsweep.outcome`", "tags.`verdict`", "tags.`ftsweep.winner`"} <= set(columns)
    write_text(folder.sweep_file, "study: {name: example}\n")
    write_manifest(folder)
    address = study_addresses(folder.store, "http://127.0.0.1:5001")[folder.name]
    page = f"#/experiments/{experiment.experiment_id}/runs?workflowType=machine_learning"
    assert address.endswith(f"{page}&viewStateShareKey=ftsweep")


def test_a_server_that_takes_no_view_gets_links_with_the_order_alone(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

    def refuse(self: object, number: str, key: str, value: str) -> None:
        raise MlflowException("no such tags here", INVALID_PARAMETER_VALUE)

    monkeypatch.setattr(MlflowClient, "set_experiment_tag", refuse)
    record_trial(opened(folder), 0)
    write_text(folder.sweep_file, "study: {name: example}\n")
    write_manifest(folder)
    address = study_addresses(folder.store, "http://127.0.0.1:5001")[folder.name]
    assert "orderByKey=metrics.%60value%2Fvalidation%2Floss%60&orderByAsc=true" in address


def test_a_description_is_mlflows_note_and_a_fresh_run_hangs_under_its_trial(folder: StudyFolder) -> None:
    recorder = opened(folder)
    record_trial(recorder, 0)
    recorder.tag({"description": "**chosen**"})
    fresh = replace(proposal_of(0), seed=2)
    recorder.begin_trial(fresh, tags={"fresh_seed": "2"}, params=fresh.params)
    recorder.end_trial(fresh, Outcome(OutcomeKind.COMPLETE), best={"validation/loss": 1.5}, tags={})
    runs = runs_of(folder)
    assert runs["sweep"].data.tags["mlflow.note.content"] == "**chosen**"
    again = runs["seed-2-of-trial-0000"]
    assert again.data.tags["mlflow.parentRunId"] == runs["trial-0000"].info.run_id
    assert again.data.metrics["value/validation/loss"] == 1.5


def test_the_data_set_has_the_columns_of_its_rows_as_schema(folder: StudyFolder, tmp_path: Path) -> None:
    row = {"place": "t.jsonl:1", "values": {"tweet": "what a day", "label": "joy", "stars": 3}}
    (tmp_path / "train.rows.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    data = {**study_facts(folder).data, "folder": str(tmp_path)}
    recorder = opened(folder, data=data)
    record_trial(recorder, 0)
    (found,) = runs_of(folder)["trial-0000"].inputs.dataset_inputs
    columns = json.loads(found.dataset.schema)["mlflow_colspec"]
    assert [(column["name"], column["type"]) for column in columns] == [
        ("tweet", "string"), ("label", "string"), ("stars", "long"),
    ]  # fmt: skip
