"""Where things lie on disk, and how they are written so that no crash can spoil them. Standard library only."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import socket
import stat
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.trial import Outcome, Proposal, TrialRecord
from ftsweep.errors import StudyLockedError, UsageError

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Store:
    """The folder of everything that is kept (`store.path`), shared by all studies."""

    root: Path

    @property
    def mlflow_database(self) -> Path:
        return self.root / "mlflow.db"

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts"

    @property
    def optuna_database(self) -> Path:
        return self.root / "optuna.db"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    def study(self, name: str) -> StudyFolder:
        if not NAME_PATTERN.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot be a study's name",
                where="study.name",
                remedy="Use up to 100 letters, digits, '.', '_' and '-', beginning with a letter or digit.",
            )
        return StudyFolder(self.root / "studies" / name)

    def studies(self) -> list[StudyFolder]:
        """The studies in this store, by name."""
        return [StudyFolder(path.parent) for path in sorted(self.root.glob("studies/*/sweep.yaml"))]


@dataclass(frozen=True)
class StudyFolder:
    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def store(self) -> Store:
        return Store(self.path.parent.parent)

    @property
    def sweep_file(self) -> Path:
        """The sweep as composed; its existence makes the folder a study."""
        return self.path / "sweep.yaml"

    @property
    def facts_file(self) -> Path:
        """What must not change between two runs of one study: branches, objective, rungs, seeds."""
        return self.path / "study.json"

    @property
    def data_file(self) -> Path:
        """Fingerprints of the data that the study's trials were made with, by branch label."""
        return self.path / "data.json"

    @property
    def is_running(self) -> bool:
        """Whether a live process owns the study."""
        if not (self.path / "lock").exists():
            return False
        with open(self.path / "lock", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    @property
    def report_file(self) -> Path:
        return self.path / "report.html"

    @property
    def control_log(self) -> Path:
        return self.path / "control.log"

    @property
    def lost_file(self) -> Path:
        return self.path / "workers" / "lost.jsonl"

    def note_lost(self, job: str, worker: str, reason: str) -> None:
        """Write down that a worker died or fell silent over a job."""
        append_line(self.lost_file, {"timestamp": time.time(), "job": job, "worker": worker, "reason": reason})

    def lost_workers(self) -> list[dict[str, Any]]:
        """What `note_lost` wrote, in order: `timestamp`, `job`, `worker`, `reason`."""
        return list(read_lines(self.lost_file))

    def trial(self, number: int) -> TrialFolder:
        return TrialFolder(self.path / "trials" / f"{number:04d}")

    def baseline(self, branch_label: str) -> TrialFolder:
        return TrialFolder(self.path / "trials" / f"baseline-{branch_label}")

    def baselines(self) -> dict[str, dict[str, float]]:
        """Validation metrics of the untouched bases that have been measured, by branch label."""
        files = sorted(self.path.glob("trials/baseline-*/baseline.json"))
        return {file.parent.name.removeprefix("baseline-"): read_json(file) for file in files}

    @property
    def confirmations(self) -> Path:
        """Runs of chosen trials with fresh seeds."""
        return self.path / "confirmations"

    def confirmation(self, number: int, index: int) -> TrialFolder:
        """The run of a trial with its fresh seed number `index`, counted from 1."""
        return TrialFolder(self.confirmations / f"{number:04d}-{index}")

    def trials(self) -> list[TrialFolder]:
        """Folders of numbered trials, by number."""
        return [TrialFolder(path) for path in sorted(self.path.glob("trials/[0-9]*"), key=lambda path: int(path.name))]

    def records(self) -> list[TrialRecord]:
        """Every trial of the study as its folder tells it, by number."""
        records = []
        for folder in self.trials():
            if folder.spec_file.exists():
                spec = folder.spec()
                proposal = Proposal(spec["number"], spec["branch"], spec["params"], spec["is_default"])
                records.append(TrialRecord(proposal, tuple(folder.measurements()), folder.outcome()))
        return records

    @property
    def has_trials(self) -> bool:
        """Whether any trial was ever begun."""
        return any(trial.spec_file.exists() for trial in self.trials())

    def forget_baselines(self) -> None:
        """Remove what was found out about data and untouched bases, before there was any trial."""
        remove(self.data_file)
        for path in self.path.glob("trials/baseline-*"):
            remove(path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Own the study until the block ends or the process dies.

        The operating system releases the lock (flock) with its owner, so a stale one cannot exist; the file names the
        owner for the message that a second process gets.

        Raises:
            StudyLockedError: a live process owns the study.
            UsageError: the folder cannot be made or written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = open(self.path / "lock", "a+", encoding="utf-8")  # noqa: SIM115 - closed by the block below
        except OSError as error:
            raise UsageError(
                f"the study's folder cannot be made or written: {error.strerror}",
                where=str(self.path),
                remedy="Name a folder of your own with store.path=...",
            ) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                owner = file.read().strip() or "another process"
                raise StudyLockedError(
                    f"study {self.name!r} is being run by {owner}",
                    where=str(self.path / "lock"),
                    remedy="Wait for it, stop it, or give this run another name with study.name=...",
                ) from None
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)


@dataclass(frozen=True)
class TrialFolder:
    path: Path

    @property
    def spec_file(self) -> Path:
        return self.path / "spec.json"

    @property
    def measurements_file(self) -> Path:
        return self.path / "measurements.jsonl"

    @property
    def outcome_file(self) -> Path:
        return self.path / "outcome.json"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint"

    @property
    def best(self) -> Path:
        """The kept weights: those of the best rung."""
        return self.path / "best"

    @property
    def log_file(self) -> Path:
        return self.path / "worker.log"

    def spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = read_json(self.spec_file)
        return spec

    def measurements(self) -> list[Measurement]:
        """Measurements in order of rung; of two lines for one rung the first counts."""
        by_rung: dict[int, Measurement] = {}
        for line in read_lines(self.measurements_file):
            measurement = Measurement.from_dict(line)
            by_rung.setdefault(measurement.rung, measurement)
        return [by_rung[rung] for rung in sorted(by_rung)]

    def outcome(self) -> Outcome | None:
        return Outcome.from_dict(read_json(self.outcome_file)) if self.outcome_file.exists() else None

    def write_outcome(self, outcome: Outcome) -> None:
        """Write the outcome: the last thing of a trial, so its existence means that the trial ended."""
        write_json(self.outcome_file, outcome.to_dict())

    def log_tail(self, num_lines: int = 20) -> str:
        if not self.log_file.exists():
            return ""
        with open(self.log_file, "rb") as file:
            file.seek(max(0, self.log_file.stat().st_size - 32_768))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-num_lines:])


def write_json(path: Path, value: Any) -> None:
    """Write a file whole or not at all: temporary file, fsync, rename."""
    write_text(path, json.dumps(value, indent=1, allow_nan=True) + "\n")


def write_text(path: Path, text: str) -> None:
    """Like `write_json`, for text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    _sync(path.parent)


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@contextmanager
def written_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder to fill; it takes the place of `path` when the block ends without an error.

    A kill between the two renames leaves the former folder under its old name: readers call `settle_folder` first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    settle_folder(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    remove(temporary)
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _sync(file)
        if path.exists():
            os.replace(path, _former(path))
        os.replace(temporary, path)
        _sync(path.parent)
        remove(_former(path))
    finally:
        remove(temporary)


def settle_folder(path: Path) -> None:
    """Finish or undo what a killed `written_folder` left: the newest whole folder stands under `path`, alone."""
    for torn in path.parent.glob(f".{path.name}.*.tmp"):
        remove(torn)
    former = _former(path)
    if not former.exists():
        return
    if path.exists():
        remove(former)
    else:
        os.replace(former, path)


def remove_folder(path: Path) -> None:
    """Remove a folder that `written_folder` wrote, and what killed writers left of it."""
    settle_folder(path)
    remove(path)


def _former(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")


def remove(path: Path) -> None:
    """Remove a file or folder if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def append_line(path: Path, value: Mapping[str, Any]) -> None:
    """Append one JSON line that ends with its checksum, and have it on disk before returning."""
    text = json.dumps(value, sort_keys=True, allow_nan=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab+") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # a line torn by a crash: end it, so that this one stands on its own
                file.write(b"\n")
        file.write(f"{text}\t{zlib.crc32(text.encode()):08x}\n".encode())
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines that `append_line` wrote; torn or damaged ones are passed over."""
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n"):
        text, _, checksum = line.rpartition(b"\t")
        if text and checksum == f"{zlib.crc32(text):08x}".encode():
            yield json.loads(text)


def folder_size(path: Path) -> int:
    """Bytes of all files below a folder; files and folders that vanish meanwhile count as nothing."""
    total = 0
    for folder, _, names in os.walk(path):  # unlike rglob, it passes over a folder that is gone
        for name in names:
            with suppress(FileNotFoundError):
                status = (Path(folder) / name).lstat()
                total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return total


@contextmanager
def made_by_one(folder: Path) -> Iterator[None]:
    """Two processes that create a database's tables at once would stumble over each other."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
