"""A slot: an actor on a node around one worker of `Local`. It imports no torch, and nothing of the search.

Messages wait here until they are acknowledged, and each waits behind the files it speaks of. A slot that nobody asks
any more ends its worker and itself: nothing it could write would reach the study.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftsweep.cluster.admission import versions
from ftsweep.cluster.held_folder import HeldFolder, own_folder
from ftsweep.cluster.in_place import FileFacts, Places
from ftsweep.cluster.objects import PART_BYTES, Objects
from ftsweep.cluster.outgoing import Item, Outgoing
from ftsweep.cluster.tree import Tree
from ftsweep.executors.base import ExecutorContext
from ftsweep.executors.local import Local
from ftsweep.store.atomic import read_json, write_json
from ftsweep.store.locks import try_lock

_WAIT_SECONDS = 5.0
"""How long `exchange` waits for something to say, at most; a fourth of the heartbeat where that is less."""
_TURN_SECONDS = 0.02
"""How long an answer to a trial waits at most before it is passed on."""
_LOG_SECONDS = 5.0
_OVER = ("ended", "failed", "lost")


class _Worker(Local):
    """One worker. If it takes turns it takes the next one at `go`, which says that the control process has answered, or
    need not.
    """

    def let_go(self) -> None:
        return

    def go(self) -> None:
        super().let_go()


class Slot:
    """The actor. `descriptor`: what `RayCluster` says of it, as plain JSON."""

    def __init__(self, descriptor: Mapping[str, Any]) -> None:
        self._descriptor = descriptor
        self._auth_mode = os.environ.get("RAY_AUTH_MODE", "")
        for name in [name for name in os.environ if name.startswith("RAY_")]:
            os.environ.pop(name)  # a user's code is no member of the cluster
        if not descriptor["num_gpus"]:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        os.environ.pop("OMP_NUM_THREADS", None)  # Ray's, not the user's
        scratch = Path(descriptor["scratch"] or tempfile.gettempdir())
        base = own_folder(scratch / f"ftsweep-{os.getuid()}")
        for name in ("runs", "stores"):
            (base / name).mkdir(exist_ok=True)
        self._folder = HeldFolder(base / "runs", "slot-")
        tree = base / "stores" / descriptor["store"]
        tree.mkdir(exist_ok=True)
        self._tree, self._tree_lock = Tree(str(tree)), (tree / "lock").open("w", encoding="utf-8")
        try_lock(self._tree_lock, is_shared=True)
        self._objects = Objects(base / "objects", int(descriptor["cache_gib"] * 2**30))
        self._objects.trim(base / "stores")
        folder, nonce = descriptor["shared"]
        self._places = Places(folder, nonce, base / "hashes")
        self._jobs: dict[str, tuple[str, Outgoing]] = {}
        self._known: set[str] = set()  # prepared sets that the control machine has
        self._queue: deque[Item] = deque()
        self._first = 0  # the number of the queue's first item
        self._commands: deque[Mapping[str, Any]] = deque()
        self._num_commands = self._num_submitted = 0
        self._changed = threading.Condition()
        self._asked_at = time.monotonic()
        self._wait_seconds = min(_WAIT_SECONDS, descriptor["heartbeat_seconds"] / 4)
        self._is_closed = False
        self._state = {"free": 0, "lanes": 0, "applied": 0}
        self._error = ""
        self._logs_at = 0.0
        self._awaits_go = False  # the control process will say `go`, for it was told something or gave something
        worker = {"threads": descriptor["threads"], "lanes": descriptor["lanes"]}
        self._local = _Worker(workers=1, **worker, heartbeat_seconds=descriptor["worker_seconds"])

    # -- calls of the bridge ----------------------------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """Where it is and what it runs."""
        shares = self._places.shared is not None
        return {"host": socket.gethostname(), "auth_mode": self._auth_mode, "versions": versions(), "shares": shares}

    def begin(self) -> None:
        """The user's components are here: start the worker."""
        threading.Thread(target=self._work, name="slot", daemon=True).start()

    def missing(self, contents: list[str]) -> dict[str, int]:
        self._asked_at = time.monotonic()
        return self._objects.missing(contents)

    def in_place(self, files: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Those of the control machine's files that need not come, for they lie here under the same names."""
        facts = {name: FileFacts(**told) for name, told in files.items()}
        kept = self._objects.missing([each.content for each in facts.values()])
        return [name for name, each in facts.items() if each.content in kept and self._places.has(name, each)]

    def put(self, name: str, offset: int, data: bytes, is_last: bool) -> None:
        self._asked_at = time.monotonic()
        self._objects.put(name, offset, data, is_last=is_last)

    def lay_out(self, files: Mapping[str, str], told: Mapping[str, dict[str, str]], in_place: list[str]) -> None:
        """Put files that jobs read where they belong; those `told` are JSON that names these paths itself."""
        own = {name: content for name, content in files.items() if name not in told}
        self._objects.lay_out(own, self._tree.root, copies=False, in_place=in_place)
        for name, paths in told.items():
            value = read_json(Path(name) if name in in_place else self._objects.path(files[name]))
            write_json(self._tree.place(name), self._tree.inwards(value, paths))

    def command(self, number: int, command: Mapping[str, Any]) -> None:
        """Commands are numbered from 0 on, and each is done once."""
        with self._changed:
            if number == self._num_commands:
                self._num_commands += 1
                self._commands.append(command)

    def exchange(self, acknowledged: int) -> dict[str, Any]:
        """What is new since the item with this number; waits a little for it. At most a part's bytes at once."""
        with self._changed:
            self._asked_at = time.monotonic()
            while self._queue and self._first < acknowledged:
                self._forget(self._queue.popleft())
                self._first += 1
            self._changed.wait_for(lambda: self._queue or self._is_closed, timeout=self._wait_seconds)
            items, size = [], 0
            for item in self._queue:
                items.append(Outgoing.loaded(item))
                size += len(items[-1].get("data", b""))
                if size >= PART_BYTES:
                    break
            is_over = self._is_closed and not self._queue
            if is_over:
                self._folder.remove()
            more = {"is_over": is_over, "error": self._error}
            return {"first": self._first, "items": items, **self._state, **more}

    def _forget(self, item: Item) -> None:
        """Once the control side has it: the folders of an attempt that is over."""
        if item["kind"] == "message" and item["message"]["type"] in _OVER and item["attempt"]:
            shutil.rmtree(self._folder.path / item["attempt"], ignore_errors=True)

    # -- its own thread ---------------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._local.open(self._context())
            while not self._is_closed:
                self._obey()
                if not self._awaits_go:
                    self._local.go()
                messages = [] if self._is_closed else self._local.poll(_TURN_SECONDS)
                self._tell(messages)
                self._tell_logs()
                if time.monotonic() - self._asked_at > 2 * self._descriptor["heartbeat_seconds"]:
                    self._local.close(kill=True)
                    self._folder.remove()
                    os._exit(1)
        except BaseException as error:  # noqa: BLE001 - told by the next exchange, for it would end with this thread
            self._error = f"{type(error).__name__}: {error}"
            self._local.close(kill=True)
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _context(self) -> ExecutorContext:
        given = self._descriptor["context"]
        return ExecutorContext(
            log_folder=self._folder.path / "logs",
            python_path=[self._tree.place(folder) for folder in given["python_path"]],
            allowed_packages=given["allowed_packages"],
            engine=given["engine"],
        )

    def _obey(self) -> None:
        while self._commands and not self._is_closed:
            command = self._commands.popleft()
            if command["kind"] == "submit":
                self._submit(command)
            elif command["kind"] == "reply":
                if command["attempt"] == self._jobs.get(command["job"], ("", None))[0]:
                    self._local.reply(command["job"], command["message"])
            elif command["kind"] == "go":
                self._awaits_go = False
            elif command["kind"] == "lanes":
                self._local.use_lanes(command["lanes"])
            else:
                self._close()

    def _submit(self, command: Mapping[str, Any]) -> None:
        """An attempt has folders of its own: one that was cut off on this node may still write into its."""
        job, outputs = command["job"], command["outputs"]
        own = Tree(str(self._folder.path / command["attempt"]), (self._tree.root,), command["addresses"])
        for folder in outputs:
            own.place(folder).parent.mkdir(parents=True, exist_ok=True)
        self._objects.lay_out(command["copied"], own.root, copies=True, in_place=command["in_place"])
        outgoing = Outgoing(outputs, own, self._handover(command["attempt"]))
        outgoing.note()
        self._jobs[job["job"]] = (command["attempt"], outgoing)
        self._known.update(command["known"])
        self._num_submitted += 1
        self._awaits_go = True
        shared = {text: path for text, path in command["paths"].items() if text not in outputs}
        job = own.inwards(self._tree.inwards(job, shared), {folder: folder for folder in outputs})
        self._local.submit({**job, "root": self._tree.root})

    def _handover(self, attempt: str) -> Path | None:
        return None if self._places.shared is None else self._places.shared / attempt

    def _tell(self, messages: list[Mapping[str, Any]]) -> None:
        items: list[Item] = []
        for left, message in enumerate(messages, 1 - len(messages)):
            name = message.get("job")
            attempt, outgoing = self._jobs.get(str(name), ("", None))
            if outgoing is not None and message["type"] != "log":
                items += outgoing.items()
                if message["type"] == "ended" and "result" in message:
                    items += self._made_elsewhere(message["result"], attempt)
            told = (self._tree if outgoing is None else outgoing.tree).outwards(message)
            items.append({"kind": "message", "attempt": attempt, "message": told, "is_last": not left})
            if message["type"] in _OVER:
                self._jobs.pop(str(name), None)
        self._awaits_go |= bool(messages)
        local = self._local
        state = {"free": local.num_free, "lanes": local.num_slots, "applied": self._num_submitted}
        if items or state != self._state:
            self._queue_up(items or [{"kind": "state"}], state)

    def _tell_logs(self) -> None:
        """So that a trial can be read that hangs between two rungs, or whose node dies there."""
        now = time.monotonic()
        if now - self._logs_at < _LOG_SECONDS:
            return
        self._logs_at = now
        if items := [item for _, outgoing in self._jobs.values() for item in outgoing.log_items()]:
            self._queue_up(items, self._state)

    def _queue_up(self, items: list[Item], state: dict[str, int]) -> None:
        with self._changed:
            self._state = state
            self._queue += items
            self._changed.notify_all()

    def _made_elsewhere(self, result: Mapping[str, Any], attempt: str) -> list[Item]:
        """Prepared sets: the control side reads them, too, and other nodes get them."""
        folders = [folder.removeprefix(self._tree.root) for folder in result.get("made", ())]
        new = [folder for folder in folders if Path(folder).name not in self._known]
        self._known.update(Path(folder).name for folder in new)
        return list(Outgoing(new, self._tree, self._handover(attempt)).items())

    def _close(self) -> None:
        """Have the worker checkpoint, and bring what it wrote; jobs under way are not told of."""
        self._local.close()
        items = [item for _, outgoing in self._jobs.values() for item in outgoing.items()]
        with self._changed:
            self._state |= {"free": 0, "lanes": 0}
            self._queue += items
            self._is_closed = True
            self._changed.notify_all()
