"""One study on the cluster, killed until it comes to its end, and held against the undisturbed one."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shlex
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from difference import difference
from facts import Databases, faults, results
from place import Place, make_place
from postgres_server import PASSWORD
from services import ServersDatabases
from strikes import HEARTBEAT_SECONDS, Striker, Surroundings, has_word

from ftsweep.store.folders import StudyFolder
from ftsweep.testing import forked

NAMES = ("one", "two")
"""The hosts."""
_EPOCHS = 16
_MOST_SECONDS = 1800.0  # on a machine that others keep busy
_END_SECONDS = 4.0 * HEARTBEAT_SECONDS + 20.0  # what is left so long after a study's end is an orphan
_OURS = ("ftsweep.cluster.bridge_process", "ftsweep.worker.process", "ray::Slot")
_TURN_SECONDS = 0.05
_AWAY = ("cannot be opened", "no Ray cluster", "was not reached", "no node of the Ray cluster can hold")
_INCOMPLETE = "The record is not complete"


def make(folder: Path) -> Place:
    return make_place(folder, sampler="random", at_once=len(NAMES), executor="threads: 1")


def words_of(surroundings: Surroundings | None, *, has_server: bool, name: str) -> list[str]:
    """Of the command; without surroundings one worker on this machine, and files for databases."""
    words = ["run", "chaos.yaml", f"training.epochs={_EPOCHS}"]
    if surroundings is None:
        return [*words, "executor.workers=1"]
    words += ["executor=ray", f"executor.address={surroundings.cluster.address}", "executor.slots=[{gpus: 1}]"]
    words += [f"executor.heartbeat_seconds={HEARTBEAT_SECONDS}", f"store.database={surroundings.postgres.address}"]
    if has_server:
        words += [f"recording.tracking_uri={surroundings.mlflow.address}"]
        words += [f"recording.experiment={name}", f"recording.model={name}"]
    return words


@dataclass
class Run:
    """`reference`: what the undisturbed study came to. `faults`: what this one may not have."""

    place: Place
    surroundings: Surroundings | None
    has_server: bool = False
    faults: list[str] = field(default_factory=list)
    num_attempts: int = 0
    num_refused: int = 0
    """Starts of the command that ended with words, because what they need was away."""
    num_sent_later: int = 0
    _control: int | None = None
    _began: float = 0.0

    @property
    def words(self) -> list[str]:
        return words_of(self.surroundings, has_server=self.has_server, name=self.place.folder.name)

    def undisturbed(self) -> None:
        with self._started() as control:
            code = os.waitstatus_to_exitcode(os.waitpid(control, 0)[1])
        if code != 0:
            self.faults.append(f"exit {code} without any kill: {self._tail()}")

    def killed(self, chance: random.Random, kinds: Sequence[str], most_kills: int) -> Striker:
        """Until the command ends well, with at most so many kills on the way."""
        assert self.surroundings is not None
        striker = Striker(
            chance, self.surroundings, tuple(kinds), self.has_server, self._process, self._bridge, self._losses
        )
        began = time.monotonic()
        while not self.faults:
            striker.num_of_workers = 0
            with self._started() as control:
                code = self._watched(control, striker, most_kills, began + _MOST_SECONDS)
            if code == 0:
                break
            if code != -signal.SIGKILL:
                self._look_at_refusal(code)
            time.sleep(chance.uniform(0, 1))
        self.surroundings.repair(everything=True)
        self._send_record()
        return striker

    @contextlib.contextmanager
    def _started(self) -> Iterator[int]:
        """The command, which does not outlive the block."""
        self._control = self._start()
        try:
            yield self._control
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._control, signal.SIGKILL)
            self._control = None

    def _watched(self, control: int, striker: Striker, most_kills: int, deadline: float) -> int:
        """Its exit code, or minus the signal that ended it."""
        assert self.surroundings is not None
        while True:
            pid, status = os.waitpid(control, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            self.surroundings.repair()
            if len(striker.kills) < most_kills and (kind := striker.turn(self._progress())):
                text = json.dumps(striker.kills, indent=1)
                (self.place.folder / "kills.json").write_text(text, encoding="utf-8")
                if kind == "control":
                    return os.waitstatus_to_exitcode(os.waitpid(control, 0)[1])
            if time.monotonic() > deadline:
                self.faults.append(f"hangs: {self._tail()}")
                os.kill(control, signal.SIGKILL)
                return os.waitstatus_to_exitcode(os.waitpid(control, 0)[1])
            time.sleep(_TURN_SECONDS)

    def _start(self) -> int:
        self.num_attempts += 1
        self._began = time.time()
        words, folder = self.words, self.place.folder
        environment = {"PGPASSWORD": PASSWORD, "TMPDIR": str(folder / "tmp")}
        if self.surroundings is not None:
            environment |= self.surroundings.cluster.environment
        command = f"{shlex.join(['ftsweep', *words])}\n"

        def body() -> None:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.setsid()
            os.chdir(folder)
            log = os.open("output.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(log, command.encode())
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.environ.update(environment)
            from ftsweep.cli.main import main

            main(words)

        return forked.fork("control", body)

    def _look_at_refusal(self, code: int) -> None:
        """A command that finds the database or the cluster away when it begins says so, and may be given again."""
        said = self._tail()
        is_away = any(words in said for words in _AWAY)
        if code not in (1, 2) or not is_away or self.num_refused > 20:
            self.faults.append(f"exit {code}: {said}")
        self.num_refused += 1
        assert self.surroundings is not None
        self.surroundings.repair(everything=True)
        time.sleep(3.0)

    def _send_record(self) -> None:
        """MLflow was away at the end: the same command sends the rest."""
        if self.faults or _INCOMPLETE not in self._tail() or self.surroundings is None:
            return
        self.surroundings.mlflow.wait()
        self.num_sent_later += 1
        self.undisturbed()

    # -- what it has come to ----------------------------------------------------------------------------------------

    def compare(self, reference: Mapping[str, Any]) -> None:
        answer = self.look()
        self.faults += answer["faults"]
        if answer["results"] != reference:
            self.faults.append(f"other results: {difference(reference, answer['results'])}")

    def look(self) -> dict[str, Any]:
        """Results and faults, found in a fork, which the databases' libraries leave alone."""
        answer = self.place.folder / "facts.json"

        def body() -> None:
            databases = Databases(self.place)
            if self.surroundings is not None:
                server = self.surroundings.postgres
                databases = ServersDatabases(self.place, server, is_recorded_there=self.has_server)
            found = {"results": results(self.place), "faults": faults(self.place, databases)}
            answer.write_text(json.dumps(found), encoding="utf-8")

        os.waitpid(forked.fork("look", body), 0)
        if not answer.exists():
            return {"results": {}, "faults": ["the study could not be read"]}
        found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
        return found

    def await_end_of_processes(self) -> float:
        """Seconds until nothing of the study ran any more, on any host; what goes on is a fault."""
        began = time.monotonic()
        while left := self._left():
            if time.monotonic() - began > _END_SECONDS:
                self.faults.append(f"processes are left: {left}")
                break
            time.sleep(0.2)
        return time.monotonic() - began

    def _left(self) -> list[str]:
        assert self.surroundings is not None
        found = [each for host in self.surroundings.cluster.hosts.values() for each in host.processes()]
        found += self._bridges()
        return [f"{each.pid} {word}" for each in found for word in _OURS if has_word(each, word)]

    def _bridges(self) -> list[psutil.Process]:
        """Those of this study: their settings name its folder."""
        mark = str(self.place.folder)
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                words = process.cmdline()
                if "ftsweep.cluster.bridge_process" in words and mark in words[-1]:
                    found.append(process)
        return found

    def _bridge(self) -> psutil.Process | None:
        return next(iter(self._bridges()), None)

    def _process(self) -> psutil.Process | None:
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self._control) if self._control else None
        return None

    def _progress(self) -> tuple[int, ...]:
        study = self.place.study
        files = [
            *study.glob("trials/*/measurements.jsonl"),
            *study.glob("trials/*/outcome.json"),
            study / "result.json",
        ]
        sizes = []
        for file in files:
            with contextlib.suppress(OSError):
                sizes.append(file.stat().st_size)
        return tuple(sorted(sizes))

    def _losses(self) -> Counter[str]:
        """Of each job, to this control process."""
        told = StudyFolder(self.place.study).lost_workers()
        return Counter(str(each["job"]) for each in told if each["timestamp"] > self._began)

    def num_lost(self) -> int:
        """Workers, slots, nodes and clusters that jobs were lost to, in all."""
        return len(StudyFolder(self.place.study).lost_workers())

    def _tail(self) -> str:
        return (self.place.folder / "output.log").read_text(encoding="utf-8", errors="replace")[-2500:]
