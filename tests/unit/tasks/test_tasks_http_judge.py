"""The judge behind a server, held against a real one in this process."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ftsweep.errors import ConfigError
from ftsweep.tasks import http_judge
from ftsweep.tasks.http_judge import HttpJudge
from ftsweep.tasks.judging import JudgedRow

KEY = "sk-very-secret-value"
Reply = Callable[[int, dict], tuple[int, str]]


class Server:
    """Scores an answer by its number of characters; `reply` may say something else to the n-th request."""

    def __init__(self) -> None:
        self.asked: list[dict] = []
        self.keys: list[str | None] = []
        self.reply: Reply = lambda n, question: (200, self.scored(question))
        self.stall: Callable[[int], bool] = lambda n: False
        self.released = threading.Event()
        outer, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    outer.asked.append(question)
                    outer.keys.append(self.headers.get("Authorization"))
                    number = len(outer.asked)
                if outer.stall(number):
                    outer.released.wait(30)
                    self.close_connection = True
                    return
                status, text = outer.reply(number, question)
                with suppress(BrokenPipeError):  # whoever asked is gone
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(text.encode())))
                    self.end_headers()
                    self.wfile.write(text.encode())

            def log_message(self, *args: object) -> None:
                """Nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"
        self._thread = threading.Thread(target=lambda: self._http.serve_forever(0.01))
        self._thread.start()

    def close(self) -> None:
        self.released.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @staticmethod
    def answer_of(question: dict) -> str:
        return json.loads(question["messages"][1]["content"])["answer"]

    def scored(self, question: dict) -> str:
        said = {"choices": [{"message": {"content": f"Score: {len(self.answer_of(question))}"}}]}
        return json.dumps({**said, "usage": {"total_tokens": 7}})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(http_judge, "_FIRST_WAIT_SECONDS", 0.001)
    found = Server()
    yield found
    found.close()


def rows(*answers: str) -> list[JudgedRow]:
    return [JudgedRow({}, "what?", "this", answer) for answer in answers]


def judge_of(server: Server, **settings: object) -> HttpJudge:
    return HttpJudge(**{"base_url": server.url, "model": "m", "rubric": "Short is bad.", "high": 1000.0, **settings})


def test_rows_are_scored_by_the_rubric_and_once(server: Server, tmp_path: Path) -> None:
    judge = judge_of(server)
    judge.open(tmp_path)
    assert judge.score(rows("four", "sixsix", "four")) == [{"judge": 4.0}, {"judge": 6.0}, {"judge": 4.0}]
    assert (judge.num_calls, judge.num_tokens) == (2, 14)
    question = server.asked[0]
    assert question["model"] == "m"
    assert "Short is bad." in question["messages"][0]["content"]
    assert json.loads(question["messages"][1]["content"]).keys() == {"prompt", "expected", "answer"}
    again = judge_of(server)
    again.open(tmp_path)
    assert again.score(rows("four", "new")) == [{"judge": 4.0}, {"judge": 3.0}]
    assert again.num_calls == 1, "what an earlier process asked is known"
    other = judge_of(server, rubric="Long is bad.")
    other.open(tmp_path)
    other.score(rows("four"))
    assert other.num_calls == 1, "by another rubric it is not"


def test_a_server_that_fails_and_stalls_costs_calls_and_no_row(server: Server, tmp_path: Path) -> None:
    server.reply = lambda n, question: (500, "oh") if n % 20 == 0 else (200, server.scored(question))
    server.stall = lambda n: n % 50 == 7
    judge = judge_of(server, timeout_seconds=3, at_once=8)
    judge.open(tmp_path)
    answers = ["x" * n for n in range(1, 151)]
    assert [each["judge"] for each in judge.score(rows(*answers))] == [float(n) for n in range(1, 151)]
    lines = (tmp_path / next(tmp_path.iterdir()).name).read_text().splitlines()
    assert len(lines) == 150
    assert judge.num_calls >= len(server.asked) > 150
    assert max(Counter(map(server.answer_of, server.asked)).values()) <= 4


def test_scores_are_missing_and_said_so_while_the_server_is_away(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.reply = lambda n, question: (503, "")
    judge = judge_of(server, attempts=2, at_once=1)
    judge.open(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert judge.score(rows(*(f"{n}" for n in range(30)))) == [{}] * 30
    assert judge.num_calls == 6, "after three rows it is not asked any more"
    assert f"30 of 30 rows have no score: {server.url} answers 503" in caplog.text
    server.reply = lambda n, question: (200, server.scored(question))
    assert judge.score(rows("1")) == [{"judge": 1.0}], "it is asked again the next time"


@pytest.mark.parametrize(
    ("status", "text", "why", "calls"),
    [
        (401, "", "answers 401", 1),
        (404, '{"error": {"message": "no model\\nm"}}', "answers 404: no model m", 1),
        (400, '{"detail": "too long"}', "answers 400: too long", 1),
        (400, '{"error": ["odd"]}', "answers 400", 1),
        (200, "no JSON", "another form", 3),
        (200, '{"choices": [{"message": {"content": "very good"}}]}', "no number between 0 and 1000", 3),
        (200, '{"choices": [{"message": {"content": "2000"}}]}', "no number between 0 and 1000", 3),
    ],
)
def test_what_is_no_score_is_none(
    server: Server, caplog: pytest.LogCaptureFixture, status: int, text: str, why: str, calls: int
) -> None:
    server.reply = lambda n, question: (status, text)
    judge = judge_of(server, attempts=3)
    assert judge.score(rows("a")) == [{}]
    assert why in caplog.text
    assert judge.num_calls == calls


def test_the_key_goes_to_the_server_and_nowhere_else(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = judge_of(server, key_env="MY_JUDGE")
    judge.open(tmp_path)
    assert judge.score(rows("a")) == [{}]
    assert "the environment has no MY_JUDGE" in caplog.text
    monkeypatch.setenv("MY_JUDGE", KEY)
    told = json.dumps({"error": {"message": f"the key {KEY} is new here"}})
    server.reply = lambda n, question: (500, told) if n < 3 else (200, server.scored(question))
    with caplog.at_level(logging.DEBUG):
        assert judge.score(rows("a")) == [{"judge": 1.0}]
    assert set(server.keys) == {f"Bearer {KEY}"}
    server.reply = lambda n, question: (403, told)
    assert judge.score(rows("bb")) == [{}]
    assert judge.problem.endswith("answers 403: the key *** is new here")
    assert judge.cost == {"calls": 4, "tokens": 7}
    assert KEY not in caplog.text
    assert all(KEY not in file.read_text() for file in tmp_path.iterdir())


def test_a_killed_process_loses_no_score_that_it_was_given(server: Server, tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from ftsweep.tasks.http_judge import HttpJudge
from ftsweep.tasks.judging import JudgedRow

judge = HttpJudge(base_url=sys.argv[1], model="m", rubric="Short is bad.", high=1000.0, at_once=4)
judge.open(Path(sys.argv[2]))
rows = [JudgedRow({}, "what?", "this", "x" * n) for n in range(1, 61)]
print(sum(each["judge"] for each in judge.score(rows)))
"""
    command = [sys.executable, "-c", script, server.url, str(tmp_path)]
    is_half = threading.Event()

    def counted(n: int, question: dict) -> tuple[int, str]:
        if n == 30:
            is_half.set()
            server.released.wait(30)
        return 200, server.scored(question)

    server.reply = counted
    first = subprocess.Popen(command)
    assert is_half.wait(60)
    first.send_signal(signal.SIGKILL)
    first.wait()
    server.released.set()
    num_asked = len(server.asked)
    second = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(second.stdout) == sum(range(1, 61))
    assert num_asked < 60
    num_again = len(server.asked) - num_asked - (60 - num_asked)
    assert 0 < num_again <= 4, "only what was under way is asked twice"


def test_requests_keep_to_the_limit(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(http_judge.time, "sleep", waits.append)
    monkeypatch.setattr(http_judge.time, "monotonic", lambda: 100.0)
    judge_of(server, requests_per_minute=30, at_once=1).score(rows("a", "b", "c"))
    assert waits == [0.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"base_url": "localhost:8000"}, "no address"),
        ({"base_url": "http://user:pass@host/v1"}, "holds a secret"),
        ({"low": 5.0, "high": 5.0}, "low must lie below high"),
        ({"key_env": KEY}, "^(?!.*secret).*this is no name of a variable"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        HttpJudge(**{"base_url": "http://x", "model": "m", "rubric": "r", **settings})
