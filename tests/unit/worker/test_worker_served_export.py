"""What MLflow's server makes of a request is answered as transformers answers from the exported folder."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest
from exported_models import TEXT, WORDS, exported, ours

from ftsweep.recording.mlflow_model import _served_file, _with_study_names
from ftsweep.worker.portable_export import open_elsewhere

pytestmark = [
    # MLflow 3.17 warns about a type hint of its own when mlflow.pyfunc is imported
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*An input example was not provided:UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
TEXTS = [TEXT, "the song was loud"]


def served(folder, place, row, answer):
    """The folder as MLflow holds a registered model, loaded as its server loads it."""
    import mlflow.pyfunc
    from mlflow.models import infer_signature

    signature = infer_signature(pd.DataFrame([row]), pd.DataFrame([answer]))
    mlflow.pyfunc.save_model(
        place,
        python_model=_served_file(),
        artifacts={"model": str(folder)},
        signature=_with_study_names(signature, folder),
        pip_requirements=[],
    )
    return mlflow.pyfunc.load_model(str(place))


def asked(model, body, kind="application/json"):
    from mlflow.pyfunc.scoring_server import invocations

    text = body if isinstance(body, str) else json.dumps(body)
    response = invocations(text, kind, model, model.metadata.get_input_schema())
    assert response.status == 200, response.response
    return json.loads(response.response)["predictions"]


def test_every_form_of_request_gives_the_labels_and_scores_of_plain_transformers(tmp_path):
    from transformers import pipeline

    folder = exported(tmp_path / "model", "classification", "lora", data={"columns": {"text": "tweet"}})
    model = served(folder, tmp_path / "served", {"text": TEXT}, ours(folder, "classification"))
    shutil.copytree(folder, tmp_path / "elsewhere")
    open_elsewhere(tmp_path / "elsewhere")
    classify = pipeline("text-classification", model=str(tmp_path / "elsewhere"), device=-1, top_k=None)
    expected = [{each["label"]: each["score"] for each in found} for found in classify(TEXTS)]
    for name in ("text", "tweet"):
        records = [{name: text} for text in TEXTS]
        bodies = [
            {"dataframe_records": records},
            {"dataframe_split": {"columns": [name], "data": [[text] for text in TEXTS]}},
            {"inputs": records},
            {"inputs": {name: TEXTS}},
            {"instances": records},
        ]
        answers = [asked(model, body) for body in bodies]
        answers.append(asked(model, "\n".join([name, *TEXTS]) + "\n", "text/csv"))
        for answer in answers:
            assert [max(scores, key=scores.get) for scores in expected] == [each["label"] for each in answer]
            for each, scores in zip(answer, expected, strict=True):
                assert each["scores"] == pytest.approx(scores, abs=1e-4)


def test_lists_of_words_and_prompts_pass_the_server(tmp_path):
    for task_name, row in (("token_classification", {"tokens": WORDS}), ("instruction", {"prompt": TEXT})):
        folder = exported(tmp_path / task_name, task_name, "lora")
        answer = ours(folder, task_name)
        model = served(folder, tmp_path / f"{task_name}-served", row, answer)
        (found,) = asked(model, {"dataframe_records": [row]})
        name = "tags" if task_name == "token_classification" else "completion"
        assert found[name] == answer[name]
