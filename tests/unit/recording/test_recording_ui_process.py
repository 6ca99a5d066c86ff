from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

CHILD = "import signal, sys; pipe = open(sys.argv[1], 'w'); print('up', file=pipe, flush=True); signal.pause()"
SERVER = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}, sys.argv[1]])"
COMMAND = f"""
import sys
from ftsweep.recording.ui_process import serve

sys.exit(serve([sys.executable, "-c", {SERVER!r}, sys.argv[1]], {{}}, lambda is_alive: None))
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whoever_ends_the_server_ends_all_of_it_and_reads_nothing(tmp_path: Path, sent: signal.Signals) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    served = subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(pipe)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with pipe.open() as told:
        assert told.readline() == "up\n"
        if sent == signal.SIGINT:
            os.killpg(served.pid, sent)  # as a terminal does
        else:
            served.send_signal(sent)
        said, _ = served.communicate(timeout=60)
        assert told.read() == "", "what the server had started is gone, too"
    assert said == ""
    assert served.returncode == 0


def test_a_server_that_ends_by_itself_is_told_by_its_exit_code() -> None:
    from ftsweep.recording.ui_process import serve

    before = signal.getsignal(signal.SIGINT)
    assert serve([sys.executable, "-c", "raise SystemExit(7)"], {}, lambda is_alive: None) == 7
    assert signal.getsignal(signal.SIGINT) is before


def test_of_a_server_that_was_killed_nothing_is_left(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    served = subprocess.Popen([sys.executable, "-c", COMMAND, str(pipe)])
    with pipe.open() as told:
        assert told.readline() == "up\n"
        (server,) = psutil.Process(served.pid).children()
        server.kill()
        assert told.read() == "", "what the server had started is gone, too"
        assert served.wait(timeout=60) != 0
