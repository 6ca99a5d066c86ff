"""What a study came to: the chosen trial, the evidence for it, and everything measured to tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ftsweep.domain.approach import Approach
from ftsweep.domain.confirmed import Candidate, Choice
from ftsweep.domain.data_scaling import DataScaling
from ftsweep.domain.forgetting import ForgettingResult
from ftsweep.domain.scores import Flagged, Interval, read_flagged, read_intervals

BASELINE = "baseline"
"""The winner's untouched base among models; another branch's is `baseline-<branch>`."""


def model_name(number: int) -> str:
    """A trial among the models that were measured on test: `trial-0007`."""
    return f"trial-{number:04d}"


@dataclass(frozen=True)
class Winner:
    """The chosen trial with its best rung, and why it was chosen in one sentence."""

    number: int
    value: float
    rung: int
    reason: str


@dataclass(frozen=True)
class StudyResult:
    """What a study came to. `winner` is None when no trial can be chosen; then `sentence` says why.

    Models are named as `model_name` and `BASELINE` say; metrics of a split without it (`macro_f1`).
    """

    sentence: str
    winner: Winner | None = None
    test: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Scores on the test split by model and metric; {} without a test split."""
    intervals: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    """Of scores on test, by model and metric."""
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By model: what its scores on test are made of, as its task says; a task's own business, hence JSON."""
    evidence: Choice | None = None
    """How the winner was confirmed with fresh seeds; None: it was not."""
    flagged: Flagged = field(default_factory=dict)
    quantity: DataScaling | None = None
    """Whether more data would help; None: that was not asked."""
    forgetting: ForgettingResult | None = None
    """None where forgetting was not measured."""
    baseline: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Validation metrics of the untouched bases by branch label."""
    data: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By branch label: the answer to its `prepare` job."""
    importances: Mapping[str, float] = field(default_factory=dict)
    registered: str | None = None
    """The registered model's URI."""
    note: str = ""
    """Why the study ended before its number of trials, if it did."""
    test_looks: int = 0
    """How many conclusions measured models on test; with more than one the test scores are too good."""
    approaches: tuple[Approach, ...] = ()
    """With branches: whole approaches, the cheapest first."""
    advice: str = ""
    """With branches: which to use, and what a cheaper one costs."""
    num_trials: int = 0
    """That the study had when this was concluded; 0: its space has changed since, and this is about other trials."""

    @property
    def number(self) -> int | None:
        """The winner's number."""
        return None if self.winner is None else self.winner.number

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The settings that were run again with fresh seeds, the best mean first."""
        return () if self.evidence is None else self.evidence.candidates

    @property
    def winner_test(self) -> Mapping[str, float]:
        """The winner's scores on test; {} without any."""
        return {} if self.number is None else self.test.get(model_name(self.number), {})

    def to_dict(self) -> dict[str, Any]:
        """JSON: an optional part that is not there is {}, a winner that is not there null."""
        parts = {"evidence": self.evidence, "quantity": self.quantity, "forgetting": self.forgetting}
        return {
            **asdict(self),
            **{name: part.to_dict() if part else {} for name, part in parts.items()},
            "approaches": [approach.to_dict() for approach in self.approaches],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> StudyResult:
        """What `to_dict` made; a part that is missing is one that this study does not have."""
        readers: dict[str, Callable[[Any], Any]] = {
            "evidence": Choice.from_dict,
            "quantity": DataScaling.from_dict,
            "forgetting": ForgettingResult.from_dict,
            "winner": lambda winner: Winner(**winner),
        }
        parts = {name: read(data[name]) if data.get(name) else None for name, read in readers.items()}
        intervals = data.get("intervals", {})
        return cls(
            **{
                **data,
                **parts,
                "intervals": {model: read_intervals(found) for model, found in intervals.items()},
                "flagged": read_flagged(data.get("flagged", {})),
                "approaches": tuple(map(Approach.from_dict, data.get("approaches", ()))),
            }
        )
