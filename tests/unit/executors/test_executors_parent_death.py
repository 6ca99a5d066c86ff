"""A helper does not outlive the process that started it."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

HELPER = (
    "import os, sys, time; from ftsweep.executors.parent_death import end_with_parent; "
    "end_with_parent(int(sys.argv[1])); {then}"
)
PARENT = """
import os, subprocess, sys
helper = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())], stdout=subprocess.PIPE)
helper.stdout.readline()
print(helper.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_helper_is_killed_with_its_parent() -> None:
    helper = HELPER.format(then="print('here', flush=True); time.sleep(1000)")
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, helper], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    _, alive = psutil.wait_procs([child], timeout=20)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_helper_whose_parent_was_gone_before_it_looked_ends_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELPER.format(then="print('alive')"), "1"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
