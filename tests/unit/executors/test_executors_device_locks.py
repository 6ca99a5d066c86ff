"""Two studies on one CUDA device: the second is told of the first, and a dead one holds nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ftsweep.errors import UsageError
from ftsweep.executors import device_locks
from ftsweep.executors.base import ExecutorContext
from ftsweep.executors.device_locks import DeviceLocks
from ftsweep.executors.devices import Place
from ftsweep.executors.local import Local

HOLD = """
import sys
from pathlib import Path
from ftsweep.executors.device_locks import DeviceLocks
locks = DeviceLocks(Path(sys.argv[1]))
locks.take(["0", "1"], "study 'first'")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_locks, "_identities", dict)


def test_device_of_a_live_process_is_refused_by_name_and_a_dead_one_holds_none(tmp_path: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    locks = DeviceLocks(tmp_path)
    with pytest.raises(UsageError, match=rf"CUDA device 1 is in use by study 'first' \(process {other.pid}\)"):
        locks.take(["2", "1"], "study 'second'")
    third = DeviceLocks(tmp_path)
    third.take(["2"], "study 'third'")  # what could be taken was let go again
    other.kill()
    other.communicate()
    locks.take(["0", "1"], "study 'second'")
    locks.release()
    third.release()


def test_device_is_one_whatever_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_locks, "_identities", lambda: {"0": "GPU-abc"})
    first, second = DeviceLocks(tmp_path), DeviceLocks(tmp_path)
    first.take(["0"], "study 'first'")
    with pytest.raises(UsageError, match="CUDA device GPU-abc is in use by study 'first'"):
        second.take(["GPU-abc"], "study 'second'")
    first.release()
    second.take(["GPU-abc"], "study 'second'")
    second.release()


def test_study_holds_its_devices_and_planning_holds_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place("gpu 0", 1, {"CUDA_VISIBLE_DEVICES": "0"})
    monkeypatch.setattr("ftsweep.executors.sharing.plan_places", lambda *_, **__: [place])
    monkeypatch.setattr(device_locks.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(Local, "_start", lambda *_, **__: None)
    first, second, plan = Local(), Local(), Local()
    first.open(ExecutorContext(log_folder=tmp_path, holder="study 'first'"))
    with pytest.raises(UsageError, match="in use by study 'first'"):
        second.open(ExecutorContext(log_folder=tmp_path, holder="study 'second'"))
    plan.open(ExecutorContext(log_folder=tmp_path))
    plan.close()
    first.close()
    second.open(ExecutorContext(log_folder=tmp_path, holder="study 'second'"))
    second.close()
