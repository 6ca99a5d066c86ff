"""The chosen model in the registry, and what it answers when MLflow loads it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pandas as pd
import pytest

from ftsweep.recording.base import ChosenModel
from ftsweep.recording.mlflow import MlflowRecorder
from ftsweep.recording.ui import tracking_uri
from ftsweep.store.atomic import write_json
from ftsweep.store.folders import StudyFolder
from ftsweep.testing.recorder import record_trial, study_facts

pytestmark = [
    # SQLAlchemy tells MLflow 3.17 that a loader it uses is deprecated
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning"),
    # MLflow 3.17 warns about a type hint of its own when mlflow.pyfunc is imported
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]


class EchoPredictor:
    """Answers with what it was asked and the folder it was loaded from."""

    task = SimpleNamespace(columns=("text", "label", "messages", "prompt", "tokens"))

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    columns: ClassVar[dict[str, str]] = {"text": "tweet"}

    def answers(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | str]:
        return [self.predict([row])[0] if row.get("text") != "" else "'text' is empty" for row in rows]

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [{"label": str(sorted(row.items())), "probability": 0.5} for row in rows]


@pytest.fixture(autouse=True)
def _fake_inference(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the place of `ftsweep.serving.model`, which imports torch."""
    module = ModuleType("ftsweep.serving.model")
    module.load_predictor = EchoPredictor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ftsweep.serving.model", module)


@pytest.fixture
def model(folder: StudyFolder) -> ChosenModel:
    exported = folder.path / "model"
    write_json(exported / "ftsweep.json", {"task": {}})
    (exported / "adapter_model.safetensors").write_bytes(b"weights")
    return ChosenModel(
        number=7,
        folder=exported,
        input_example=[{"text": "one"}, {"text": "two"}],
        output_example=[{"label": "a", "probability": 0.9}, {"label": "b", "probability": 0.8}],
        metrics={"test/accuracy": 0.75},
        tags={"branch": "main"},
        description="# A card",
    )


@pytest.fixture
def recorder(folder: StudyFolder) -> MlflowRecorder:
    recorder = MlflowRecorder(system_metrics=False)
    recorder.open(study_facts(folder))
    record_trial(recorder, 7)
    return recorder


def versions_of(folder: StudyFolder) -> dict[str, Any]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri(folder.store))
    return {version.version: version for version in client.search_model_versions("name = 'example'")}


def champion_of(folder: StudyFolder) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri(folder.store)).get_model_version_by_alias("example", "champion").version


def load_champion(folder: StudyFolder) -> Any:
    import mlflow

    mlflow.set_tracking_uri(tracking_uri(folder.store))
    try:
        return mlflow.pyfunc.load_model("models:/example@champion")
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]  # unsets it


def test_a_model_of_a_fresh_seed_leaves_its_trials_own_values_alone(
    folder: StudyFolder, recorder: MlflowRecorder, model: ChosenModel
) -> None:
    from mlflow import MlflowClient

    recorder.register(replace(model, seed=2, metrics={"value/validation/loss": 0.125}))
    client = MlflowClient(tracking_uri(folder.store))
    run = client.get_run(client.get_model_version_by_alias("example", "champion").run_id)
    assert run.info.run_name == "seed-2-of-trial-0007"
    assert run.data.metrics["value/validation/loss"] == 0.125
    assert run.data.tags["ftsweep.winner"] == "winner"
    trial = client.get_run(run.data.tags["mlflow.parentRunId"])
    assert trial.info.run_name == "trial-0007"
    assert trial.data.metrics["value/validation/loss"] != 0.125
    assert trial.data.tags["ftsweep.winner"] == "winner with fresh seed 2"


def test_the_champion_has_signature_example_metrics_tags_and_its_run(
    folder: StudyFolder, recorder: MlflowRecorder, model: ChosenModel
) -> None:
    from mlflow import MlflowClient

    assert recorder.register(model) == "models:/example@champion"
    assert recorder.links()["registered model"] == "models:/example@champion"
    client = MlflowClient(tracking_uri(folder.store))
    version = client.get_model_version_by_alias("example", "champion")
    run = client.get_run(version.run_id)
    assert run.info.run_name == "trial-0007"
    assert run.data.metrics["test/accuracy"] == 0.75
    assert {"branch": "main", "ftsweep.trial": "7"}.items() <= version.tags.items()
    assert run.data.tags["ftsweep.winner"] == "winner"
    assert version.description == "# A card"
    logged = client.get_logged_model(version.source.removeprefix("models:/"))
    assert {metric.key: metric.value for metric in logged.metrics} == {"test/accuracy": 0.75}
    assert logged.params == run.data.params
    info = load_champion(folder).metadata
    assert info.signature.inputs.input_names() == ["text"]
    assert info.signature.outputs.input_names() == ["label", "probability"]
    assert info.saved_input_example_info is not None


def test_registering_leaves_mlflows_global_state_as_it_was(recorder: MlflowRecorder, model: ChosenModel) -> None:
    import mlflow

    recorder.register(model)
    assert not mlflow.is_tracking_uri_set()
    assert mlflow.active_run() is None


def test_the_loaded_champion_answers_as_the_predictor_does(
    folder: StudyFolder, recorder: MlflowRecorder, model: ChosenModel
) -> None:
    recorder.register(model)
    loaded = load_champion(folder)
    rows = [{"text": "one"}, {"text": "two"}]
    expected = EchoPredictor(Path()).predict(rows)
    table = loaded.predict(pd.DataFrame(rows, index=[5, 9]))
    assert list(table.index) == [5, 9]
    assert table.to_dict("records") == expected
    assert loaded.predict(rows).to_dict("records") == expected
    served = loaded.unwrap_python_model()
    assert served._predictor.folder.joinpath("adapter_model.safetensors").read_bytes() == b"weights"
    assert served.predict(None, rows) == served.predict(None, ["one", "two"]) == expected
    assert served.predict(None, "one") == served.predict(None, rows[0]) == expected[:1]


def test_empty_cells_of_a_table_are_left_out_and_messages_stay_plain(
    folder: StudyFolder, recorder: MlflowRecorder, model: ChosenModel
) -> None:
    messages = [{"role": "user", "content": "hello"}]
    recorder.register(replace(model, input_example=[{"messages": messages}]))
    loaded = load_champion(folder)
    expected = EchoPredictor(Path()).predict([{"messages": messages}])
    assert loaded.predict(pd.DataFrame([{"messages": messages}])).to_dict("records") == expected
    served = loaded.unwrap_python_model()
    mixed = pd.DataFrame([{"messages": messages}, {"prompt": "hi"}])
    assert served.predict(None, mixed).to_dict("records")[1] == EchoPredictor(Path()).predict([{"prompt": "hi"}])[0]


def test_the_columns_of_the_studys_files_are_taken_too_and_others_are_refused_by_name(
    folder: StudyFolder, recorder: MlflowRecorder, model: ChosenModel
) -> None:
    write_json(model.folder / "ftsweep.json", {"task": {}, "data": {"columns": {"text": "tweet", "label": "mood"}}})
    recorder.register(model)
    loaded = load_champion(folder)
    own = loaded.predict(pd.DataFrame({"text": ["one", "two"]}))["label"]
    named = loaded.predict(pd.DataFrame({"tweet": ["one", "two"], "id": [1, 2]}))["label"]
    assert len(own) == len(named) == 2
    assert "('text', 'one')" in own[0]
    assert "('text', 'one')" in named[0]
    with pytest.raises(Exception, match=r"'text' \(or 'tweet'\)"):
        loaded.predict(pd.DataFrame({"body": ["one"]}))


def test_one_row_without_an_answer_does_not_take_the_others(
    folder: StudyFolder, recorder: MlflowRecorder, model: ChosenModel
) -> None:
    recorder.register(model)
    loaded = load_champion(folder)
    answers = loaded.predict(pd.DataFrame({"text": ["one", ""]}))
    assert answers["error"].tolist()[1] == "'text' is empty"
    assert "one" in answers["label"][0]
    with pytest.raises(Exception, match="no row can be answered: 'text' is empty"):
        loaded.predict(pd.DataFrame({"text": [""]}))


@pytest.mark.parametrize("entities", [[], [{"type": "a", "start": 0, "end": 1, "text": "x", "probability": 0.5}]])
def test_lists_of_words_and_of_entities_have_a_signature(
    folder: StudyFolder, recorder: MlflowRecorder, model: ChosenModel, entities: list[dict[str, Any]]
) -> None:
    rows = [{"tokens": ["x", "y"]}, {"tokens": ["z"]}]
    answers = [{"tags": ["B-a", "O"], "entities": entities}, {"tags": ["O"], "entities": []}]
    recorder.register(replace(model, input_example=rows, output_example=answers))
    loaded = load_champion(folder)
    assert loaded.input_example.to_dict("records") == rows
    expected = EchoPredictor(Path()).predict(rows)
    assert loaded.predict(pd.DataFrame(rows)).to_dict("records") == loaded.predict(rows).to_dict("records") == expected


def test_the_same_champion_is_registered_once_and_a_new_one_takes_the_alias(
    folder: StudyFolder, recorder: MlflowRecorder, model: ChosenModel
) -> None:
    recorder.register(model)
    recorder.register(model)
    assert list(versions_of(folder)) == [1]
    (model.folder / "adapter_model.safetensors").write_bytes(b"other")
    recorder.register(model)
    assert sorted(versions_of(folder)) == [1, 2]
    assert champion_of(folder) == 2
    (model.folder / "adapter_model.safetensors").write_bytes(b"weights")
    recorder.register(model)
    assert sorted(versions_of(folder)) == [1, 2]
    assert champion_of(folder) == 1


def test_a_registration_cut_off_at_any_point_is_completed_by_the_next_one(
    folder: StudyFolder, recorder: MlflowRecorder, model: ChosenModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = recorder._opened.client
    steps = ("log_model_artifacts", "log_outputs", "finalize_logged_model", "create_model_version")
    for step in (*steps, "set_registered_model_alias"):

        def cut_off(*args: Any, **kwargs: Any) -> None:
            raise KeyError("cut off")

        with monkeypatch.context() as patch:
            patch.setattr(client, step, cut_off)
            with pytest.raises(KeyError):
                recorder.register(model)
    recorder.register(model)
    assert list(versions_of(folder)) == [1]
    assert list((folder.path).glob("model-*")) == []


def test_registering_imports_no_torch(folder: StudyFolder, tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from ftsweep.recording.base import ChosenModel
from ftsweep.recording.mlflow import MlflowRecorder
from ftsweep.testing.recorder import record_trial, study_facts
from ftsweep.store.folders import Store
folder = Store(Path(sys.argv[1])).study("example")
recorder = MlflowRecorder(system_metrics=False)
recorder.open(study_facts(folder))
record_trial(recorder, 0)
model = folder.path / "model"
model.mkdir()
(model / "ftsweep.json").write_text("{}")
assert recorder.register(ChosenModel(0, model, [{"text": "a"}], [{"label": "b"}], {"test/loss": 1.0}))
recorder.close(finished=True)
assert not {"torch", "transformers", "datasets", "peft"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code, str(folder.store.root)], check=True, timeout=110)
