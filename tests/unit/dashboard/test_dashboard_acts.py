"""Enqueue, extend and pin from the dashboard: the same doors as the command line, behind token and origin."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from report_studies import StudyBuilder, falling

from ftsweep.dashboard.access import Access
from ftsweep.dashboard.app import make_app, page_at
from ftsweep.dashboard.looks import Looks
from ftsweep.domain.request import Answer, RequestKind
from ftsweep.store.atomic import write_json
from ftsweep.store.folders import StudyFolder
from ftsweep.store.inbox import Inbox

TOKEN = "the-token"
ORIGIN = {"Origin": "http://localhost"}
PARAMS = {"training.learning_rate": 1e-3, "training.batch_size": 16, "training.epochs": 2, "strategy.rank": 8}
COPY = {"study": "demo", "from": 0, "values": ["training.batch_size=8"]}
ACTS = [
    ("enqueue", COPY),
    ("extend", {"study": "demo", "values": ["budget.trials=50"]}),
    ("pin", {"study": "demo", "trials": [1]}),
]


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    builder = StudyBuilder(tmp_path)
    builder.trial(0, falling(1e-3, 16), params=PARAMS)
    builder.trial(1, falling(2e-3, 16, num=3), None, params={**PARAMS, "training.learning_rate": 2e-3})
    return builder.folder


@pytest.fixture
def client(study: StudyFolder) -> FlaskClient:
    return make_app(study.store, Access(token=TOKEN)).test_client()


def post(client: FlaskClient, act: str, body: Any, *, has_token: bool = True, **headers: str) -> tuple[int, str]:
    if has_token:
        client.get(f"/?token={TOKEN}")
    answer = client.post(f"/act/{act}", json=body, headers=headers or ORIGIN)
    return answer.status_code, answer.get_data(as_text=True)


def page(study: StudyFolder, path: str, *, may_act: bool = True) -> str:
    """A page as the text of its parts."""
    parts = page_at(Looks(study.store), path, "", may_act=may_act)
    return json.dumps([part.to_plotly_json() for part in parts], default=lambda part: part.to_plotly_json())


@pytest.mark.parametrize(("act", "body"), ACTS)
def test_without_the_token_or_from_another_site_nothing_is_asked(
    client: FlaskClient, study: StudyFolder, act: str, body: dict[str, Any]
) -> None:
    with study.locked():
        assert post(client, act, body, has_token=False)[0] == 403
        assert post(client, act, body, Origin="http://evil.example")[0] == 403
    assert Inbox(study).pending() == []


@pytest.mark.parametrize(("act", "body"), ACTS)
def test_request_reaches_the_study_with_who_asked(
    client: FlaskClient, study: StudyFolder, act: str, body: dict[str, Any]
) -> None:
    with study.locked():
        status, text = post(client, act, body)
    assert (status, "asked: " in text) == (200, True)
    (request,) = Inbox(study).pending()
    assert request.by.startswith("127.0.0.1 with a dashboard (process ")
    assert request.kind == {"enqueue": "enqueue", "extend": "extend", "pin": "pin"}[act]


@pytest.mark.parametrize(
    ("act", "body", "why"),
    [
        ("enqueue", {**COPY, "values": ["training.batch_size=9"]}, "lies outside the space"),
        ("enqueue", {**COPY, "values": []}, "has this setting already"),
        ("extend", {"study": "demo", "values": ["budget.trials=50"]}, "is not running"),
        ("pin", {"study": "demo", "trials": [0]}, "has ended already"),
        ("unpin", {"study": "demo", "trials": [1]}, "is not pinned"),
    ],
)
def test_what_is_refused_comes_back_with_its_reason(
    client: FlaskClient, study: StudyFolder, act: str, body: dict[str, Any], why: str
) -> None:
    status, text = post(client, act, body)
    assert status == 409
    assert f"refused: {''}" in text
    assert why in text
    assert Inbox(study).pending() == []


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("enqueue", {**COPY, "values": "training.batch_size=8"}),
        ("enqueue", {**COPY, "values": [3]}),
        ("enqueue", {**COPY, "values": ["a=1"] * 1000}),
        ("enqueue", {**COPY, "from": "0"}),
        ("enqueue", {**COPY, "study": "../demo"}),
        ("extend", {"study": "none", "values": ["budget.trials=50"]}),
        ("pin", {"study": "demo", "trials": [True]}),
    ],
)
def test_request_that_makes_no_sense_is_refused_in_words(client: FlaskClient, act: str, body: dict[str, Any]) -> None:
    status, text = post(client, act, body)
    assert status == 400
    assert "refused: " in text


def test_pages_tell_what_was_asked_and_what_came_of_it(study: StudyFolder, client: FlaskClient) -> None:
    post(client, "pin", {"study": "demo", "trials": [1]})
    (request,) = Inbox(study).pending()
    for path in ("/study/demo", "/study/demo/trial/1"):
        assert "pin trial 1: waits for the study's answer (asked by 127.0.0.1" in page(study, path)
    assert "pin trial 1" not in page(study, "/study/demo/trial/0")
    Inbox(study).answer(Answer(replace(request, kind=RequestKind.PIN), "it is not pruned"))
    assert "pin trial 1: it is not pruned (asked by 127.0.0.1" in page(study, "/study/demo/trial/1")


def test_damaged_answers_are_told_and_the_page_is_shown(study: StudyFolder) -> None:
    from ftsweep.store.atomic import append_line

    append_line(Inbox(study).answers_file, {"request": 3})
    assert "The requests cannot be read" in page(study, "/study/demo")


def test_trial_page_has_its_setting_as_a_form_its_run_and_the_command_that_repeats_it(study: StudyFolder) -> None:
    shown = page(study, "/study/demo/trial/1")
    assert '["training.learning_rate", "0.002"]' in shown
    assert "ftsweep run demo study.name=demo-trial-1 budget.trials=1 selection.seeds=0" in shown
    assert "MLflow" not in shown, "nothing was recorded yet"
    ledger = {"runs": {"trial-0001": {"run_id": "abc"}}, "links": {"MLflow": "https://host/ml/#/experiments/4/runs"}}
    write_json(study.path / "recording.json", ledger)
    assert "https://host/ml/#/runs/abc" in page(study, "/study/demo/trial/1")
    write_json(study.path / "recording.json", {**ledger, "links": {"MLflow": "ftsweep ui"}})
    shown = page(study, "/study/demo/trial/1")
    assert "http://127.0.0.1:5000/#/runs/abc" in shown
    assert "while it is served: ftsweep ui" in shown


def test_reader_without_a_token_sees_disabled_buttons(study: StudyFolder) -> None:
    assert page(study, "/study/demo/trial/1", may_act=False).count('"disabled": true') == 4 + len(PARAMS)
    assert '"disabled": true' not in page(study, "/study/demo/trial/1")


@pytest.mark.parametrize(("act", "body"), ACTS)
def test_what_would_stay_on_this_machine_is_refused(
    client: FlaskClient, study: StudyFolder, act: str, body: dict[str, Any]
) -> None:
    """The study lies at an address, and no process of this machine runs it."""
    (study.store.root / "address").write_text("s3://bucket/x\n")
    _, told = post(client, act, body)
    assert "lies at s3://bucket/x and is not run by this machine" in told
    assert Inbox(study).pending() == []
