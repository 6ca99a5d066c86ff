"""What a study came to: the model to deploy, the setting to train again, and everything measured to tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ftsweep.domain.answers import Model, RacedSetting, Setting
from ftsweep.domain.approach import Approach
from ftsweep.domain.data_scaling import DataScaling
from ftsweep.domain.forgetting import ForgettingResult
from ftsweep.domain.scores import Flagged, Interval, read_flagged, read_intervals
from ftsweep.domain.trial import TrialRecord

BASELINE = "baseline"
"""The untouched base of the chosen model among models; another branch's is `baseline-<branch>`."""


@dataclass(frozen=True)
class StudyResult:
    """What a study came to. `model` is None when no trial can be chosen; then `sentence` says why.

    Models are named as `model_name` and `BASELINE` say; metrics of a split without it (`macro_f1`).
    """

    sentence: str
    model: Model | None = None
    setting: Setting | None = None
    """None: nothing was run again with fresh seeds, or no contender was sound with all of them."""
    test: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Scores on the test split by model and metric; {} without a test split."""
    intervals: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    """Of scores on test, by model and metric."""
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By model: what its scores on test are made of, as its task says; a task's own business, hence JSON."""
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
    importance_ranges: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Low and high end of an importance, by parameter."""
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
    unfinished: tuple[int, ...] = ()
    """Of them those that had not ended: paused, or set aside at a limit."""

    def is_about(self, records: Sequence[TrialRecord]) -> bool:
        """Whether these are the trials that it was chosen among: none was begun since, none came to its end since."""
        complete = {record.number for record in records if record.is_complete}
        return self.num_trials == len(records) and complete.isdisjoint(self.unfinished)

    @property
    def number(self) -> int | None:
        """Of the trial whose setting the model has."""
        return None if self.model is None else self.model.number

    @property
    def contenders(self) -> tuple[RacedSetting, ...]:
        """The settings that were run again with fresh seeds, the best mean first."""
        return () if self.setting is None else self.setting.contenders

    @property
    def model_test(self) -> Mapping[str, float]:
        """The model's scores on test; {} without any."""
        return {} if self.model is None else self.test.get(self.model.name, {})

    def to_dict(self) -> dict[str, Any]:
        """JSON: an optional part that is not there is {}, a model that is not there null."""
        parts = {"setting": self.setting, "quantity": self.quantity, "forgetting": self.forgetting}
        return {
            **asdict(self),
            **{name: part.to_dict() if part else {} for name, part in parts.items()},
            "approaches": [approach.to_dict() for approach in self.approaches],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> StudyResult:
        """What `to_dict` made; a part that is missing is one that this study does not have."""
        readers: dict[str, Callable[[Any], Any]] = {
            "setting": Setting.from_dict,
            "quantity": DataScaling.from_dict,
            "forgetting": ForgettingResult.from_dict,
            "model": Model.from_dict,
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
                "unfinished": tuple(map(int, data.get("unfinished", ()))),
            }
        )


def unfinished(records: Iterable[TrialRecord]) -> tuple[int, ...]:
    """The numbers of trials that have not ended."""
    return tuple(record.number for record in records if record.outcome is None)
