from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ftsweep.dashboard.serving import _listener
from ftsweep.domain.objective import Objective
from ftsweep.errors import UsageError
from ftsweep.recording.serving_ui import free_port, wait_for_answer
from ftsweep.recording.ui import is_loopback, runs_address, ui_address, ui_command
from ftsweep.store.folders import Store


def test_the_ui_serves_the_stores_database_on_this_machine_only(tmp_path: Path) -> None:
    command = ui_command(Store(tmp_path))
    assert command[:4] == [sys.executable, "-m", "mlflow", "server"]
    assert command[command.index("--backend-store-uri") + 1] == f"sqlite:///{tmp_path}/mlflow.db"
    assert command[command.index("--host") + 1] == "127.0.0.1"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.9", "localhost", "::1", "[::1]"])
def test_a_loopback_address_is_known_as_one(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "localhost.example", "127.0.0.1.example", ""])
def test_what_others_may_reach_is_not_taken_for_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_links_open_the_pages_for_training_with_the_best_run_first() -> None:
    assert ui_address(port=5001) == "http://127.0.0.1:5001/#/experiments?workflowType=machine_learning"
    address = runs_address("http://host/", "3", Objective("accuracy", "validation", "maximize"))
    assert address == (
        "http://host/#/experiments/3/runs?workflowType=machine_learning"
        "&orderByKey=metrics.%60value%2Fvalidation%2Faccuracy%60&orderByAsc=false"
    )


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = free_port("127.0.0.1", port)
    assert found is not None
    assert found > port


def test_nobody_waits_for_a_server_that_has_ended() -> None:
    assert not wait_for_answer("http://127.0.0.1:9", is_alive=lambda: False)


@pytest.mark.parametrize("host", ["192.0.2.1", "no host"])  # the first is nobody's: RFC 5737
@pytest.mark.parametrize("listen", [free_port, _listener])
def test_host_that_this_machine_has_not_is_named_and_no_other_port_is_advised(
    host: str, listen: Callable[[str, int], object]
) -> None:
    with pytest.raises(UsageError, match=f"--host: nothing can be served at {host}: .*127.0.0.1"):
        listen(host, 5000)
