"""Worker processes on this machine: one per CUDA device, or some that share its cores; kept warm and replaced."""

from __future__ import annotations

import selectors
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ftsweep.domain.messages import Answer
from ftsweep.errors import ConfigError, StudyError
from ftsweep.executors.base import Executor, ExecutorContext, Message
from ftsweep.executors.device_locks import DeviceLocks
from ftsweep.executors.devices import Place
from ftsweep.executors.lanes import Lanes, checked_lanes, first_lanes
from ftsweep.executors.launch import worker_command, worker_environment
from ftsweep.executors.memory_kills import MemoryKills
from ftsweep.executors.process import WorkerProcess
from ftsweep.executors.sharing import AUTO, Auto, Cores, Sharing
from ftsweep.executors.watchdog import Watchdog

_CHECK_SECONDS = 0.5  # a worker whose children hold its pipe open is noticed by asking after it, not by end-of-file
_START_SECONDS = 300  # a start may be this silent: loading torch from a cold disk holds Python's lock throughout
_DRAIN_SECONDS = 6  # for the step under way and a checkpoint; after it the last checkpoint stands
_MOST_IDLE_DEATHS = 3
KILLED_FOR_MEMORY = "was ended by the kernel: the machine, or the limit that it runs under, had no memory left"


@dataclass
class _Worker:
    """A live worker process and what it is doing."""

    place: Place
    process: WorkerProcess
    log_start: int
    """Where its part of the log file begins."""
    lanes: int
    num_idle_deaths: int
    """How many workers in a row died in this place with no job to blame."""
    heard_at: float = field(default_factory=time.monotonic)
    is_ready: bool = False
    awaits_go: bool = False  # it takes turns, and has said all of the last one or was given a job
    is_spent: bool = False  # it ends by itself after its last job, to be replaced
    jobs: dict[str, int] = field(default_factory=dict)  # job: where the log file ended when it was submitted
    trials: set[str] = field(default_factory=set)  # the jobs among them that checkpoint when they are asked to quit

    @property
    def num_free(self) -> int:
        return self.lanes - len(self.jobs) if self.is_ready and not self.is_spent else 0


class Local(Executor):
    """Runs jobs in processes of their own, so that nothing a trial does can hurt the study.

    `workers`: null is one per CUDA device, or `cpu_workers` where there is none; "auto" on a CPU as many as bring most
    steps a second. `threads`: of each worker; "auto" is OMP_NUM_THREADS, or as many as make a step fastest, timed when
    the study begins; null is OMP_NUM_THREADS, or an equal share of the cores. `lanes`: trials that each worker trains
    at once; "auto" as many as pay. A worker that is silent for `heartbeat_seconds` is killed and replaced.
    """

    def __init__(
        self,
        *,
        workers: int | Auto | None = None,
        cpu_workers: int = 1,
        threads: int | Auto | None = AUTO,
        lanes: Lanes = 1,
        heartbeat_seconds: float = 60,
    ) -> None:
        if not 1 <= heartbeat_seconds <= 86_400:
            what = f"{heartbeat_seconds} seconds are too short or too long"
            raise ConfigError(what, where="executor.heartbeat_seconds", remedy="Give 1 to 86400 (a day).")
        self._cores = Cores(workers=workers, cpu_workers=cpu_workers, threads=threads)
        self.lanes, self.num_lanes = checked_lanes(lanes), first_lanes(lanes)
        self.heartbeat_seconds = heartbeat_seconds
        self._workers: dict[str, _Worker] = {}
        self._arrived: list[Message] = []
        self._devices = DeviceLocks()
        self._selector: selectors.BaseSelector | None = None
        self._is_closing = False

    def open(self, context: ExecutorContext) -> None:
        places = self._cores.places()
        if context.holder:
            self._devices.take([place.device for place in places if place.device], context.holder)
        self._context = context
        self._watchdog = Watchdog()
        self._selector = selectors.DefaultSelector()
        self._memory_kills = MemoryKills()
        self._listened_at = time.monotonic()
        try:
            for place in places:
                self._start(place)
        except BaseException:
            self.close(kill=True)
            raise

    @property
    def thread_counts(self) -> Sequence[int]:
        return self._cores.thread_counts()

    def choose(self, step_seconds: Mapping[int, float], worker_gib: float) -> Sharing:
        return self._cores.choose(step_seconds, worker_gib)

    def settle(self, sharing: Sharing) -> None:
        self._cores.settled = sharing
        if self._selector is None:
            return
        places = self._cores.places()
        if [worker.place for worker in self._workers.values()] != places:
            for worker in list(self._workers.values()):
                self._bury(worker)
            for place in places:
                self._start(place)

    @property
    def num_slots(self) -> int:
        return sum(worker.lanes for worker in self._workers.values())

    @property
    def num_free(self) -> int:
        return sum(worker.num_free for worker in self._workers.values())

    def use_lanes(self, lanes: int) -> None:
        self.num_lanes = lanes
        for worker in self._workers.values():
            worker.lanes = lanes
            self._send(worker, {"type": "lanes", "lanes": lanes})

    def submit(self, job: Message) -> None:
        if any(job["job"] in worker.jobs for worker in self._workers.values()):
            raise RuntimeError(f"job {job['job']} is under way already")
        worker = max(self._workers.values(), key=lambda worker: worker.num_free, default=None)
        if worker is None or not worker.num_free:
            raise RuntimeError(f"no worker is free for job {job['job']}")
        worker.jobs[job["job"]] = worker.process.log_size()
        if job["type"] == "train":
            worker.trials.add(job["job"])
        self._send(worker, job)
        worker.awaits_go = self.num_lanes > 1

    def reply(self, job: str, message: Answer) -> None:
        for worker in self._workers.values():
            if job in worker.jobs:
                self._send(worker, {**message, "job": job})

    def poll(self, timeout_seconds: float) -> list[Message]:
        now = time.monotonic()
        if now - self._listened_at > self.heartbeat_seconds / 2:  # nobody listened: that was not the workers' silence
            for worker in self._workers.values():
                worker.heard_at = now
        self.let_go()
        deadline = now + timeout_seconds
        while self._selector is not None:
            wait = 0.0 if self._arrived else min(_CHECK_SECONDS, deadline - time.monotonic())
            self._exchange(max(0.0, wait))
            self._look_after_workers()
            self._listened_at = time.monotonic()
            if self._arrived or self._listened_at >= deadline:
                break
        arrived, self._arrived = self._arrived, []
        return arrived

    def close(self, *, kill: bool = False) -> None:
        if self._selector is None:
            return
        self._is_closing = True
        try:
            if not kill:
                for worker in list(self._workers.values()):
                    if worker.trials:
                        self._send(worker, {"type": "quit"})
                    else:  # what it does has nothing to checkpoint, and may take minutes
                        self._bury(worker)
                self._await_ends(_DRAIN_SECONDS)
        finally:
            for worker in list(self._workers.values()):
                self._bury(worker)
            self._watchdog.close()
            self._devices.release()
            self._selector.close()
            self._selector = None

    def let_go(self) -> None:
        """Whoever asks for messages has answered the last ones: what waits for that may take its next turn."""
        for worker in self._workers.values():
            if worker.awaits_go and worker.jobs:
                worker.awaits_go = False
                self._send(worker, {"type": "go"})

    # -- pipes ----------------------------------------------------------------------------------------------------

    def _send(self, worker: _Worker, message: Message) -> None:
        worker.process.send(message)
        assert self._selector is not None
        if worker.process.has_unsent and worker.process.stdin not in self._selector.get_map():
            self._selector.register(worker.process.stdin, selectors.EVENT_WRITE, worker)

    def _exchange(self, wait_seconds: float) -> None:
        """Hear what workers say and send what waits to be sent, waiting at most this long for the first of it."""
        assert self._selector is not None
        for key, _ in self._selector.select(wait_seconds):
            worker: _Worker = key.data
            if key.fileobj is worker.process.stdout:
                self._hear(worker, worker.process.receive())
                continue
            worker.process.flush()
            if not worker.process.has_unsent:
                self._selector.unregister(worker.process.stdin)

    def _hear(self, worker: _Worker, messages: Sequence[Message]) -> None:
        worker.heard_at = time.monotonic()
        for message in messages:
            match message["type"]:
                case "heartbeat":
                    continue
                case "turn":
                    worker.awaits_go = True
                    self._hear(worker, message["messages"])
                    continue
                case "spent":
                    worker.is_spent = True
                    continue
                case "ready":
                    worker.is_ready, worker.lanes = True, max(message["lanes"], self.num_lanes)
                case "ended" | "failed" | "lost":
                    worker.jobs.pop(message["job"], None)
                    worker.trials.discard(message["job"])
                    worker.num_idle_deaths = 0
            self._arrived.append({**message, "worker": worker.place.name})

    # -- life and death -------------------------------------------------------------------------------------------

    def _start(self, place: Place, *, lanes: int | None = None, num_idle_deaths: int = 0) -> None:
        assert self._selector is not None
        heartbeat_seconds = min(5.0, self.heartbeat_seconds / 4)
        process = WorkerProcess(
            worker_command(place, self._context, heartbeat_seconds=heartbeat_seconds, lanes=self.num_lanes),
            environment=worker_environment(place, self._context),
            log_file=self._context.log_folder / f"worker-{place.name.replace(' ', '-').replace('/', '-')}.log",
        )
        self._watchdog.watch(process.pid)
        worker = _Worker(place, process, process.log_size(), lanes or self.num_lanes, num_idle_deaths)
        self._workers[place.name] = worker
        self._selector.register(process.stdout, selectors.EVENT_READ, worker)

    def _look_after_workers(self) -> None:
        """Bury the dead, kill the silent, put new ones in their places."""
        now = time.monotonic()
        self._memory_kills.look()
        for worker in list(self._workers.values()):
            patience = self.heartbeat_seconds if worker.is_ready else max(self.heartbeat_seconds, _START_SECONDS)
            if worker.process.has_died:
                self._replace(worker, "")
            elif now - worker.heard_at > patience:
                self._replace(worker, f"was silent for {patience:g} s and was killed")

    def _replace(self, worker: _Worker, reason: str) -> None:
        """Bury a worker, report its jobs as lost, start another; give its place up when that cannot help."""
        how = self._bury(worker)
        is_memory = not reason and "SIGKILL" in how and self._memory_kills.explain()
        reason = f"worker {worker.place.name} {reason or (KILLED_FOR_MEMORY if is_memory else how)}"
        kind = "memory" if is_memory else "process"
        lost = {"type": "lost", "kind": kind, "reason": reason, "worker": worker.place.name}
        for job, mark in worker.jobs.items():
            self._arrived.append({**lost, "job": job, "log_tail": worker.process.log_tail(mark)})
        num_idle_deaths = worker.num_idle_deaths + (not worker.jobs and not worker.is_spent)
        if num_idle_deaths < _MOST_IDLE_DEATHS:
            self._start(worker.place, lanes=worker.lanes, num_idle_deaths=num_idle_deaths)
            return
        text = f"{reason}, {num_idle_deaths} times in a row and without a job"
        if self._workers:  # the study goes on with the others
            log = {"type": "log", "job": None, "level": "error", "text": text, "worker": worker.place.name}
            self._arrived.append(log)
            return
        raise StudyError(
            f"no worker can be kept alive: {text}. Its last words:\n{worker.process.log_tail(worker.log_start)}",
            where=str(worker.process.log_file),
            remedy="`ftsweep doctor` says what works here",
        )

    def _bury(self, worker: _Worker) -> str:
        """Kill what is left of a worker and its children, take its last messages; how it ended."""
        assert self._selector is not None
        for pipe in (worker.process.stdin, worker.process.stdout):
            if pipe in self._selector.get_map():
                self._selector.unregister(pipe)
        how, last_messages = worker.process.end()
        self._watchdog.forget(worker.process.pid)
        self._hear(worker, last_messages)
        del self._workers[worker.place.name]
        return how

    def _await_ends(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._workers and time.monotonic() < deadline:
            self._exchange(min(_CHECK_SECONDS, max(0.0, deadline - time.monotonic())))
            for worker in list(self._workers.values()):
                if worker.process.has_died:
                    self._bury(worker)
