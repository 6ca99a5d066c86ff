"""Where trials run. The control process hands out jobs and reads messages; it never sees a model.

Messages are JSON dictionaries; `ftsweep.domain.messages` has a type for each kind, docs/contracts.md their meaning.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ftsweep.domain.component import Component
from ftsweep.domain.messages import Answer, Message
from ftsweep.executors.lanes import Lanes
from ftsweep.executors.sharing import Sharing

Outbox = Callable[[Message], None]
"""Takes what a worker has to say."""


class InlineWorker(Protocol):
    """A worker in the control process, as `ftsweep.worker.process.Worker` is."""

    @property
    def is_finished(self) -> bool: ...
    def announce(self) -> None: ...
    def handle(self, message: Message) -> None: ...
    def advance(self) -> bool: ...


@dataclass(frozen=True)
class ExecutorContext:
    """What an executor must know before its first job."""

    log_folder: Path
    """Where workers write what belongs to no trial."""
    python_path: Sequence[Path] = ()
    """Folders of user components, put on each worker's import path."""
    allowed_packages: Sequence[str] = ()
    holder: str = ""
    """Who uses the devices, for the message that another study gets; "" holds none, as `ftsweep plan` does."""
    engine: str = "ftsweep.worker.engine:Engine"
    """What trains inside a worker process, as `module:attribute`; the module is of ftsweep or an allowed package."""
    make_inline_worker: Callable[..., InlineWorker] | None = field(default=None, repr=False)
    """Builds a worker in this process around an outbox and a number of threads, with `lanes` where there are to be
    several; only the inline executor uses it."""


class Executor(Component, ABC):
    """Runs jobs on workers. Constructor: keyword-only, the schema of the `executor` node; it starts nothing.

    All calls come from one thread. Messages arrive as JSON would carry them (no tuples, text keys), and every one that
    comes from a worker carries `worker`, its name ("gpu 0", "cpu 1"); those of one worker keep their order.
    """

    component_kind = "executor"

    lanes: Lanes = 1
    """The setting of that name; `auto` is to be measured, and told with `use_lanes`."""
    num_lanes: int = 1
    """How many trials each worker has under way at once, as far as is known now."""

    @abstractmethod
    def open(self, context: ExecutorContext) -> None:
        """Start workers. Returns at once; `ready` messages arrive through `poll`."""

    @property
    def thread_counts(self) -> Sequence[int]:
        """Numbers of threads of a worker to be timed before the first trial; empty: nothing is left to choose."""
        return ()

    def choose(self, step_seconds: Mapping[int, float], worker_gib: float) -> Sharing:
        """How workers share the cores, by the seconds of a step with these numbers of threads and a worker's memory."""
        raise NotImplementedError(f"{type(self).__name__} offers no numbers of threads")

    def settle(self, sharing: Sharing) -> None:
        """Share the cores so from now on. No job is under way; a study that goes on calls it before `open`."""
        raise NotImplementedError(f"{type(self).__name__} offers no numbers of threads")

    @property
    @abstractmethod
    def num_slots(self) -> int:
        """How many jobs may be under way at once (workers x lanes), as far as is known now."""

    @property
    @abstractmethod
    def num_free(self) -> int:
        """How many more jobs `submit` takes now: free lanes of ready workers, 0 before the first `ready`."""

    def use_lanes(self, lanes: int) -> None:
        """Have every worker, those that come later too, run so many trials at once. No job is under way."""
        raise NotImplementedError(f"{type(self).__name__} has one lane")

    @abstractmethod
    def submit(self, job: Message) -> None:
        """Give a job (`prepare`, `train`, `baseline`, `test`, ...) to a free worker. `job["job"]` names it.

        Raises:
            RuntimeError: no worker is free, or a job of this name is under way: the caller's mistake.
        """

    @abstractmethod
    def reply(self, job: str, message: Answer) -> None:
        """Send an answer to the worker that runs this job. A job that has ended meanwhile is no error."""

    @abstractmethod
    def poll(self, timeout_seconds: float) -> list[Message]:
        """Messages that have arrived, waiting for the first at most this long.

        To call it says that all that was returned before has been answered, and free lanes were given what there is:
        a worker of several lanes takes its next turn only then.

        Beside what workers send: `lost` (job, reason, log_tail) when the worker of a job died or went silent; the
        worker is already being replaced. A job whose `ended`, `failed` or `lost` was returned is over: its lane is
        free again, and nothing more comes of it. The files that a message speaks of are on this machine's disk.

        Raises:
            StudyError: no worker can be brought to life.
            ConfigError: there is no place for one as asked.
        """

    @abstractmethod
    def close(self, *, kill: bool = False) -> None:
        """End every worker and all its children. Without `kill` each may first finish its step and checkpoint.

        Jobs under way are not reported as lost. Closing twice does nothing.
        """
