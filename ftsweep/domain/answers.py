"""The two answers to a search as a study's result keeps them: which model to deploy, which setting to train again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from statistics import stdev
from typing import Any


def model_name(number: int, seed: int = 0) -> str:
    """A model among those that were measured on test: `trial-0007`, or `trial-0007-2` of its fresh seed 2."""
    return f"trial-{number:04d}" + (f"-{seed}" if seed else "")


def model_label(number: int, seed: int = 0) -> str:
    """The same for a table: `trial 7`, or with the fresh seed that it was trained with `trial 7, fresh seed 2`."""
    return f"trial {number}" + (f", fresh seed {seed}" if seed else "")


@dataclass(frozen=True)
class Lead:
    """How much better one thing is than another, above 0 where it is, in the objective's unit."""

    value: float
    standard_error: float | None
    """None: nothing is known of the seeds."""
    is_sure: bool
    """Whether chance does not make so much."""
    margin: float | None = None
    """What a lead must exceed to be sure; with few seeds several standard errors. None like `standard_error`."""


@dataclass(frozen=True)
class Model:
    """The weights that are handed over: a trial's own, or those of its setting with a fresh seed."""

    number: int
    """Of the trial whose setting it has."""
    value: float
    """The objective at its best rung."""
    rung: int
    reason: str
    """Why it was chosen, as a sentence."""
    seed: int = 0
    """0: the search's own run; 1, 2, ...: a fresh seed."""
    optimism: float = 0.0
    """How much better `value` looks than it is, for being the best of `num_models` on the same rows."""
    corrected: float | None = None
    """`value` without that; None where the rows do not tell."""
    num_models: int = 1
    over_default: Lead | None = None
    """Over the default setting's model of the search; None for that setting's own, and where it was no contender."""
    values: Mapping[str, float] = field(default_factory=dict)
    """All metrics at that rung, by `<split>/<metric>`."""

    @property
    def name(self) -> str:
        """As `model_name` spells it."""
        return model_name(self.number, self.seed)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Model:
        return cls(**{**data, "over_default": _lead(data.get("over_default"))})


@dataclass(frozen=True)
class RacedSetting:
    """A setting that was run again. `seeds` are its fresh runs' values; None: stopped, failed, or above a limit."""

    number: int
    value: float
    """The search's own, by which it came among the best: too good on average."""
    seeds: tuple[float | None, ...] = ()
    mean: float | None = None
    """Over the fresh seeds; None when one scored nothing: a setting that works with some seeds only is not chosen."""
    standard_error: float | None = None
    """Of the mean, seeds and rows together; None where no setting has two fresh seeds."""
    is_default: bool = False
    """Whether it is the setting as written in the sweep file, which the others are held against."""
    behind: Lead | None = None
    """The best mean's lead over this one; None for the best."""
    over_default: Lead | None = None
    standing: str = "alone"
    """Against the default, on average over seeds: `better` for sure, `no better`, `undecided`; `alone` without one."""

    @property
    def spread(self) -> float | None:
        """Standard deviation over the fresh seeds."""
        values = [value for value in self.seeds if value is not None]
        return stdev(values) if len(values) > 1 else None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RacedSetting:
        leads = {name: _lead(data.get(name)) for name in ("behind", "over_default")}
        return cls(**{**data, **leads, "seeds": tuple(data["seeds"])})


@dataclass(frozen=True)
class Setting:
    """The setting to train again, and the race that tells."""

    number: int
    reason: str
    """Why it was chosen, as a sentence."""
    contenders: tuple[RacedSetting, ...]
    """The best mean first, those without one last."""
    spread: float | None = None
    """Standard deviation of a setting's true value over seeds, pooled over contenders; None: no setting has two."""
    ended: str = ""
    """Why the race was over, as a clause."""
    train_seconds: float = 0.0
    """Of all fresh runs."""
    share: float = 0.0
    """What they cost of what the search cost, as `selection.budget` counts it: in tokens where one branch trained."""

    @property
    def num_runs(self) -> int:
        """Fresh runs that were made."""
        return sum(len(each.seeds) for each in self.contenders)

    def of(self, number: int) -> RacedSetting | None:
        """A contender by its number; None when it has no fresh run."""
        return next((each for each in self.contenders if each.number == number), None)

    @property
    def chosen(self) -> RacedSetting:
        return next(each for each in self.contenders if each.number == self.number)

    def to_dict(self) -> dict[str, Any]:
        """JSON for the study's result."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Setting:
        return cls(**{**data, "contenders": tuple(map(RacedSetting.from_dict, data["contenders"]))})


def _lead(data: Mapping[str, Any] | None) -> Lead | None:
    return None if data is None else Lead(**data)
