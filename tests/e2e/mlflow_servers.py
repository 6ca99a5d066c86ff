"""MLflow servers for tests: a real one that may be killed and started again, and false ones."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ftsweep.recording.ui import ui_command, ui_environment
from ftsweep.store.folders import Store


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


class RealServer:
    """The server that `ftsweep ui` would start, on a store of its own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.store = Store(folder / "server")
        self.store.root.mkdir()
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            environment = {**os.environ, **ui_environment()}
            command = ui_command(self.store, port=self.port)
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)

    def wait_until_it_answers(self) -> None:
        assert self._process is not None
        for _ in range(360):
            try:
                urllib.request.urlopen(f"{self.address}/health", timeout=5).close()
            except OSError:
                assert self._process.poll() is None, self._log.read_text()
                time.sleep(0.5)
            else:
                return
        raise AssertionError(self._log.read_text())

    def kill(self) -> None:
        """With everything that it started."""
        if self._process is not None:
            os.killpg(self._process.pid, 9)
            self._process.wait(30)
            self._process = None


@contextmanager
def false_server(*, status: int, seconds: float) -> Iterator[tuple[str, list[str]]]:
    """A server that answers every request with this status after so long; its address, and what it was asked."""
    asked: list[str] = []
    is_over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            asked.append(self.path)
            is_over.wait(seconds)
            try:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
            except OSError:  # the client did not wait
                pass

        do_GET = do_POST = _answer  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        is_over.set()
        server.shutdown()
        server.server_close()
