"""What a study came to under its limit on forgetting: what the limit cost, and whether a smaller step would do better.

Pure functions of records and of the scaling curves of a few trials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ftsweep.domain.commands import study_command
from ftsweep.domain.forgetting import FORGETTING, NAME, ForgettingResult, ForgettingTrial, ScalePoint, band
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.ranking import rank, rank_of_all
from ftsweep.domain.spelling import number
from ftsweep.domain.trial import TrialRecord

NUM_SCALED = 3
"""Trials of which a scaling curve is measured: the chosen one, the best without the limit, then the next best."""

LITTLE = 0.05
"""Share of what training gained that may be given up for half of the forgetting."""


def forgetting_of(measurement: Measurement | None) -> float | None:
    return None if measurement is None else measurement.values.get(FORGETTING)


def forgetting_tags(measurements: Sequence[Measurement], objective: Objective) -> dict[str, str]:
    """How much a trial has forgotten at its best rung so far, in a word, and whether its limit is kept."""
    best = objective.best(measurements)
    value = forgetting_of(best)
    if best is None or value is None:
        return {}
    tags = {"forgetting": band(value)}
    if NAME in best.constraints:
        tags[f"constraint.{NAME}"] = "kept" if best.is_feasible else "violated"
    return tags


def forgetting_limit(config: Mapping[str, Any]) -> float | None:
    """The limit that a trial's configuration sets; None without one, or when nothing is measured."""
    node = config.get("guards", {}).get(NAME, {})
    return node.get("limit") if node.get("mode") == "on" else None


def scaled_trials(records: Sequence[TrialRecord], objective: Objective, chosen: int | None) -> list[int]:
    """The trials whose scaling curve is worth measuring; none in a study that does not measure forgetting."""
    if all(forgetting_of(objective.best(record.measurements)) is None for record in records):
        return []
    best = [each.number for each in rank_of_all(records, objective)[:1]]
    ranked = [each.number for each in rank(records, objective)]
    first = [] if chosen is None else [chosen]
    return list(dict.fromkeys([*first, *best, *ranked]))[:NUM_SCALED]


def curve_of(record: TrialRecord, objective: Objective, answer: Mapping[str, Any]) -> list[ScalePoint]:
    """The points that a `scale` job measured and, at 1, the trial's own; [] when the change cannot be scaled."""
    best = objective.best(record.measurements)
    if best is None or not answer["points"]:
        return []
    measured = [(each["scale"], each["values"]) for each in answer["points"]]
    return [
        ScalePoint(record.number, scale, values[objective.key], values[FORGETTING])
        for scale, values in [*measured, (1.0, best.values)]
        if objective.key in values and FORGETTING in values
    ]


def conclude_forgetting(
    records: Sequence[TrialRecord],
    objective: Objective,
    *,
    limit: float | None,
    chosen: int | None,
    curves: Sequence[Sequence[ScalePoint]],
    study: str,
    store: Path | str,
) -> ForgettingResult | None:
    """The part of a study's result about forgetting; None when nothing of it was measured."""
    by_number = {record.number: record for record in records}
    winner = None if chosen is None else by_number.get(chosen)
    own = _at(winner, objective.best(winner.measurements), objective) if winner else None
    best = {record.number: objective.best(record.measurements) for record in records if record.is_complete}
    if all(forgetting_of(each) is None for each in best.values()):
        return None
    unconstrained = None
    if limit is not None and (free := rank_of_all(records, objective)):
        freest = by_number[free[0].number]
        unconstrained = _at(freest, objective.best_of_all(freest.measurements), objective)
    suggestion = suggest_scale(curves, objective, limit=limit, chosen=own)
    cost = None if own is None or unconstrained is None else _worse_by(objective, own.value, unconstrained.value)
    complete = [at for number, each in best.items() if (at := _at(by_number[number], each, objective)) is not None]
    sentences = (
        _of_chosen(own, limit),
        _of_limit(own, unconstrained, objective, limit=limit, cost=cost, trials=complete),
        _of_scale(suggestion, objective, study, chosen, store),
    )
    return ForgettingResult(
        limit=limit,
        chosen=own,
        unconstrained=unconstrained,
        cost=cost,
        num_violating=sum(each is not None and not each.is_feasible for each in best.values()),
        scaling=tuple(point for curve in curves for point in curve),
        suggestion=suggestion,
        sentences=tuple(each for each in sentences if each),
    )


def suggest_scale(
    curves: Sequence[Sequence[ScalePoint]], objective: Objective, *, limit: float | None, chosen: ForgettingTrial | None
) -> ScalePoint | None:
    """A smaller scale that is worth taking; None when there is none.

    First a scaled trial that keeps the limit and is better than the chosen one, without one than the untouched base
    (scale 0). Else the chosen trial at a scale that gives up at most a twentieth of what training gained and at least
    halves what is forgotten, if that is anything.
    """
    points = [point for curve in curves for point in curve if 0 < point.scale < 1]
    kept = [point for point in points if limit is None or point.forgetting <= limit]
    untouched = {point.trial: point.value for curve in curves for point in curve if point.scale == 0}
    best = None
    for point in kept if limit is not None else ():
        floor = untouched.get(point.trial, objective.worst)
        incumbent = best.value if best else chosen.value if chosen else floor
        if objective.is_better(point.value, incumbent):
            best = point
    if best is not None or chosen is None or band(chosen.forgetting) == "none":
        return best
    start = next((p.value for curve in curves for p in curve if p.trial == chosen.number and p.scale == 0), None)
    if start is None:
        return None
    gained = abs(start - chosen.value)
    cheap = [
        point
        for point in kept
        if point.trial == chosen.number
        and _worse_by(objective, point.value, chosen.value) <= LITTLE * gained
        and point.forgetting <= chosen.forgetting / 2
    ]
    return min(cheap, key=lambda point: point.forgetting, default=None)


def _at(record: TrialRecord, best: Measurement | None, objective: Objective) -> ForgettingTrial | None:
    forgetting = forgetting_of(best)
    if best is None or forgetting is None:
        return None
    return ForgettingTrial(record.number, objective.value(best), best.rung, forgetting, band(forgetting))


def _worse_by(objective: Objective, value: float, reference: float) -> float:
    return value - reference if objective.direction == "minimize" else reference - value


def _of_chosen(own: ForgettingTrial | None, limit: float | None) -> str:
    if own is None:
        return ""
    within = "" if limit is None else f", within the limit of {limit:g}"
    if own.forgetting <= 0:
        return f"Trial {own.number} predicts general text no worse than the base ({own.forgetting:.3f} nats){within}."
    return f"Trial {own.number} forgets {own.forgetting:.3f} nats per token of general text ({own.band}){within}."


def _of_limit(
    own: ForgettingTrial | None,
    free: ForgettingTrial | None,
    objective: Objective,
    *,
    limit: float | None,
    cost: float | None,
    trials: Sequence[ForgettingTrial],
) -> str:
    """What the limit has changed; of a study that nobody wins because of it, what to do. trials: the complete ones."""
    if free is None or limit is None:
        return ""
    if own is None:
        least = min(trials, key=lambda each: each.forgetting)
        return (
            f"No complete trial keeps the limit of {limit:g}; without it trial {free.number} would be chosen: "
            f"{objective.key} {number(free.value)} at a forgetting of {free.forgetting:.3f} ({free.band}). "
            f"Least was forgotten by trial {least.number}, {least.forgetting:.3f}: lower the rates of the space or add "
            "pulls to the base, or give a study of another name a higher limit (study.name, guards.forgetting.limit; "
            "null only measures)."
        )
    if (free.number, free.rung) == (own.number, own.rung):
        return "Without the limit the same model would be chosen: the limit costs nothing."
    which = f"trial {free.number}" if free.number != own.number else f"rung {free.rung} of the same trial"
    return (
        f"Without the limit {which} would be the best: {objective.key} {number(free.value)} at a forgetting of "
        f"{free.forgetting:.3f} ({free.band}); the limit costs {number(cost, digits=3)} of {objective.key}."
    )


def _of_scale(point: ScalePoint | None, objective: Objective, study: str, chosen: int | None, store: Path | str) -> str:
    if point is None:
        return ""
    which = () if point.trial == chosen else ("--trial", point.trial)  # the chosen model may have a fresh seed
    command = study_command("best", study, *which, "--scale", f"{point.scale:g}", "--export", "DIR", store=store)
    return (
        f"Trial {point.trial} with its trained change scaled by {point.scale:g} has {objective.key} "
        f"{number(point.value)} at a forgetting of {point.forgetting:.3f} ({band(point.forgetting)}): {command}"
    )
