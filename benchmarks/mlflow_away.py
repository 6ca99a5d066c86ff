"""What a study costs in training time whose MLflow server is gone, or takes seconds for each call and then refuses.

Six trials of the quickstart, unpruned, on part of its data. See away_driver.py for what is counted.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from commands import fresh_folder, run
from measured import Result, result

_DRIVER = Path(__file__).with_name("away_driver.py")
_WORDS = (
    "run",
    "quickstart",
    "pruner=none",
    "rungs.count=10",
    "executor.workers=1",
    "selection.seeds=0",
    "budget.trials=6",
    "data.limit=700",
)
_QUICK = ("budget.trials=2", "data.limit=400", "training.epochs=1", "space.training.epochs=[1]")


def measure(*, quick: bool = False) -> list[Result]:
    """Shares of training time in percent."""
    results = []
    with _slow_server(2.0) as slow:
        for name, address in (("gone", _closed()), ("slow", slow)):
            with fresh_folder() as folder:
                facts_file = folder / "facts.json"
                words = [*_WORDS, *(_QUICK if quick else ()), f"recording.tracking_uri={address}"]
                run([sys.executable, str(_DRIVER), str(facts_file), *words], folder)
                facts = json.loads(facts_file.read_text(encoding="utf-8"))
            cost = facts["calls_seconds"] + facts["thread_cpu_seconds"]
            share = 100 * cost / facts["training_seconds"]
            results += [
                result(f"MLflow {name}: cost of training time", share, "%", below=2),
                result(f"MLflow {name}: a call of the loop", 1e6 * facts["calls_seconds"] / facts["num_calls"], "us"),
                result(f"MLflow {name}: training", facts["training_seconds"], "s"),
            ]
    return results


def _closed() -> str:
    """The address of a port on which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{bound.getsockname()[1]}"


@contextmanager
def _slow_server(seconds: float) -> Iterator[str]:
    is_over = threading.Event()

    class Slow(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            is_over.wait(seconds)
            self.send_error(503)

        do_GET = do_POST = _answer  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        is_over.set()
        server.shutdown()
        server.server_close()
