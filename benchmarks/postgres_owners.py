"""16 control processes, each with a study of its own, in one PostgreSQL on this machine: what asks and tells take.

Each runs 15 trials of three rungs with TPE: first one every four seconds or so, which is far more often than trials of
minutes end, then without a pause. The same with one process, and with one process on SQLite. Needs PostgreSQL and
psycopg.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from measured import Result, result

sys.path.append(str(Path(__file__).parents[1] / "tests" / "cluster"))

PROCESSES = 16
TRIALS = 15
PAUSE_SECONDS = 4.0

_STUDY = """
import json, random, sys, time
from pathlib import Path
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.search.pruners import NoPruner
from ftsweep.search.samplers import Tpe
from ftsweep.search.storage.postgres import Postgres
from ftsweep.search.study import Study
from ftsweep.testing.recorded import recorded_branch

place, name, trials, pause = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
database = Postgres(place, name) if place.startswith("postgresql:") else Path(place)
study = Study.open(database, name, Objective(), [recorded_branch()], Tpe(), NoPruner(), seed=0, num_rungs=3)
clock = random.Random(name)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(trials):
    time.sleep(pause * clock.uniform(0.5, 1.5))
    proposal = study.ask()
    rate = float(proposal.params["training.learning_rate"])
    rungs = [Measurement(rung, rung / 3, 0, 0, 0.0, 0.0, {"validation/loss": rate / rung}) for rung in (1, 2, 3)]
    for rung in rungs:
        study.report(proposal.number, rung)
    study.tell(proposal.number, Outcome(OutcomeKind.COMPLETE, "the end"), rungs)
seconds = {verb: study.latencies._seconds[verb] for verb in ("ask", "tell")}
study.close()
print(json.dumps(seconds))
"""


def measure(*, quick: bool = False) -> list[Result]:
    """Wall time of every ask and tell, in milliseconds."""
    from postgres_server import PASSWORD, PostgresServer, find_programs

    programs = find_programs()
    if programs is None:
        raise RuntimeError("PostgreSQL is not on this machine")
    processes, trials = (2, 3) if quick else (PROCESSES, TRIALS)
    os.environ["PGPASSWORD"] = PASSWORD
    server = PostgresServer(programs)
    try:
        alone = _together(server.address, ["alone"], trials)
        paced_names = [f"paced{index}" for index in range(processes)]
        paced = _together(server.address, paced_names, trials, pause=0.5 if quick else PAUSE_SECONDS)
        at_once = _together(server.address, [f"study{index}" for index in range(processes)], trials)
        count = int(server.ask("SELECT count(*) FROM trials"))
    finally:
        server.close()
    assert count == trials * (1 + 2 * processes)
    with tempfile.TemporaryDirectory() as folder:
        sqlite = _together(f"{folder}/optuna.db", ["alone"], trials)
    return [
        *_latencies("SQLite, 1 process", sqlite),
        *_latencies("PostgreSQL, 1 process", alone),
        *_latencies(f"PostgreSQL, {processes} processes, a trial in 4 s each", paced, below=50),
        *_latencies(f"PostgreSQL, {processes} processes without a pause", at_once),
    ]


def _together(place: str, names: list[str], trials: int, *, pause: float = 0.0) -> dict[str, list[float]]:
    """Latencies of studies that begin when all are open, by verb: milliseconds."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _STUDY, place, name, str(trials), str(pause)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    found: dict[str, list[float]] = {"ask": [], "tell": []}
    for process in started:
        answer: dict[str, Any] = json.loads(process.communicate()[0])
        for verb, seconds in answer.items():
            found[verb] += [1000 * each for each in seconds]
    return found


def _latencies(name: str, found: dict[str, list[float]], *, below: float | None = None) -> list[Result]:
    return [
        result(f"{name}: ask", found["ask"], "ms", below=below),
        result(f"{name}: tell", found["tell"], "ms"),
    ]
