"""The process that holds Ray, where Ray is not needed."""

from __future__ import annotations

import subprocess
import sys

HANGS = """
import threading, time
from ftsweep.cluster import bridge_process

bridge_process._END_SECONDS = 0.1
threading.Thread(target=bridge_process.end_after_control_process, daemon=True).start()
print("hangs", flush=True)
time.sleep(600)
"""


def test_bridge_that_hangs_in_ray_ends_after_the_control_process() -> None:
    process = subprocess.Popen([sys.executable, "-c", HANGS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "hangs\n"
    process.stdin.write("a command, which is no end\n")
    process.stdin.flush()
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(20) == 1
    process.stdout.close()
