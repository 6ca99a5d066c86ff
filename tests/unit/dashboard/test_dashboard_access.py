"""Who may look and who may act: the server's answers to hosts, origins, tokens and paths."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from report_studies import StudyBuilder, falling

from ftsweep.dashboard.access import Access
from ftsweep.dashboard.app import make_app, page_at
from ftsweep.dashboard.looks import Looks
from ftsweep.store.folders import StudyFolder
from ftsweep.store.requests import Requests

TOKEN = "the-token"
ORIGIN = {"Origin": "http://localhost"}


@pytest.fixture
def client(demo: StudyFolder) -> FlaskClient:
    return make_app(demo.store, Access(token=TOKEN)).test_client()


def admitted(client: FlaskClient) -> FlaskClient:
    assert client.get(f"/?token={TOKEN}").status_code == 302
    return client


def stop_trial(client: FlaskClient, number: int = 13, **headers: str) -> tuple[int, str]:
    answer = client.post("/act/stop-trials", json={"study": "demo", "trials": [number]}, headers=headers)
    return answer.status_code, answer.get_data(as_text=True)


def test_token_becomes_a_cookie_and_leaves_the_address(client: FlaskClient) -> None:
    answer = client.get(f"/study/demo?sel=1-2&token={TOKEN}")

    assert answer.headers["Location"] == "/study/demo?sel=1-2"
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_wrong_token_gives_no_cookie_and_leads_nowhere_else(client: FlaskClient) -> None:
    answer = client.get("/?token=other", environ_overrides={"PATH_INFO": "//evil.example/"})

    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Location"] == "/evil.example/"


def test_without_a_token_one_may_read_and_not_act(client: FlaskClient, demo: StudyFolder) -> None:
    assert client.get("/study/demo").status_code == 200
    assert client.get("/study/demo/trials.csv").status_code == 200

    status, text = stop_trial(client, **ORIGIN)

    assert status == 403
    assert "read-only" in text
    assert not Requests(demo).path.exists()


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost.evil.example", None])
def test_action_from_another_site_is_refused_even_with_the_cookie(
    client: FlaskClient, demo: StudyFolder, origin: str | None
) -> None:
    status, _ = stop_trial(admitted(client), **({"Origin": origin} if origin else {}))

    assert status == 403
    assert not Requests(demo).path.exists()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[", "8.8.8.8"])
def test_other_host_names_are_not_answered(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1:1234", "[::1]:80"])
def test_loopback_answers_under_its_names_and_any_forwarded_port(host: str) -> None:
    assert Access("127.0.0.1").is_own_host(host)


def test_server_for_others_answers_to_addresses_and_its_own_name_only() -> None:
    access = Access("gpu-box")
    assert access.is_own_host("gpu-box:8000")
    assert access.is_own_host("10.0.0.7:8000")
    assert not access.is_own_host("evil.example:8000")


def test_policy_has_no_inline_script_and_no_eval(client: FlaskClient) -> None:
    answer = client.get("/")
    policy = answer.headers["Content-Security-Policy"]

    scripts = re.search(r"script-src ([^;]*)", policy)[1].split()
    assert "'self'" in scripts
    assert all(source == "'self'" or source.startswith("'sha256-") for source in scripts)
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    "path",
    [
        "/study/..%2f..%2fetc/trials.csv",
        "/study/%2e%2e/trials.csv",
        "/study/.hidden/trials.csv",
        "/assets/..%2f..%2f..%2fpyproject.toml",
        "/assets/../app.py",
    ],
)
def test_no_path_leads_out_of_the_store(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in (302, 403, 404) or b"_dash-config" in answer.data  # the shell of the pages


def test_csv_has_the_selected_trials_alone(client: FlaskClient) -> None:
    lines = client.get("/study/demo/trials.csv?trials=3,5").get_data(as_text=True).splitlines()

    assert [line.split(",")[0] for line in lines] == ["trial", "3", "5"]
    assert len(client.get("/study/demo/trials.csv").get_data(as_text=True).splitlines()) == 15
    assert len(client.get("/study/demo/trials.csv?trials=99").get_data(as_text=True).splitlines()) == 1


def test_numbers_of_thousands_of_digits_name_no_trial(client: FlaskClient, demo: StudyFolder) -> None:
    many = "9" * 5000
    assert client.get(f"/study/demo/trials.csv?trials={many}").status_code == 200
    looks = Looks(demo.store)
    pages = ((f"/study/demo/trial/{many}", ""), ("/difference", f"?trial=demo:{many}&of={many}"))
    for path, query in (*pages, ("/study/demo", f"?sel={many}-{many}")):
        assert page_at(looks, path, query, may_act=False)


def test_stop_of_a_study_that_nobody_runs_is_refused_with_the_reason(client: FlaskClient) -> None:
    answer = admitted(client).post("/act/stop-study", json={"study": "demo"}, headers=ORIGIN)

    assert answer.status_code == 409
    assert "not running" in answer.json["texts"][0]


def test_stop_of_a_running_study_asks_its_process(demo: StudyFolder) -> None:
    client = admitted(make_app(demo.store, Access(token=TOKEN)).test_client())
    with demo.locked():
        answer = client.post("/act/stop-study", json={"study": "demo"}, headers=ORIGIN)
        assert answer.status_code == 200
        asked = Requests(demo).stop_of(demo.owner)
        assert asked is not None
        assert asked.by.startswith("127.0.0.1 with a dashboard (process ")


def test_trial_of_a_study_that_nobody_runs_ends_and_an_ended_one_is_refused(tmp_path: Path) -> None:
    builder = StudyBuilder(tmp_path / "other", "open")
    builder.trial(0, falling(1e-3, 16, num=3), None)
    client = admitted(make_app(builder.folder.store, Access(token=TOKEN)).test_client())

    answer = client.post("/act/stop-trials", json={"study": "open", "trials": [0]}, headers=ORIGIN)
    assert answer.status_code == 200
    assert builder.folder.trial(0).outcome().reason == "stopped by the user"

    answer = client.post("/act/stop-trials", json={"study": "open", "trials": [0]}, headers=ORIGIN)
    assert answer.status_code == 409
    assert "has ended already" in answer.json["texts"][0]


@pytest.mark.parametrize(
    "body",
    [None, [], {"study": 3}, {"study": "demo"}, {"study": "demo", "trials": [True]}, {"study": "../x", "trials": [1]}],
)
def test_requests_that_make_no_sense_are_refused_in_words(client: FlaskClient, body: object) -> None:
    answer = admitted(client).post("/act/stop-trials", json=body, headers=ORIGIN)

    assert answer.status_code == 400
    assert answer.json["texts"][0]
