"""What training.compile takes at a trial's start and saves in a step.

    python benchmarks/compiled.py [--quick]

The quickstart's data and embedded model, LoRA of rank 8, float32, one thread; with FTSWEEP_SHARED also the encoder in
its `models/minilm`. Each row is two processes: the first compiles with an empty cache, the second with what the first
left. In each, steps with and without take turns, 12 at a time; milliseconds of wall time, the median of the second.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from jobs import trial_config
from machine import in_a_line

_ROUNDS, _STEPS = 7, 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one row, to see that it runs")
    parser.add_argument("--trial", help="the inner process: the words of its configuration, as JSON")
    options = parser.parse_args()
    if options.trial:
        print(json.dumps(times(json.loads(options.trial))))
        return
    print(f"{in_a_line()}; load {os.getloadavg()[0]:.1f}\n")
    names = ["model", "batch", "a step, ms", "compiled, ms", "start, s", "start with a cache, s", "pays from step"]
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
    for name, batch_size, words in [*rows()][: 1 if options.quick else None]:
        own = [*words, f"training.batch_size={batch_size}", "training.precision=float32"]
        with tempfile.TemporaryDirectory() as cache:
            first, second = (inner(own, cache) for _ in range(2))
        saved = second["plain"] - second["compiled"]
        pays = f"{1e3 * first['start'] / saved:,.0f}" if saved > 0 else "never"
        steps = [f"{second[each]:.1f}" for each in ("plain", "compiled")]
        starts = [f"{each['start']:.0f}" for each in (first, second)]
        print(f"| {' | '.join([name, str(batch_size), *steps, *starts, pays])} |", flush=True)


def rows() -> list[tuple[str, int, list[str]]]:
    shared = Path(os.environ.get("FTSWEEP_SHARED", "../shared")) / "models" / "minilm"
    found: list[tuple[str, int, list[str]]] = [("embedded", batch, []) for batch in (1, 4, 16)]
    if shared.is_dir():
        found += [("MiniLM", batch, ["model=local", f"model.path={shared}"]) for batch in (1, 16)]
    return found


def inner(words: list[str], cache: str) -> dict[str, float]:
    environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": cache, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--trial", json.dumps(words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def times(words: list[str]) -> dict[str, float]:
    """Milliseconds of a step, `plain` and `compiled`, and the seconds of `start`."""
    import torch

    from ftsweep.store.folders import TrialFolder
    from ftsweep.training.trial import TrialRun
    from ftsweep.worker.components import Components

    torch.set_num_threads(1)
    config: dict[str, Any] = trial_config("quickstart", [*words, "training.compile=true"])
    with tempfile.TemporaryDirectory() as folder:
        components = Components()
        parts = components.parts_of(config, Path(folder) / "cache")
        run = components.begin_run(parts, components.lend_base(parts), TrialFolder(Path(folder) / "trial"))
        assert isinstance(run, TrialRun)
        stepper = run.stepper
        stepper.take()
        start = stepper.compile_seconds
        compiled, found = stepper.compiled, {"plain": [], "compiled": []}
        for _ in range(_ROUNDS + 1):
            for name, milliseconds in found.items():
                stepper.num_steps = 0
                stepper.compiled = compiled if name == "compiled" else None
                began = time.perf_counter()
                for _ in range(_STEPS):
                    stepper.take()
                milliseconds.append(1e3 * (time.perf_counter() - began) / _STEPS)
    return {"start": start, **{name: median(each[1:]) for name, each in found.items()}}


if __name__ == "__main__":
    main()
