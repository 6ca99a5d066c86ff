"""What a recorder promises. Every call is about facts that are on disk already, so any call may be made twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftsweep.domain.component import Component
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, StoredPause
from ftsweep.store.folders import StudyFolder


class RecorderAwayError(Exception):
    """The record cannot be reached now; the same call may succeed later. Any other error is a refusal."""


@dataclass(frozen=True)
class StudyFacts:
    """What is true of a whole study before its first trial."""

    folder: StudyFolder
    objective: Objective
    config: Mapping[str, Any]
    sweep_text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    """The data set: `fingerprint`, `num_rows` (rows per split); {} when it is not known yet."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Seeds, git commit, versions; the runs of all trials carry them too."""


@dataclass(frozen=True)
class ChosenModel:
    """The winner, as it is registered."""

    number: int
    folder: Path  # the exported model: adapter or weights, tokenizer, ftsweep.json
    input_example: Sequence[Mapping[str, Any]]
    output_example: Sequence[Mapping[str, Any]]
    metrics: Mapping[str, float]  # test/<metric>, value/<split>/<metric>
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    """What whoever uses it has to know, in Markdown."""
    seed: int = 0
    """0: the trial itself; else its fresh seed."""


class Recorder(Component):
    """Keeps the record of a study somewhere people look. This one is the null recorder: it keeps nothing.

    `timestamp` (seconds since 1970) is when the thing happened, for a call that is made later; None is now.
    """

    component_kind = "recording"

    def get_ready(self, folder: StudyFolder) -> None:
        """Do beforehand what `open` will need of time and not of facts. Errors are left to `open`."""

    def open(self, facts: StudyFacts) -> None:
        """Find or make the study's place and its parent run `sweep`."""

    def is_finished(self, folder: StudyFolder) -> bool:
        """Whether the record of a finished study has arrived to its end; asked without opening it."""
        return True

    def resume(self, folder: StudyFolder) -> None:
        """For a study that is complete: send what earlier processes could not; nothing when all has arrived."""

    def begin_trial(
        self,
        proposal: Proposal,
        *,
        tags: Mapping[str, str],
        params: Mapping[str, Any],
        timestamp: float | None = None,
    ) -> None:
        """A trial starts or goes on. The baseline is proposed with number -1 and its branch."""

    def measure(self, proposal: Proposal, measurement: Measurement) -> None:
        """A rung was measured."""
        self.measure_all(proposal, [measurement])

    def measure_all(self, proposal: Proposal, measurements: Sequence[Measurement]) -> None:
        """Several rungs of one trial were measured."""

    def pause_trial(self, proposal: Proposal, pause: StoredPause, *, timestamp: float | None = None) -> None:
        """A trial that has begun waits until its pruner resumes it, which the study's end need not bring."""

    def end_trial(
        self,
        proposal: Proposal,
        outcome: Outcome,
        *,
        best: Mapping[str, float],
        tags: Mapping[str, str],
        timestamp: float | None = None,
    ) -> None:
        """A trial ended. `best` maps `<split>/<metric>` at the best rung (`value/` is added by the recorder)."""

    def has_arrived(self, proposal: Proposal) -> bool:
        """Whether the whole of an ended trial is kept already, so that nothing need be sent again."""
        return False

    def tag(
        self, tags: Mapping[str, str], *, metrics: Mapping[str, float] | None = None, timestamp: float | None = None
    ) -> None:
        """Tags and metrics of the whole study. The tag `description`, of trials too, is Markdown for people."""

    def keep_artifacts(self, files: Sequence[Path]) -> None:
        """Files and folders (the report, the sweep file) as artifacts of the whole study."""

    def register(self, model: ChosenModel) -> str | None:
        """Log and register the chosen model, alias `champion`; the model's URI, or None when nothing was kept."""
        return None

    def add_scores(self, folder: StudyFolder, number: int, metrics: Mapping[str, float]) -> None:
        """Metrics of a trial that has ended, measured later; asked without opening the study."""

    def links(self) -> Mapping[str, str]:
        """Where a person looks: label to address or command."""
        return {}

    def hurry(self, seconds: float) -> None:
        """The user wants to stop: no call waits any more, and `close` no longer than this from now on.

        What is not sent by then is on disk, and the next process sends it. May be called in a signal handler.
        """

    def close(self, *, finished: bool) -> list[str]:
        """Send what is still under way and end the parent run; what could not be sent, as sentences."""
        return []


NullRecorder = Recorder


def baseline_ending(metrics: Mapping[str, float]) -> tuple[Outcome, dict[str, float]]:
    """How the run of an untouched base ends, and its values by `<split>/<metric>`; metrics: by name, on validation."""
    outcome = Outcome(OutcomeKind.COMPLETE, "the untouched base, or the prior of a new head")
    return outcome, {f"validation/{name}": value for name, value in metrics.items()}


def run_name(proposal: Proposal) -> str:
    """The name of a proposal's run: `trial-0007`, `seed-2-of-trial-0007`, `baseline-lora`."""
    if proposal.number < 0:
        return f"baseline-{proposal.branch or 'main'}"
    return (f"seed-{proposal.seed}-of-" if proposal.seed else "") + f"trial-{proposal.number:04d}"
