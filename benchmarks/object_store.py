"""What it costs to keep a study at an address: a study of 100 trials and 3,000 files, on a folder and on S3 (moto's).

Looking without news, a rung with a checkpoint of 5 MB and one of 100 MB, the first time (all files), and bringing all
of it to another machine. Both ends run on this machine, so that what S3 takes is moto's CPU time as much as ours; a
real store adds its latency and its line. Needs s3fs and moto.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

from measured import Result, result

TRIALS = 100
FILES = 28
CHECKPOINTS = {"5 MB": 5_000_000, "100 MB": 100_000_000}


def measure(*, quick: bool = False) -> list[Result]:
    found = []
    with tempfile.TemporaryDirectory() as folder, s3_server():
        for name, address in {"folder": f"file://{folder}/shared", "S3": "s3://sweeps/study"}.items():
            place, trials, repeats = Path(folder) / name, 5 if quick else TRIALS, 1 if quick else 5
            found += measured(place, name, address, trials=trials, repeats=repeats)
    return found


@contextmanager
def s3_server() -> Iterator[None]:
    """In a process of its own, with the bucket `sweeps`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    known = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ.update(known, AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}")
    try:
        for _ in range(100):
            try:
                urlopen(Request(f"http://127.0.0.1:{port}/sweeps", method="PUT")).close()
                break
            except OSError:
                time.sleep(0.5)
        yield
    finally:
        server.kill()
        server.wait()


def measured(place: Path, name: str, address: str, *, trials: int, repeats: int) -> list[Result]:
    from ftsweep.store.address.filling import fill
    from ftsweep.store.address.index import Index
    from ftsweep.store.address.opening import open_objects
    from ftsweep.store.address.ownership import Ownership
    from ftsweep.store.address.sending import Sender
    from ftsweep.store.atomic import append_line, write_json, written_folder
    from ftsweep.store.folders import Store

    objects, study = open_objects(address), Store(place / "here").study("q")
    for number in range(trials):
        trial = study.trial(number)
        append_line(trial.measurements_file, {"rung": 0, "trial": number})
        for part in range(FILES):
            file = trial.path / f"samples/rung-{part:03d}.jsonl"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(os.urandom(1000))
    owner = Ownership(objects, "q", print)
    owner.take()
    sender = Sender(study, objects, owner, Index(0, 0))
    found = [result(f"{name}: all of {trials * (FILES + 1):,} files sent", timed(sender.send), "s")]
    found.append(result(f"{name}: looked, nothing new", [1000 * timed(sender.send) for _ in range(repeats)], "ms"))

    def rung(size: int) -> tuple[float, float]:
        with written_folder(study.trial(0).checkpoint) as torn:
            (torn / "optimizer.safetensors").write_bytes(os.urandom(size))
        append_line(study.trial(0).measurements_file, {"rung": 1, "size": size})
        write_json(study.trial(0).path / "fit.json", {"at": time.time()})
        began = time.process_time()
        return timed(sender.send), time.process_time() - began

    for label, size in CHECKPOINTS.items():
        rungs = [rung(size) for _ in range(repeats)]
        found.append(result(f"{name}: a rung with {label} of checkpoint sent", [wall for wall, _ in rungs], "s"))
        found.append(result(f"{name}: the same, CPU time of ours", [cpu for _, cpu in rungs], "s"))
    seconds = timed(lambda: fill(Store(place / "there").study("q"), objects, whole=True))
    found.append(result(f"{name}: all brought to another machine", seconds, "s"))
    return found


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
