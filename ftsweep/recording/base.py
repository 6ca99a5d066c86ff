"""What a recorder promises. Every call is about facts that are on disk already, so any call may be made twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Outcome, Proposal
from ftsweep.workspace import StudyFolder


@dataclass(frozen=True)
class StudyFacts:
    """What is true of a whole study before its first trial."""

    folder: StudyFolder
    objective: Objective
    config: Mapping[str, Any]
    sweep_text: str
    data: Mapping[str, Any] = field(default_factory=dict)  # fingerprint, rows per split, source
    tags: Mapping[str, str] = field(default_factory=dict)  # seeds, git commit, versions


@dataclass(frozen=True)
class ChosenModel:
    """The winner, as it is registered."""

    number: int
    folder: Path  # the exported model: adapter or weights, tokenizer, ftsweep.json
    input_example: Sequence[Mapping[str, Any]]
    output_example: Sequence[Mapping[str, Any]]
    metrics: Mapping[str, float]  # test/<metric>, best/<split>/<metric>
    tags: Mapping[str, str] = field(default_factory=dict)


class Recorder:
    """Keeps the record of a study somewhere people look. This one is the null recorder: it keeps nothing."""

    def open(self, facts: StudyFacts) -> None:
        """Find or make the study's place and its parent run `sweep`."""

    def begin_trial(self, proposal: Proposal, *, tags: Mapping[str, str], params: Mapping[str, Any]) -> None:
        """A trial starts or goes on. The baseline is proposed with number -1 and its branch."""

    def measure(self, proposal: Proposal, measurement: Measurement) -> None:
        """A rung was measured."""

    def end_trial(
        self, proposal: Proposal, outcome: Outcome, *, best: Mapping[str, float], tags: Mapping[str, str]
    ) -> None:
        """A trial ended. `best` maps `<split>/<metric>` at the best rung (`best/` is added by the recorder)."""

    def tag(self, tags: Mapping[str, str], *, metrics: Mapping[str, float] | None = None) -> None:
        """Tags and metrics of the whole study."""

    def keep_artifacts(self, files: Sequence[Path]) -> None:
        """Files (the report, the sweep file) as artifacts of the whole study."""

    def register(self, model: ChosenModel) -> str | None:
        """Log and register the chosen model, alias `champion`; the model's URI, or None when nothing was kept."""
        return None

    def links(self) -> Mapping[str, str]:
        """Where a person looks: label to address or command."""
        return {}

    def close(self, *, finished: bool, timeout_seconds: float = 60) -> list[str]:
        """Send what is still under way and end the parent run; what could not be sent, as sentences."""
        return []


NullRecorder = Recorder
