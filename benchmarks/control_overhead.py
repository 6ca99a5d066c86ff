"""What the control process costs while twelve trials of the quickstart run all their ten rungs, unpruned.

Three shares of wall time: of the search (first trial submitted to last trial ended) the CPU time of the control
process, all its threads together, workers not counted; of the search the time that its main thread does not wait for
messages; and of the whole command its CPU time, imports, report and registration included. See control_driver.py.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from commands import fresh_folder, run
from measured import Result, result

_DRIVER = Path(__file__).with_name("control_driver.py")
_QUICK = ("budget.trials=3", "data.limit=400", "training.epochs=1", "space.training.epochs=[1]")


def measure(*, quick: bool = False) -> list[Result]:
    """Shares of wall time in percent, the time to answer a measurement, and the peak memory."""
    with fresh_folder() as folder:
        facts_file = folder / "facts.json"
        words = ["run", "quickstart", "pruner=none", "rungs.count=10", "executor.workers=1", *(_QUICK if quick else ())]
        run([sys.executable, str(_DRIVER), str(facts_file), *words], folder)
        facts = json.loads(facts_file.read_text(encoding="utf-8"))
    search = facts["search"]
    replies = [1000 * seconds for seconds in facts["reply_seconds"]]
    return [
        result("control: CPU of search wall", 100 * search["cpu_seconds"] / search["wall_seconds"], "%", below=5),
        result(
            "control: not waiting, of search wall", 100 * search["busy_seconds"] / search["wall_seconds"], "%", below=5
        ),
        result("control: CPU of the whole command's wall", 100 * facts["cpu_seconds"] / facts["wall_seconds"], "%"),
        result("control: CPU of the whole command", facts["cpu_seconds"], "s"),
        result("control: a measurement's arrival to its answer", replies, "ms"),
        result("control: peak memory", facts["peak_memory_mb"], "MB", below=400),
    ]
