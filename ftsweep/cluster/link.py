"""The bridge's side of one slot: commands to it in order, messages and files from it, and whether it still lives."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, GetTimeoutError, OutOfMemoryError, RayError

from ftsweep.cluster.admission import NotStartedError, SlotDiedError
from ftsweep.cluster.carrier import Carrier
from ftsweep.cluster.in_place import FileFacts, told
from ftsweep.cluster.incoming import Incoming
from ftsweep.cluster.inputs import Inputs
from ftsweep.cluster.objects import PART_BYTES
from ftsweep.cluster.slots import Node, Wish
from ftsweep.errors import OtherSourceError

_LOGGER = logging.getLogger(__name__)
_CALL_SECONDS = 120.0  # of a command, or of a part of a file
_READ_BYTES = 20e6  # a second, at least, of a disk that a node shares
_RETRY_SECONDS = 0.5
_DRAINED = "gave its jobs back, for its node is being drained"


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
    node: Node
    wish: Wish
    actor: Any
    heartbeat_seconds: float
    carrier: Carrier
    say: Callable[[Mapping[str, Any]], None]
    on_end: Callable[[Link, str, str], None]
    attempts: dict[str, Attempt] = field(default_factory=dict)
    is_drained: bool = False
    has_worked: bool = False
    """Whether a job has measured something here, or come to its end."""
    is_unfit: bool = False
    """Whether its node has other data, or another model, than the study."""
    _over: threading.Event = field(default_factory=threading.Event)
    _commands: SimpleQueue[Any] = field(default_factory=SimpleQueue)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _taking: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        for work in (self._hear, self._feed):
            threading.Thread(target=work, name=f"{self.name} {work.__name__}", daemon=True).start()

    def submit(self, job: Mapping[str, Any], inputs: Inputs, attempt: str) -> None:
        incoming = Incoming(inputs.outputs, str(job.get("cache", "")), attempt, self.carrier.shared.path / attempt)
        self.attempts[job["job"]] = Attempt(attempt, incoming)
        self._commands.put(("submit", job, inputs, attempt))

    def reply(self, job: str, message: Mapping[str, Any]) -> None:
        if job in self.attempts:
            self._commands.put(("reply", job, message, self.attempts[job].name))

    def go(self) -> None:
        """All that it said has been answered."""
        self._commands.put(("go",))

    def use_lanes(self, lanes: int) -> None:
        """No job is under way."""
        self._commands.put(("lanes", lanes))

    def close(self) -> None:
        """Have it checkpoint; `on_end` follows."""
        self._commands.put(("close",))

    def refuse(self, reason: str) -> None:
        """Its node can do nothing for the study."""
        self.is_unfit = True
        self._end(reason, "node")

    def wait(self, seconds: float) -> None:
        """Until it is over, at most so long."""
        self._over.wait(seconds)

    def fence(self) -> None:
        """Take nothing more, for good: another process may own the study now."""
        self._taking.acquire()

    # -- to the slot ------------------------------------------------------------------------------------------------

    def begin(self, code: Mapping[str, Path]) -> None:
        """Send the user's components, and have the worker start.

        Raises:
            SlotDiedError: the slot died meanwhile.
            NotStartedError: a file cannot be read.
        """
        try:
            hashes = {name: self.carrier.hashes.of(file) for name, file in code.items()}
            self._send(hashes)  # also where they lie there: a module that is edited meanwhile is not imported anew
            self._call(self.actor.lay_out.remote(hashes, {}, []))
            self._call(self.actor.begin.remote())
        except RayError as error:  # before OSError, which some of Ray's are, too
            ray.kill(self.actor)
            raise SlotDiedError(_text(error)) from error
        except OSError as error:
            ray.kill(self.actor)
            raise NotStartedError(_text(error)) from error

    def _feed(self) -> None:
        number = 0
        while not self._over.is_set():
            kind, *values = self._commands.get()
            if self._over.is_set():
                return
            try:
                self._call(self.actor.command.remote(number, self._prepared(kind, *values)))
                number += 1
            except RayError as error:  # before OSError, which some of Ray's are, too
                self._end(f"took no command: {_text(error)}", _kind(error))
            except OSError as error:
                self._end(f"could not be given its files: {error}", "place")

    def _prepared(self, kind: str, *values: Any) -> dict[str, Any]:
        if kind in ("close", "go"):
            return {"kind": kind}
        if kind == "lanes":
            return {"kind": kind, "lanes": values[0]}
        if kind == "reply":
            job, message, attempt = values
            return {"kind": "reply", "job": job, "message": dict(message), "attempt": attempt}
        job, inputs, attempt = values
        files = {name: self.carrier.facts(file) for name, file in {**inputs.kept, **inputs.copied}.items()}
        in_place = self._in_place(files)
        hashes = {name: each.content for name, each in files.items()}
        self._send({name: content for name, content in hashes.items() if name not in in_place})
        paths = dict(inputs.paths)
        if inputs.kept:
            kept = {name: hashes[name] for name in inputs.kept}
            self._call(self.actor.lay_out.remote(kept, dict.fromkeys(inputs.told, paths), in_place))
        return {
            "kind": "submit",
            "job": dict(job),
            "attempt": attempt,
            "paths": paths,
            "addresses": inputs.addresses,
            "outputs": list(inputs.outputs),
            "copied": {name: hashes[name] for name in inputs.copied},
            "in_place": in_place,
            "known": list(inputs.known),
        }

    def _in_place(self, files: Mapping[str, FileFacts]) -> list[str]:
        """The names of those that the node has where they are here; it may have to read them for that."""
        if not files:
            return []
        seconds = _CALL_SECONDS + sum(each.size for each in files.values()) / _READ_BYTES
        asked = {name: told(each) for name, each in files.items()}
        with self.carrier.lock(self.node.identity):
            found: list[str] = self._call(self.actor.in_place.remote(asked), seconds)
        self.carrier.count(in_place=sum(files[name].size for name in found))
        return found

    def _send(self, hashes: Mapping[str, str]) -> None:
        """Files with their hashes: what the node has not."""
        if not hashes:
            return
        files = {content: name for name, content in hashes.items()}
        with self.carrier.lock(self.node.identity):
            for content, offset in self._call(self.actor.missing.remote(list(files))).items():
                self._send_file(files[content], content, offset)

    def _send_file(self, name: str, content: str, offset: int) -> None:
        with open(name, "rb") as file:
            file.seek(offset)
            is_last = False
            while not is_last:
                data = file.read(PART_BYTES)
                is_last = len(data) < PART_BYTES
                self._call(self.actor.put.remote(content, offset, data, is_last))
                self.carrier.count(sent=len(data))
                offset += len(data)

    def _call(self, reference: Any, seconds: float = _CALL_SECONDS) -> Any:
        return ray.get(reference, timeout=seconds)

    # -- from the slot ----------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        acknowledged = 0
        heard_at = time.monotonic()
        while not self._over.is_set():
            left = self.heartbeat_seconds - (time.monotonic() - heard_at)
            try:
                answer = self._call(self.actor.exchange.remote(acknowledged), max(left, 0.0))
            except ActorUnavailableError as error:  # the call may have run: what it gave is given again
                if left < _RETRY_SECONDS:
                    self._end(_text(error), "node")
                time.sleep(_RETRY_SECONDS)
                continue
            except GetTimeoutError:
                self._end(f"was silent for {self.heartbeat_seconds:g} s", "node")
                return
            except RayError as error:
                self._end(_text(error), _kind(error))
                return
            try:
                acknowledged = self._take_all(answer, acknowledged)
            except OSError as error:
                self._end(f"sent what cannot be written here: {error}", "place")
            except (ValueError, KeyError, TypeError) as error:
                _LOGGER.exception("what slot %s sent cannot be taken", self.name)
                self._end(f"sent what cannot be taken: {error}", "process")
            heard_at = time.monotonic()
            if answer["error"]:
                self._end(answer["error"], "process")
            elif answer["is_over"]:
                self._end(_DRAINED if self.is_drained else "has closed", "node")

    def _take_all(self, answer: Mapping[str, Any], acknowledged: int) -> int:
        """The number of the first item that has not come yet."""
        for index, item in enumerate(answer["items"], answer["first"]):
            if index >= acknowledged:
                with self._taking:
                    self._take(item, answer)
                acknowledged = index + 1
        return acknowledged

    def _take(self, item: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        state = {key: answer[key] for key in ("free", "lanes", "applied")}
        if item["kind"] in ("part", "handed", "folder", "log"):
            attempt = self._attempt_of(item["folder"])
            handed = item["size"] if item["kind"] == "handed" else 0
            self.carrier.count(brought=len(item.get("data", b"")), handed=handed)
            if attempt is not None:
                getattr(attempt.incoming, f"take_{item['kind']}")(item)
            return
        message = dict(item["message"]) if item["kind"] == "message" else None
        if message is not None and message.get("job") is not None:
            attempt = self.attempts.get(message["job"])
            if attempt is None or attempt.name != item["attempt"]:
                message = None  # of an attempt that is over
            elif message.get("error_class") == OtherSourceError.__name__:
                self.refuse(f"cannot work for this study: {message['message']}")
                return
            else:
                attempt.has_progress |= message["type"] == "measured"
                self.has_worked |= message["type"] in ("measured", "ended")
                if message["type"] in ("ended", "failed", "lost"):
                    self.attempts.pop(message["job"]).incoming.close()
        is_last = item.get("is_last", True)
        self.say({"type": "state", "slot": self.name, **state, "message": message, "is_last": is_last})

    def _attempt_of(self, folder: str) -> Attempt | None:
        return next((each for each in self.attempts.values() if each.incoming.takes(folder)), None)

    def _end(self, reason: str, kind: str) -> None:
        with self._lock:
            if self._over.is_set():
                return
            self._over.set()
        self._commands.put(("close",))  # so that its thread ends
        self.on_end(self, reason, kind)


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _kind(error: BaseException) -> str:
    """Of a loss: `memory`, or `node`, which says nothing of the job."""
    return "memory" if isinstance(error, OutOfMemoryError) else "node"
