"""How long a warm worker does not train between two trials.

A real study with short trials runs on one local worker. From its files: a trial's last measurement is on disk when
`measurements.jsonl` was last written, and the trial is over when `outcome.json` was written (the worker's last act).
The first training loss of the next trial is stamped by the sweep's own task (gap_sweep/stamped_task.py), in the worker,
just before the forward pass. Between the two lie: telling Optuna, asking it, recording, sending the job, attaching the
adapter, and the measurement at rung 0, which is work but counts as gap all the same. Where that measurement began, its
timestamp says.
"""

from __future__ import annotations

from pathlib import Path

from commands import fresh_folder, ftsweep, run
from measured import Result, result

from ftsweep.store.folders import Store

_SWEEP = Path(__file__).parent / "gap_sweep" / "worker_gap.yaml"


def measure(*, quick: bool = False) -> list[Result]:
    """Seconds from the end of one trial to the first optimizer step of the next."""
    overrides = ["budget.trials=3", "data.limit=400"] if quick else []
    with fresh_folder() as folder:
        stamps_file = folder / "stamps"
        run([*ftsweep(), "run", str(_SWEEP), *overrides], folder, FTSWEEP_BENCH_STAMPS=str(stamps_file))
        stamps = [float(line) for line in stamps_file.read_text(encoding="ascii").splitlines()]
        trials = Store(folder / "mlruns").study("worker_gap").trials()
        ends = [trial.outcome_file.stat().st_mtime_ns / 1e9 for trial in trials]
        last_writes = [trial.measurements_file.stat().st_mtime_ns / 1e9 for trial in trials]
        ready = [trial.measurements()[0].timestamp for trial in trials]
    if len(stamps) != len(trials) or sorted(stamps) != stamps:
        raise RuntimeError(f"{len(stamps)} stamps of {len(trials)} trials: a trial was begun twice")
    return [
        result("gap: end of a trial to first step of the next", _gaps(ends, stamps), "s", below=1),
        result("of it until the next trial begins rung 0", _gaps(ends, ready), "s"),
        result("of it rung 0 (validation, train probe)", [b - a for a, b in zip(ready, stamps, strict=True)][1:], "s"),
        result("gap with keeping the weights: last rung to first step", _gaps(last_writes, stamps), "s"),
    ]


def _gaps(ends: list[float], begins: list[float]) -> list[float]:
    """From each end to the next trial's begin."""
    return [begin - end for end, begin in zip(ends, begins[1:], strict=False)]
