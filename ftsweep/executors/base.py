"""Where trials run. The control process hands out jobs and reads messages; it never sees a model.

Messages are JSON dictionaries with `type` and, all but `ready`, `job`; docs/contracts.md lists them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Message = dict[str, Any]


@dataclass(frozen=True)
class ExecutorContext:
    """What an executor must know before its first job."""

    log_folder: Path
    """Where workers write what belongs to no trial."""
    python_path: Sequence[Path] = ()
    """Folders of user components, put on each worker's import path."""
    allowed_packages: Sequence[str] = ()
    make_inline_worker: Callable[[Callable[[Message], None]], Any] | None = field(default=None, repr=False)
    """Builds a worker in this process around an outbox; only the inline executor uses it."""


class Executor(ABC):
    """Runs jobs on workers. Constructor: keyword-only, the schema of the `executor` node; it starts nothing."""

    @abstractmethod
    def open(self, context: ExecutorContext) -> None:
        """Start workers. Returns at once; `ready` messages arrive through `poll`."""

    @property
    @abstractmethod
    def num_slots(self) -> int:
        """How many jobs may be under way at once (workers x lanes), as far as is known now."""

    @property
    @abstractmethod
    def num_free(self) -> int:
        """How many more jobs `submit` takes now."""

    @abstractmethod
    def submit(self, job: Message) -> None:
        """Give a job (`prepare`, `train`, `baseline`, `test`, `predict`) to a free worker. `job["job"]` names it."""

    @abstractmethod
    def reply(self, job: str, message: Message) -> None:
        """Send `continue` or `stop` to the worker that runs this job. A job that has ended meanwhile is no error."""

    @abstractmethod
    def poll(self, timeout_seconds: float) -> list[Message]:
        """Messages that have arrived, waiting for the first at most this long.

        Beside what workers send: `lost` (job, reason, log_tail) when the worker of a job died or went silent; the
        worker is already being replaced.
        """

    @abstractmethod
    def close(self, *, kill: bool = False) -> None:
        """End every worker and all its children. Without `kill` each may first finish its step and checkpoint."""

    def describe(self) -> Mapping[str, Any]:
        """What is known of the workers (device, memory), for `doctor` and the reports."""
        return {}
