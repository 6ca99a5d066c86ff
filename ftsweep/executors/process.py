"""One worker process: started in its own process group, spoken to in JSON lines, ended with all its children."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ftsweep.executors.base import Message
from ftsweep.redaction import without_secrets

_LOGGER = logging.getLogger(__name__)
_CHUNK_BYTES = 1 << 18
_CHUNKS_PER_TURN = 16  # so that one talkative worker does not keep others from being heard
_TAIL_BYTES = 32_768


class WorkerProcess:
    """A child process and the two pipes to it. Nothing here waits, except `end`."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str], log_file: Path) -> None:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        self.log_file = log_file
        with log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=dict(environment),
                start_new_session=True,
                bufsize=0,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.stdin = self._process.stdin
        self.stdout = self._process.stdout
        os.set_blocking(self.stdin.fileno(), False)
        os.set_blocking(self.stdout.fileno(), False)
        self._unsent = bytearray()
        self._torn: list[bytes] = []  # pieces of a line whose end has not come
        self._is_at_end = False

    @property
    def pid(self) -> int:
        """Its process id, which is also that of its process group."""
        return self._process.pid

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent)

    @property
    def has_died(self) -> bool:
        """Whether it is over, or has closed its end; children of it may still hold the pipe open."""
        return self._is_at_end or self._process.poll() is not None

    def send(self, message: Message) -> None:
        """Queue a message and send as much as the pipe takes; `flush` sends the rest."""
        self._unsent += json.dumps(message).encode() + b"\n"
        self.flush()

    def flush(self) -> None:
        """Send what is queued, as far as the pipe takes it. What a dead worker does not take is dropped."""
        try:
            while self._unsent:
                del self._unsent[: os.write(self.stdin.fileno(), self._unsent[:_CHUNK_BYTES])]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._unsent.clear()

    def receive(self, *, everything: bool = False) -> list[Message]:
        """The whole messages that have come; of a talkative worker a part, unless `everything` is asked for."""
        lines: list[bytes] = []
        turns = 0
        while not self._is_at_end and (everything or turns < _CHUNKS_PER_TURN):
            turns += 1
            try:
                chunk = os.read(self.stdout.fileno(), _CHUNK_BYTES)
            except BlockingIOError:
                break
            self._is_at_end = not chunk
            if b"\n" not in chunk:
                self._torn.append(chunk)
                continue
            *whole, rest = b"".join([*self._torn, chunk]).split(b"\n")
            lines += whole
            self._torn = [rest]
        return self._parsed(lines)

    def _parsed(self, lines: Sequence[bytes]) -> list[Message]:
        """The messages up to the first line that is none: then the worker is broken, and taken for dead."""
        messages: list[Message] = []
        for line in lines:
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                message = None
            if not isinstance(message, dict) or not isinstance(message.get("type"), str):
                _LOGGER.error("a worker said what is no message: %r", line[:200])
                self._is_at_end = True
                break
            messages.append(message)
        return messages

    def end(self) -> tuple[str, list[Message]]:
        """Kill what is left of it and its children, reap it: how it ended, and its last messages."""
        has_exited = self._process.poll() is not None
        if self._is_at_end and not has_exited:  # it closed its pipe on the way out: let it say how it ends
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=2)
                has_exited = True
        self._signal(signal.SIGKILL)
        code = self._process.wait()
        messages = self.receive(everything=True)
        self.stdin.close()
        self.stdout.close()
        return (_describe_exit(code) if has_exited else "was killed"), messages

    def log_size(self) -> int:
        """Bytes in its log now: a mark for `log_tail`."""
        return self.log_file.stat().st_size

    def log_tail(self, mark: int = 0, *, num_lines: int = 20) -> str:
        """The last lines that it wrote to its log since the mark."""
        with self.log_file.open("rb") as file:
            file.seek(max(mark, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
        return without_secrets("\n".join(text.splitlines()[-num_lines:]))

    def _signal(self, number: signal.Signals) -> None:
        # The group's id stays taken while one member lives, so it names no stranger after the leader was reaped.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


def _describe_exit(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}" + (" (somebody, or the kernel, ended it)" if name == "SIGKILL" else "")
