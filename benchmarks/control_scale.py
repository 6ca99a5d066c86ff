"""10,000 simulated trials on 64 workers, 10 rungs: what the control process costs when a study is long and wide.

The loop, the study in SQLite, the folders and the pruner are real; a tenth of the trials meets a fault. A study of
1,000 trials is recorded in MLflow (SQLite, batched), and what that costs a trial is counted on top. Trials of 60 s on
64 workers would take 9,375 s for 10,000: shares are of that. The folder lies in memory where there is /dev/shm, for it
is the CPU that counts.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from commands import run
from measured import Result, result

_DRIVER = Path(__file__).with_name("simulated_study.py")
WORKERS = 64
TRIAL_SECONDS = 60.0
_FAULTS = "0.1"


def measure(*, quick: bool = False) -> list[Result]:
    """Shares in percent of the wall time of trials that take a minute each; latencies by number of trials."""
    trials, recorded = (300, 100) if quick else (10_000, 1_000)
    alone, mlflow = _study(trials, "none"), _study(recorded, "mlflow")
    loop = (alone["loop_cpu_seconds"] - alone["simulation_cpu_seconds"]) / trials
    recording = (mlflow["cpu_seconds"] - mlflow["loop_cpu_seconds"]) / recorded
    per_trial = TRIAL_SECONDS / WORKERS
    return [
        result("loop: CPU a trial", 1000 * loop, "ms"),
        result("MLflow: CPU a trial", 1000 * recording, "ms"),
        result("loop: CPU of wall", 100 * loop / per_trial, "%", below=5),
        result("loop and MLflow: CPU of wall", 100 * (loop + recording) / per_trial, "%", below=5),
        result("loop: peak memory", alone["peak_memory_mb"], "MB", below=1000),
        result("loop and MLflow: peak memory", mlflow["peak_memory_mb"], "MB", below=1000),
        result("MLflow: rungs a trial", mlflow["rungs"] / recorded, ""),
        result("MLflow: store's operations a trial", sum(mlflow["operations"].values()) / recorded, ""),
        *_latencies(alone),
    ]


def _study(trials: int, recorder: str) -> dict[str, Any]:
    place = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="ftsweep-bench-", dir=place))
    try:
        facts_file = folder / "facts.json"
        words = [str(facts_file), str(folder / "store"), str(trials), str(WORKERS), recorder, _FAULTS]
        run([sys.executable, str(_DRIVER), *words], folder)
        facts: dict[str, Any] = json.loads(facts_file.read_text(encoding="utf-8"))
    finally:
        shutil.rmtree(folder)
    assert facts["trials"] == trials
    assert not facts["warnings"]
    return facts


def _latencies(facts: dict[str, Any]) -> list[Result]:
    """CPU time of the loop's thread, by thousand of trials that the study has: the first, the middle and the last."""
    results = []
    for verb, by_thousand in facts["latencies"].items():
        thousands = sorted(map(int, by_thousand))
        shown = [each for each in thousands if len(by_thousand[str(each)]) > 1]
        for thousand in dict.fromkeys((shown[0], shown[len(shown) // 2], shown[-1])):
            cpu = [1000 * pair[0] for pair in by_thousand[str(thousand)]]
            results.append(result(f"{verb} from {thousand},000 trials on", cpu, "ms"))
    return results
