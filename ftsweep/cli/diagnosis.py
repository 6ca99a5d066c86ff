"""What works on this machine and what does not. Asks a worker process about torch, so that this one stays light."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from ftsweep import __version__
from ftsweep.report.tables.cells import words
from ftsweep.report.tables.table import Cell, Row, Table, columns
from ftsweep.store.folders import Store

State = Literal["works", "warns", "fails"]

PACKAGES = ("torch", "transformers", "peft", "datasets", "optuna", "mlflow", "hydra-core", "plotly")
OPTIONAL = {
    "cmaes": ("cmaes", "sampler: cmaes"),
    "bitsandbytes": ("qlora", "strategy: qlora"),
    "dash": ("dashboard", "ftsweep dashboard"),
    "lm-eval": ("evaluate", "ftsweep evaluate"),
    "psycopg": ("postgres", "store.database=postgresql://..."),
    "ray": ("ray", "executor: ray"),
    "s3fs": ("s3", "store.path=s3://..."),
}
"""By package: the extra that brings it, and what needs it."""
_MIN_FREE_GIB = 2.0

_ASK_TORCH = """
import json, time, torch
devices = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
x = torch.ones(64, 64, device="cuda" if devices else "cpu")
most, times, y = torch.get_num_threads(), {}, torch.ones(512, 512)
for count in dict.fromkeys((1, most)):
    torch.set_num_threads(count)
    y @ y
    began = time.perf_counter()
    for _ in range(20):
        y @ y
    times[count] = (time.perf_counter() - began) / 20
print(json.dumps({"sum": float((x @ x).sum()), "times": times, "cuda": torch.version.cuda,
                  "devices": [f"{d.name}, {d.total_memory / 2**30:.0f} GiB" for d in devices]}))
"""


@dataclass(frozen=True)
class Check:
    """One thing that was tried."""

    subject: str
    state: State
    message: str

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


def diagnose(store: Store) -> list[Check]:
    """Try everything that a run needs."""
    checks = [Check("ftsweep", "works", f"{__version__}, Python {sys.version.split()[0]}")]
    checks += _packages()
    checks.append(_devices())
    checks += [_attempt("store", lambda: _store_is_writable(store)), _attempt("disk", lambda: _disk(store))]
    checks.append(_attempt("sqlite", _sqlite_has_wal))
    return checks


def checks_table(checks: Sequence[Check]) -> Table:
    """What was tried, whether it works, and what was found."""
    rows = (Row((words(check.subject), Cell(check.state, style=check.state), words(check.message))) for check in checks)
    return Table(columns("", "", "", text=[""]), tuple(rows))


def _packages() -> Iterator[Check]:
    for name in PACKAGES:
        try:
            yield Check(name, "works", version(name))
        except PackageNotFoundError:
            yield Check(name, "fails", "not installed: pip install ftsweep brings it")
    for name, (extra, purpose) in OPTIONAL.items():
        try:
            yield Check(name, "works", version(name))
        except PackageNotFoundError:
            yield Check(name, "warns", f"not installed; needed for {purpose}: pip install 'ftsweep[{extra}]'")


def _devices() -> Check:
    try:
        answer = subprocess.run(
            [sys.executable, "-c", _ASK_TORCH], capture_output=True, text=True, timeout=120, check=True
        )
    except subprocess.CalledProcessError as error:
        return Check("devices", "fails", (error.stderr.strip().splitlines() or ["torch does not start"])[-1])
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check("devices", "fails", str(error))
    facts = json.loads(answer.stdout)
    if facts["devices"]:
        return Check("devices", "works", f"CUDA {facts['cuda']}: " + "; ".join(facts["devices"]))
    times = " and ".join(f"{1e3 * took:.2g} ms with {count}" for count, took in facts["times"].items())
    noun = "thread" if list(facts["times"]) == ["1"] else "threads"
    text = f"no CUDA device: trials run on the CPU; a product of 512 x 512 numbers takes {times} {noun} here"
    settings = "executor.threads=auto times a sweep's own steps, and executor.lanes=auto several trials in one worker"
    return Check("devices", "warns", f"{text}; {settings}")


def _attempt(subject: str, attempt: Callable[[], tuple[State, str]]) -> Check:
    try:
        state, message = attempt()
    except (OSError, sqlite3.Error) as error:
        return Check(subject, "fails", getattr(error, "strerror", None) or str(error))
    return Check(subject, state, message)


def _store_is_writable(store: Store) -> tuple[State, str]:
    existing = next(path for path in (store.root, *store.root.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return "fails", f"{existing} cannot be written: {error.strerror}"
    count = len(store.studies()) if store.root.exists() else 0
    number = "1 study" if count == 1 else f"{count:,} studies"
    return "works", f"{store.name} ({number})" if store.root.exists() else f"{store.root} can be made"


def _disk(store: Store) -> tuple[State, str]:
    existing = next(path for path in (store.root, *store.root.parents) if path.exists())
    free = shutil.disk_usage(existing).free / 2**30
    return ("works" if free >= _MIN_FREE_GIB else "warns"), f"{free:.1f} GiB free"


def _sqlite_has_wal() -> tuple[State, str]:
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "try.db")
        mode = connection.execute("pragma journal_mode=wal").fetchone()[0]
        connection.close()
    return (
        "works" if mode == "wal" else "fails"
    ), f"{sqlite3.sqlite_version}, journal mode {mode} ({os.uname().sysname})"
