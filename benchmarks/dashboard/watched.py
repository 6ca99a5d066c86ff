"""What a running study pays for being watched: CPU of its control process with and without a dashboard that asks.

The loop, folders, database and pruner are real, workers are simulated (`benchmarks/simulated_study.py`), so that news
comes hundreds of times as fast as any training brings it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from measured import Result, result
from served import served

_DRIVER = Path(__file__).parents[1] / "simulated_study.py"
_TRIALS, _WORKERS, _REPEATS = 600, 16, 3
_TICK_SECONDS = 1.0


def watched() -> Iterator[Result]:
    """Medians of alternating runs."""
    alone, seen = [], []
    for _ in range(_REPEATS):
        alone.append(_cpu_seconds(is_watched=False))
        seen.append(_cpu_seconds(is_watched=True))
    pays = [100 * (one / other - 1) for one, other in zip(sorted(seen), sorted(alone), strict=True)]
    yield result("a running study, alone: CPU of its control process", alone, "s")
    yield result("the same, watched: CPU of its control process", seen, "s")
    yield result("what it pays for being watched", pays, "%", below=1)


def _cpu_seconds(*, is_watched: bool) -> float:
    with tempfile.TemporaryDirectory() as place:
        facts, store = Path(place) / "facts.json", Path(place) / "store"
        words = [str(facts), str(store), str(_TRIALS), str(_WORKERS), "none", "0"]
        (store / "studies").mkdir(parents=True)
        if not is_watched:
            subprocess.run([sys.executable, str(_DRIVER), *words], check=True)
        else:
            with served(store) as server:
                study = subprocess.Popen([sys.executable, str(_DRIVER), *words])
                while study.poll() is None:
                    server.ask("/news")
                    time.sleep(_TICK_SECONDS)
                assert study.returncode == 0
        found: float = json.loads(facts.read_text(encoding="utf-8"))["cpu_seconds"]
    return found
