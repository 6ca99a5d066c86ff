"""What waiting threads cost when another process is busy: a thread per core that spins or sleeps, and a single thread.

A process that only counts keeps one core busy all the while. Beside it, rounds of three follow one another: the same
steps of small layers in a fresh process with OMP_WAIT_POLICY=ACTIVE, with PASSIVE, which workers are given, and with a
single thread.
"""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import median

from measured import Result, result

_ROUNDS = 5
_STEPS = """
import sys, time, torch
model = torch.nn.Sequential(*[torch.nn.Linear(192, 192) for _ in range(24)])
rows = torch.randn(8 * 64, 192)
for _ in range(5): model(rows).sum().backward()
began = time.perf_counter()
for _ in range(int(sys.argv[1])): model(rows).sum().backward()
print((time.perf_counter() - began) / int(sys.argv[1]))
"""


def measure(*, quick: bool = False) -> list[Result]:
    """Milliseconds of a step, and how many times those of the best of the others."""
    cores = str(len(os.sched_getaffinity(0)))
    kinds = {
        "a thread per core, spinning": {"OMP_NUM_THREADS": cores, "OMP_WAIT_POLICY": "ACTIVE"},
        "a thread per core, sleeping": {"OMP_NUM_THREADS": cores, "OMP_WAIT_POLICY": "PASSIVE"},
        "one thread": {"OMP_NUM_THREADS": "1"},
    }
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        for _ in range(1 if quick else _ROUNDS):
            for kind, environment in kinds.items():
                command = [sys.executable, "-c", _STEPS, "5" if quick else "100"]
                done = subprocess.run(command, env={**os.environ, **environment}, check=True, stdout=subprocess.PIPE)
                seconds[kind].append(float(done.stdout))
    finally:
        busy.kill()
        busy.wait()
    spinning, sleeping, single = seconds.values()
    best = median(single)
    return [
        *(result(f"{kind}: a step", [1000 * each for each in times], "ms") for kind, times in seconds.items()),
        result("spinning / one thread", [each / best for each in spinning], "times"),
        result("sleeping / one thread", [each / best for each in sleeping], "times", below=1.3),
    ]
