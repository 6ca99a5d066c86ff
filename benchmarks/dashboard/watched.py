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
_WORKERS, _REPEATS = 16, 5
_TICK_SECONDS = 1.0


def watched(num_trials: int = 600, repeats: int = _REPEATS) -> Iterator[Result]:
    """Alternating runs. What it pays is told by the least of each kind: whatever else runs can only add to it.

    The study does no work for whoever watches: what it pays is that the dashboard and it share cores and caches. So it
    is told of a trial as well, since a real one takes seconds where these take milliseconds.
    """
    alone, seen = [], []
    for _ in range(repeats):
        alone.append(_cpu_seconds(num_trials, is_watched=False))
        seen.append(_cpu_seconds(num_trials, is_watched=True))
    yield result("a running study, alone: CPU of its control process", alone, "s")
    yield result("the same, watched: CPU of its control process", seen, "s")
    more = max(0.0, min(seen) - min(alone))
    yield result(
        "what it pays for being watched, with hundreds of news a second", 100 * more / min(alone), "%", below=1
    )
    yield result("the same, of trials that take 10 s", 100 * more / (10 * num_trials), "%")


def _cpu_seconds(num_trials: int, *, is_watched: bool) -> float:
    with tempfile.TemporaryDirectory() as place:
        facts, store = Path(place) / "facts.json", Path(place) / "store"
        words = [str(facts), str(store), str(num_trials), str(_WORKERS), "none", "0"]
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
