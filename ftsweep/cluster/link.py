"""The bridge's side of one slot: commands to it in order, messages and files from it, and whether it still lives."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, GetTimeoutError, OutOfMemoryError, RayActorError, RayError

from ftsweep.cluster.incoming import Incoming
from ftsweep.cluster.inputs import Inputs
from ftsweep.cluster.objects import PART_BYTES, file_hash

_LOGGER = logging.getLogger(__name__)
_DRAIN_SECONDS = 12.0
_START_SECONDS = 120.0  # of an actor, with Python and its imports


@dataclass
class Attempt:
    """One attempt at a job, in one slot."""

    name: str
    incoming: Incoming
    has_progress: bool = False


@dataclass
class Link:
    """Of one actor. `say` takes what the control process should hear; `on_end` is called once, with a reason.

    Two threads: one asks for what is new and puts it in place, one sends commands with the files that they need.
    """

    name: str
    node: str
    actor: Any
    heartbeat_seconds: float
    say: Callable[[Mapping[str, Any]], None]
    on_end: Callable[[Link, str, str], None]
    code: Mapping[str, str]
    wanted: Any = None
    node_facts: Mapping[str, Any] = field(default_factory=dict)
    """The user's components: paths to hashes."""
    attempts: dict[str, Attempt] = field(default_factory=dict)
    is_over: bool = False
    _commands: SimpleQueue[Any] = field(default_factory=SimpleQueue)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        for work in (self._hear, self._feed):
            threading.Thread(target=work, name=f"{self.name} {work.__name__}", daemon=True).start()

    def submit(self, job: Mapping[str, Any], inputs: Inputs, attempt: str) -> None:
        self.attempts[job["job"]] = Attempt(attempt, Incoming(inputs.outputs, str(job.get("cache", "")), attempt))
        self._commands.put(("submit", job, inputs, attempt))

    def reply(self, job: str, message: Mapping[str, Any]) -> None:
        if job in self.attempts:
            self._commands.put(("reply", job, message, self.attempts[job].name))

    def close(self) -> None:
        """Have it checkpoint; `on_end` follows."""
        self._commands.put(("close",))

    # -- to the slot ------------------------------------------------------------------------------------------------

    def _feed(self) -> None:
        number = 0
        while not self.is_over:
            kind, *values = self._commands.get()
            if self.is_over:
                return
            try:
                command = self._prepared(kind, *values)
                self._call(self.actor.command.remote(number, command), _START_SECONDS)
                number += 1
            except (RayError, GetTimeoutError) as error:
                self._end(f"took no command: {_text(error)}", _kind(error))
            except OSError as error:
                self._end(f"could not be given its files: {error}", "process")

    def _prepared(self, kind: str, *values: Any) -> dict[str, Any]:
        if kind == "close":
            return {"kind": "close"}
        if kind == "reply":
            job, message, attempt = values
            return {"kind": "reply", "job": job, "message": dict(message), "attempt": attempt}
        job, inputs, attempt = values
        hashes = {name: file_hash(file) for name, file in {**inputs.kept, **inputs.copied}.items()}
        self._send({hashes[name]: str(file) for name, file in {**inputs.kept, **inputs.copied}.items()})
        if inputs.kept:
            self._call(self.actor.lay_out.remote({name: hashes[name] for name in inputs.kept}), _START_SECONDS)
        copied = {name: hashes[name] for name in inputs.copied}
        return {
            "kind": "submit",
            "job": dict(job),
            "attempt": attempt,
            "paths": sorted(inputs.paths),
            "outputs": list(inputs.outputs),
            "copied": copied,
        }

    def send_code(self) -> None:
        """The user's components, before the worker starts."""
        self._send({content: name for name, content in self.code.items()})
        self._call(self.actor.lay_out.remote(dict(self.code)), _START_SECONDS)

    def _send(self, files: Mapping[str, str]) -> None:
        """Files by their hashes: what the node has not."""
        missing = self._call(self.actor.missing.remote(list(files)), _START_SECONDS) if files else {}
        for name, offset in missing.items():
            with open(files[name], "rb") as file:
                file.seek(offset)
                is_last = False
                while not is_last:
                    data = file.read(PART_BYTES)
                    is_last = len(data) < PART_BYTES
                    self._call(self.actor.put.remote(name, offset, data, is_last), _START_SECONDS)
                    offset += len(data)

    def _call(self, reference: Any, seconds: float) -> Any:
        return ray.get(reference, timeout=seconds)

    # -- from the slot ----------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        acknowledged = 0
        heard_at = time.monotonic()
        while not self.is_over:
            try:
                answer = self._call(self.actor.exchange.remote(acknowledged), self.heartbeat_seconds)
            except ActorUnavailableError as error:  # the call may have run: what it gave is given again
                if time.monotonic() - heard_at > self.heartbeat_seconds:
                    self._end(_text(error), "node")
                time.sleep(0.5)
                continue
            except GetTimeoutError:
                self._end(f"was silent for {self.heartbeat_seconds:g} s", "node")
                return
            except RayError as error:
                self._end(_text(error), _kind(error))
                return
            heard_at = time.monotonic()
            try:
                for index, item in enumerate(answer["items"], answer["first"]):
                    if index >= acknowledged:
                        self._take(item, answer)
                        acknowledged = index + 1
            except (OSError, ValueError, KeyError, TypeError) as error:
                _LOGGER.exception("what slot %s sent cannot be taken", self.name)
                self._end(f"sent what cannot be taken: {error}", "process")
                return
            if answer["error"]:
                self._end(answer["error"], "process")
            elif answer["is_over"] and not answer["items"]:
                self._end("", "")

    def _take(self, item: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        state = {key: answer[key] for key in ("free", "lanes", "applied")}
        if item["kind"] in ("part", "folder"):
            attempt = self._attempt_of(item["folder"])
            if attempt is not None:
                (attempt.incoming.take_part if item["kind"] == "part" else attempt.incoming.take_folder)(item)
            return
        message = dict(item["message"]) if item["kind"] == "message" else None
        if message is not None and message.get("job") is not None:
            attempt = self.attempts.get(message["job"])
            if attempt is None or attempt.name != item["attempt"]:
                return  # of an attempt that is over
            attempt.has_progress |= message["type"] == "measured"
            if message["type"] in ("ended", "failed", "lost"):
                del self.attempts[message["job"]]
        self.say({"type": "state", "slot": self.name, **state, "message": message})

    def _attempt_of(self, folder: str) -> Attempt | None:
        return next((each for each in self.attempts.values() if each.incoming.takes(folder)), None)

    def _end(self, reason: str, kind: str) -> None:
        with self._lock:
            if self.is_over:
                return
            self.is_over = True
        self._commands.put(("close",))  # so that its thread ends
        self.on_end(self, reason, kind)


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _kind(error: BaseException) -> str:
    """Of a loss: `memory`, `node` (which says nothing of the job) or `process`."""
    if isinstance(error, OutOfMemoryError):
        return "memory"
    return "node" if isinstance(error, RayActorError | GetTimeoutError) else "process"
