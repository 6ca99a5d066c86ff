"""Messages between the control process and its workers: one type per kind. docs/contracts.md says what each means.

Annotations are evaluated here: of strings Python 3.11 does not tell which keys may be left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict

Message = Mapping[str, Any]
"""A message of any kind, as JSON carries it: `type` tells which of the types below it is."""


class Job(TypedDict):
    """What every job has. `job` is its name; folders are absolute paths; `spec` is as in a trial's spec.json. On a node
    also `root`, below which the study's paths are, and `sources`, what its data and models were."""

    job: str
    folder: str
    cache: str
    spec: Mapping[str, Any]
    root: NotRequired[str]
    sources: NotRequired[Mapping[str, str]]


# -- control to worker ------------------------------------------------------------------------------------------------


class Prepare(Job):
    type: Literal["prepare"]
    tasks: Sequence[Mapping[str, Any]]
    strategies: Sequence[Mapping[str, Any]]


class Train(Job):
    type: Literal["train"]


class Baseline(Job):
    type: Literal["baseline"]


class Estimate(Job):
    type: Literal["estimate"]


class RateLanes(Job):
    type: Literal["rate_lanes"]
    most: int


class Threads(Job):
    type: Literal["threads"]
    counts: Sequence[int]


class Test(Job):
    type: Literal["test"]


class Export(Job):
    type: Literal["export"]
    destination: str
    scale: NotRequired[float]


class Flagged(Job):
    type: Literal["flagged"]
    rung: int


class Compare(Job):
    type: Literal["compare"]
    left: Sequence[Sequence[Any]]
    right: Sequence[Sequence[Any]]
    metric: str


class Resample(Job):
    type: Literal["resample"]
    rung: int
    metric: str


class Scale(Job):
    type: Literal["scale"]


class Continue(TypedDict):
    type: Literal["continue"]
    job: str


class Stop(TypedDict):
    type: Literal["stop"]
    job: str
    kind: str
    reason: str


class Pause(TypedDict):
    type: Literal["pause"]
    job: str


class Quit(TypedDict):
    type: Literal["quit"]


class Go(TypedDict):
    type: Literal["go"]


class Lanes(TypedDict):
    type: Literal["lanes"]
    lanes: int


Answer = Continue | Stop | Pause
"""What a trial under way is told."""

SingleJob = Prepare | Baseline | Estimate | RateLanes | Threads | Test | Export | Flagged | Compare | Resample | Scale
"""A job that is no trial: it is asked nothing and answers once."""

ToWorker = Train | SingleJob | Answer | Quit | Go | Lanes

# -- worker to control ------------------------------------------------------------------------------------------------


class Ready(TypedDict):
    type: Literal["ready"]
    device: str
    memory_gib: float
    lanes: int
    process: int


class Heartbeat(TypedDict):
    type: Literal["heartbeat"]
    process: int
    steps: int


class Spent(TypedDict):
    type: Literal["spent"]


class Measured(TypedDict):
    type: Literal["measured"]
    job: str
    measurement: Mapping[str, Any]


class Ended(TypedDict):
    type: Literal["ended"]
    job: str
    outcome: NotRequired[Mapping[str, Any] | None]
    result: NotRequired[Mapping[str, Any]]


class Failed(TypedDict):
    type: Literal["failed"]
    job: str
    kind: Literal["user", "infrastructure", "place"]
    error_class: str
    message: str
    where: str
    traceback: str


class Log(TypedDict):
    type: Literal["log"]
    job: str | None
    level: str
    text: str


class Lost(TypedDict):
    type: Literal["lost"]
    job: str
    kind: Literal["memory", "process", "node", "cluster", "place"]
    reason: str
    log_tail: str
    has_progress: NotRequired[bool]


class Turn(TypedDict):
    type: Literal["turn"]
    messages: Sequence[Mapping[str, Any]]


ToControl = Ready | Heartbeat | Spent | Measured | Ended | Failed | Log | Lost | Turn
