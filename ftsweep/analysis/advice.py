"""Which approach to use, and what a cheaper one would cost in quality, in words. Pure functions of the comparison."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftsweep.analysis.comparison import cost
from ftsweep.domain.approach import Approach
from ftsweep.domain.metric import Metric, readable
from ftsweep.domain.objective import Objective
from ftsweep.domain.spelling import number

MAX_ALTERNATIVES = 3


@dataclass(frozen=True)
class Yardstick:
    """The metric and split in which the advice speaks. The choice itself is by the objective on validation."""

    metric: str
    split: str
    is_maximized: bool
    is_share: bool
    """Of right answers, so that the number of rows tells its standard error, roughly."""
    num_rows: int | None
    """Of the split, those of one group as one; None where it is not known."""
    unit: str
    """What these are: rows, or groups."""

    def score(self, approach: Approach) -> float | None:
        return (approach.test if self.split == "test" else approach.validation).get(self.metric)

    def loss_of(self, approach: Approach, winner: Approach) -> float | None:
        """How much worse than the winner; negative when it is better."""
        ours, best = self.score(approach), self.score(winner)
        if ours is None or best is None:
            return None
        return best - ours if self.is_maximized else ours - best

    def error_of(self, approach: Approach, winner: Approach) -> float | None:
        """One standard error of the difference, as if the two erred independently of each other; None if unknown.

        Both were measured on the same rows, so the true one is mostly smaller.
        """
        errors = [each.errors.get(self.metric) for each in (approach, winner)]
        if self.split == "test" and None not in errors:
            return math.hypot(*(error for error in errors if error is not None))
        scores = [self.score(approach), self.score(winner)]
        if not self.is_share or not self.num_rows or any(score is None or not 0 <= score <= 1 for score in scores):
            return None
        return math.sqrt(sum(score * (1 - score) for score in scores if score is not None) / self.num_rows)

    def is_noise(self, approach: Approach, winner: Approach) -> bool:
        """Whether the difference is smaller than one standard error."""
        loss, error = self.loss_of(approach, winner), self.error_of(approach, winner)
        return loss is not None and error is not None and abs(loss) < error


def shown_metric(scores: Mapping[str, float], objective: Objective) -> str:
    """The metric that a person is told: the objective's, but a readable one instead of the loss."""
    if objective.metric != "loss":
        return objective.metric
    return readable(objective.metrics, scores) or objective.metric


def rows_apart(data: Mapping[str, Any]) -> tuple[Mapping[str, int], str]:
    """By split how many rows of a branch's data tell something of their own, and what these are: rows, or groups."""
    groups = data.get("num_groups")
    return (groups, "groups") if groups else (data.get("num_rows", {}), "rows")


def advise(approaches: Sequence[Approach], objective: Objective, *, winner: int, data: Mapping[str, Any]) -> str:
    """What to use, what the next cheaper approaches would cost in quality, and whether training is needed at all.

    winner: the best trial's number, which is among the approaches. data: a branch's answer to `prepare`.
    """
    best = next(approach for approach in approaches if approach.trial == winner)
    yardstick = _yardstick(best, objective, data)
    others = [a for a in approaches if a is not best and a.has_score and a.is_comparable]
    score = yardstick.score(best)
    how = ", which trains nothing" if best.trains_nothing else ""
    parts = [f"Use {best.name}{how}: {yardstick.metric} {number(score)} on {yardstick.split}."]
    named = _worth_naming(others, best, objective)
    cheaper = "; ".join(_alternative(approach, best, yardstick) for approach in named)
    parts.append(f"Cheaper: {cheaper}." if cheaper else "No other approach is cheaper.")
    parts += _need(others, best, objective, yardstick, named)
    parts += [f"{a.name} has no complete trial ({a.fate})." for a in approaches if not a.has_score]
    parts += [f"{a.name} was measured on other data and is not compared." for a in approaches if not a.is_comparable]
    return " ".join(parts)


def _yardstick(best: Approach, objective: Objective, data: Mapping[str, Any]) -> Yardstick:
    split = "test" if best.test else "validation"
    metric = shown_metric(best.test or best.validation, objective)
    known = objective.metrics.get(metric, Metric(objective.direction))
    num_rows, unit = rows_apart(data)
    return Yardstick(metric, split, known.direction == "maximize", known.is_share, num_rows.get(split), unit)


def _worth_naming(others: Sequence[Approach], best: Approach, objective: Objective) -> list[Approach]:
    """The branches that save time or parameters, the best first; not those that another one beats in everything."""
    found = []
    for one in others:
        is_saving = any(ours < theirs for ours, theirs in zip(_costs(one), _costs(best), strict=True))
        if one.is_base or not is_saving or _value(one, objective) is None:
            continue
        if not any(_dominates(other, one, objective) for other in [*others, best] if not other.is_base):
            found.append(one)
    return sorted(found, key=lambda one: -_quality(one, objective))[:MAX_ALTERNATIVES]


def _dominates(one: Approach, other: Approach, objective: Objective) -> bool:
    """Whether `one` is at least as good as `other` and no more costly, and better in some way."""
    ours = (-_quality(one, objective), *_costs(one))
    theirs = (-_quality(other, objective), *_costs(other))
    return ours != theirs and all(a <= b for a, b in zip(ours, theirs, strict=True))


def _costs(approach: Approach) -> tuple[float, float]:
    return cost(approach)[:2]


def _value(approach: Approach, objective: Objective) -> float | None:
    return approach.validation.get(objective.metric)


def _quality(approach: Approach, objective: Objective) -> float:
    """The objective on validation, turned so that higher is better."""
    value = _value(approach, objective)
    if value is None:
        return -math.inf
    return value if objective.direction == "maximize" else -value


def _alternative(approach: Approach, best: Approach, yardstick: Yardstick) -> str:
    return f"{approach.name} {_price(approach, best, yardstick)} and {_saving(approach, best)}"


def _price(approach: Approach, best: Approach, yardstick: Yardstick) -> str:
    """What an approach costs in quality, and whether that can be told from chance."""
    loss = yardstick.loss_of(approach, best)
    if loss is None:
        return f"has no {yardstick.metric} on {yardstick.split}"
    if loss > 0:
        text = f"costs {number(loss, digits=2)} of {yardstick.metric}"
    else:
        text = f"is {number(-loss, digits=2)} better on {yardstick.split}" if loss else f"is equal on {yardstick.split}"
    if yardstick.is_noise(approach, best):
        error = yardstick.error_of(approach, best)
        text += f" (less than one standard error, {number(error, digits=2)} on {yardstick.num_rows} {yardstick.unit})"
    return text


def _saving(approach: Approach, best: Approach) -> str:
    if approach.trains_nothing:  # what it took is the time to ask
        ratio = (approach.train_seconds or 0.0) / (best.train_seconds or math.inf)
        return "trains nothing" + (f", but takes {ratio:.2g} times the time" if ratio >= 1.05 else "")
    words = []
    if approach.trained_parameters is not None and best.trained_parameters:
        share = approach.trained_parameters / best.trained_parameters
        same = math.isclose(share, 1, rel_tol=0.005)
        words.append("trains as many parameters" if same else f"trains {_percent(share)} of the parameters")
    if approach.train_seconds is not None and best.train_seconds:
        words.append(_time(approach.train_seconds / best.train_seconds))
    return " ".join(words) or "costs nobody knows what"


def _time(ratio: float) -> str:
    if 0 < ratio < 0.1:
        return f"{1 / ratio:.0f} times faster"
    return f"in {_percent(ratio)} of the time" if ratio < 1.05 else f"in {ratio:.2g} times the time"


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %") if share >= 0.095 else f"{100 * share:.2g} %"


def _need(
    others: Sequence[Approach],
    best: Approach,
    objective: Objective,
    yardstick: Yardstick,
    named: Sequence[Approach],
) -> Iterator[str]:
    """Whether training is worth it: held against the base, and the best approach that trains nothing."""
    quality = _quality(best, objective)
    idle = [one for one in others if one.trains_nothing and _value(one, objective) is not None]
    if best.trains_nothing:
        trained = [one for one in others if not one.trains_nothing and yardstick.score(one) is not None]
        if trained:
            rival = max(trained, key=lambda one: _quality(one, objective))
            yield f"No training is needed: the best trained approach, {rival.name}, {_against(rival, best, yardstick)}."
        return
    if not idle:
        return
    rival = max(idle, key=lambda one: (_quality(one, objective), one.is_base))
    name = f"the {rival.name}" if rival.is_base else rival.name
    if _quality(rival, objective) >= quality:
        yield (
            f"Fine-tuning gains nothing here: {name} is no worse "
            f"({objective.key} {number(_value(rival, objective))} against {number(_value(best, objective))})."
        )
    elif yardstick.is_noise(rival, best) or (yardstick.loss_of(rival, best) or 0.0) < 0:
        price = "" if rival in named else f" {_against(rival, best, yardstick)}"  # what was said is not said again
        yield f"Fine-tuning may not be needed: {name}{price or f' has {number(yardstick.score(rival))}'}."
    elif yardstick.score(rival) is not None:
        yield f"Fine-tuning pays: without training, {name} reaches {number(yardstick.score(rival))}."


def _against(rival: Approach, best: Approach, yardstick: Yardstick) -> str:
    score = yardstick.score(rival)
    return f"has {number(score)}; it {_price(rival, best, yardstick)}"
