"""The worker's end of the two pipes: JSON lines in on standard input, out on standard output."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import NoReturn

from ftsweep.domain.messages import Heartbeat
from ftsweep.executors.base import Message


class WorkerPipes:
    """Standard input and output, taken away from whatever else reads or prints in this process.

    Prints go to standard error from now on, and reads find nothing.
    """

    def __init__(self) -> None:
        self.inbox: SimpleQueue[Message] = SimpleQueue()  # its put may be called in a signal handler
        self._lock = threading.Lock()
        self._input, self._output = os.dup(0), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)

    def start(self, *, heartbeat_seconds: float, count_steps: Callable[[], int]) -> None:
        """Read, and send heartbeats, from now on."""
        beat = threading.Thread(target=self._beat, args=(heartbeat_seconds, count_steps), name="beat", daemon=True)
        for thread in (threading.Thread(target=self._read, name="read", daemon=True), beat):
            thread.start()

    def write(self, message: Message) -> None:
        """Send a line, from any thread. When the control process is gone, this one ends."""
        line = memoryview(json.dumps(message).encode() + b"\n")
        with self._lock:
            try:
                while line:
                    line = line[os.write(self._output, line) :]
            except BrokenPipeError:
                _end_group()

    def take(self, *, wait: bool) -> list[Message]:
        """What has come; with `wait` at least one message."""
        messages = [self.inbox.get()] if wait else []
        try:
            while True:
                messages.append(self.inbox.get_nowait())
        except Empty:
            return messages

    def _read(self) -> None:
        """Put what comes into the inbox; at end-of-file the control process is gone, so end at once."""
        torn: list[bytes] = []
        try:
            while chunk := os.read(self._input, 1 << 16):
                if b"\n" not in chunk:
                    torn.append(chunk)
                    continue
                *whole, rest = b"".join([*torn, chunk]).split(b"\n")
                torn = [rest]
                for line in whole:
                    self.inbox.put(json.loads(line))
        finally:
            _end_group()

    def _beat(self, interval_seconds: float, count_steps: Callable[[], int]) -> None:
        pause = threading.Event()
        while not pause.wait(interval_seconds):
            self.write(Heartbeat(type="heartbeat", process=os.getpid(), steps=count_steps()))


def _end_group() -> NoReturn:
    """End this process now, and its children when it leads their group."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)
