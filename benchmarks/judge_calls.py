"""The judge behind a server that fails 5 % of the calls and stalls on 1 %, killed with SIGKILL half way: 1,000 rows.

A server in this process scores an answer by its length. A process asks it, is killed when half of the rows were
answered, and is begun again. Every row must have its score; a row may have been answered twice only where the first
answer was under way when the process was killed, or came after its time was over.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from commands import fresh_folder
from measured import Result, result

_AT_ONCE = 8
_TIMEOUT_SECONDS = 2.0
_SCRIPT = """
import sys
from pathlib import Path
from ftsweep.tasks.http_judge import HttpJudge
from ftsweep.tasks.judging import JudgedRow

url, folder, num_rows, at_once, timeout = sys.argv[1:]
judge = HttpJudge(base_url=url, model="m", rubric="Long is good.", high=1e6, at_once=int(at_once),
                  attempts=8, timeout_seconds=float(timeout))
judge.open(Path(folder))
rows = [JudgedRow({}, "what?", "this", "x" * n) for n in range(1, int(num_rows) + 1)]
scores = [each.get("judge") for each in judge.score(rows)]
print(sum(score == n for n, score in enumerate(scores, start=1)), judge.num_calls)
"""


class Answered:
    """What the server has answered, by the length of the row's answer."""

    def __init__(self, num_rows: int) -> None:
        self.num_calls = 0
        self.good: Counter[int] = Counter()
        self.is_half = threading.Event()
        self._half = num_rows // 2
        self._chance = random.Random(0)
        self._lock = threading.Lock()

    def fate(self, length: int) -> str:
        """Of one call: fails, stalls or is answered."""
        with self._lock:
            self.num_calls += 1
            drawn = self._chance.random()
            if drawn < 0.06:
                return "fails" if drawn < 0.05 else "stalls"
            self.good[length] += 1
            if len(self.good) >= self._half:
                self.is_half.set()
            return "answers"


def measure(*, quick: bool = False) -> list[Result]:
    """Rows with their score, calls, and rows that were answered more than once."""
    num_rows = 100 if quick else 1_000
    answered = Answered(num_rows)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(answered))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        with fresh_folder() as folder:
            command = [sys.executable, "-c", _SCRIPT, url, str(Path(folder)), str(num_rows), str(_AT_ONCE)]
            command.append(str(_TIMEOUT_SECONDS))
            first = subprocess.Popen(command)
            answered.is_half.wait(600)
            first.send_signal(signal.SIGKILL)
            first.wait()
            second = subprocess.run(command, capture_output=True, text=True, check=True)
    finally:
        server.shutdown()
        server.server_close()
    num_right = int(second.stdout.split()[0])
    twice = sum(count > 1 for count in answered.good.values())
    return [
        result("rows with their score, after a kill", num_right, "", at_least=num_rows),
        result("calls", answered.num_calls, ""),
        result("rows answered more than once", twice, "", below=_AT_ONCE + 1),
    ]


def handler(answered: Answered) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            length = len(json.loads(question["messages"][1]["content"])["answer"])
            fate = answered.fate(length)
            if fate == "stalls":
                time.sleep(2 * _TIMEOUT_SECONDS)
            text = json.dumps({"choices": [{"message": {"content": str(length)}}]}) if fate == "answers" else ""
            try:
                self.send_response(200 if fate == "answers" else 500)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())
            except (BrokenPipeError, ConnectionResetError):  # whoever asked is gone
                return

        def log_message(self, *args: object) -> None:
            """Nothing."""

    return Handler
