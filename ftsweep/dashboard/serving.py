"""Serves the dashboard until it is interrupted, with gunicorn: one process, several threads."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack
from typing import Any

import gunicorn.app.base
from flask import Flask

from ftsweep.dashboard.access import TOKEN, Access
from ftsweep.dashboard.app import make_app
from ftsweep.domain.hosts import check_host
from ftsweep.errors import UsageError
from ftsweep.store.folders import Store

_NUM_THREADS = 8
_SECONDS_TO_END = 3


def serve(store: Store, host: str, port: int) -> None:
    """Serve the store's dashboard; prints its link once it answers. Port 0: a free one. Does not return.

    Raises:
        UsageError: nothing can be served at this address.
    """
    access = Access(host)
    listener = _listener(host, port)
    link = f"http://{_in_address(host)}:{listener.getsockname()[1]}/?{TOKEN}={access.token}"
    _Server(make_app(store, access), listener, link).run()


def _listener(host: str, port: int) -> socket.socket:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with ExitStack() as opened:
            listener = opened.enter_context(socket.socket(family, kind))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()
            opened.pop_all()  # it stays open
    except OSError as error:
        check_host(host, error)
        raise UsageError(
            f"nothing can be served at {host} port {port}: {error.strerror or error}",
            where="--port",
            remedy="Name another port, or leave --port out for a free one.",
        ) from error
    return listener


def _in_address(host: str) -> str:
    """A host as an address has it; of one that means every interface the loopback."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 - what the user gave
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


class _Server(gunicorn.app.base.BaseApplication):
    """gunicorn with settings of our own and none from files or the command line."""

    def __init__(self, app: Flask, listener: socket.socket, link: str) -> None:
        self._app, self._listener, self._link = app, listener, link
        super().__init__()

    def load_config(self) -> None:
        settings: dict[str, Any] = {
            "bind": [f"fd://{self._listener.fileno()}"],
            "workers": 1,
            "worker_class": "gthread",
            "threads": _NUM_THREADS,
            "loglevel": "error",
            "graceful_timeout": _SECONDS_TO_END,
            "keepalive": 30,
            "limit_request_line": 0,  # thousands of selected trials stand in an address
            "control_socket_disable": True,
            "post_worker_init": self._say_link,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._app

    def _say_link(self, worker: Any) -> None:
        if worker.age == 1:  # not of one that takes the place of another
            sys.stdout.write(f"Dashboard: {self._link}  (Ctrl-C ends it)\n")
            sys.stdout.flush()
