"""Skill against forgetting: what each trial reached, what it lost of general text, and where the limit lies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftsweep.domain.forgetting import FORGETTING, NAME, band
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.spelling import number
from ftsweep.report.figures import theme
from ftsweep.report.overview import StudyOverview
from ftsweep.report.trial_summary import TrialSummary
from ftsweep.report.wording import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLE = "Skill versus forgetting"
READING = (
    "Each trial at the rung whose weights were kept: how much worse it predicts general text than the untouched base "
    "(nats per token, further right is worse), against the objective. The line through the best rungs of all trials is "
    "what can be had (the Pareto front); left of the limit a model may be chosen. Dashed: a trial with its trained "
    "change made smaller, from the base (scale 0) to the trial (1)."
)
FRONT, SCALED, OVER = "#5b6875", "#cc79a7", "rgba(213,94,0,0.07)"


@dataclass(frozen=True)
class Point:
    """A trial at one rung."""

    trial: TrialSummary
    rung: int
    forgetting: float
    value: float


@dataclass(frozen=True)
class Info:
    objective: Objective
    trials: tuple[Point, ...]
    """Each at the rung that counts."""
    front: tuple[Point, ...]
    """Rungs that no other rung beats in both, by forgetting."""
    scaled: tuple[tuple[int, tuple[tuple[float, float, float], ...]], ...]
    """By trial: scale, forgetting and value."""
    limit: float | None
    baseline: float | None
    winner: int | None
    best_label: str


def is_about(study: StudyOverview) -> bool:
    """Whether forgetting was measured at the rungs."""
    return any(FORGETTING in point.values for trial in study.trials for point in trial.curve)


def info(study: StudyOverview) -> Info:
    trials, rungs = [], []
    for trial in study.trials:
        if trial.kind not in ("complete", "pruned"):
            continue
        points = [each for measured in trial.curve if (each := _point(study, trial, measured)) is not None]
        rungs += points if trial.is_complete else []
        trials += [each for each in points if each.rung == trial.best_rung]
    best = study.best
    return Info(
        study.objective,
        tuple(trials),
        _front(rungs, study.objective),
        _scaled(study),
        _limit(study),
        study.baseline_value(best.branch if best else ""),
        best.number if best else None,
        theme.best_label(study),
    )


def figure(info: Info) -> go.Figure:
    import plotly.graph_objects as go

    if not info.trials:
        return theme.empty("No trial has been measured on general text yet.")
    scaled = [point for _, points in info.scaled for point in points]
    rights = [*(p.forgetting for p in info.trials), *(p[1] for p in scaled), 0.0, *([info.limit] if info.limit else [])]
    left, right = theme.view(rights)
    low, high = theme.view([*(p.value for p in info.trials), *(p[2] for p in scaled)])
    drawn = go.Figure(
        layout=theme.layout(
            height=440,
            xaxis={"title": "forgetting, nats per token of general text", "range": [left, right]},
            yaxis={"title": plain(info.objective.key), "range": [low, high]},
        )
    )
    if info.limit is not None:
        drawn.add_vrect(x0=info.limit, x1=max(right, info.limit), fillcolor=OVER, line_width=0, layer="below")
        note = {"text": f"limit {info.limit:g}", "font": {"size": 11, "color": theme.WINNER}}
        line = {"color": theme.WINNER, "width": 1.5, "dash": "dot"}
        drawn.add_vline(x=info.limit, line=line, annotation=note, annotation_position="top right")
    if info.baseline is not None and low <= info.baseline <= high:
        _add_base(drawn, info.baseline)
    _add_front(drawn, info)
    for trial, points in info.scaled:
        _add_scaled(drawn, info.objective, trial, points)
    _add_trials(drawn, info)
    theme.outside_note(drawn, [point.value for point in info.trials], low, high)
    return drawn


def _add_trials(drawn: go.Figure, info: Info) -> None:
    for kind in dict.fromkeys(point.trial.kind for point in info.trials):
        points = [point for point in info.trials if point.trial.kind == kind]
        drawn.add_scatter(
            x=[point.forgetting for point in points],
            y=[point.value for point in points],
            mode="markers+text",
            text=[str(point.trial.number) for point in points],
            textposition="top center",
            textfont={"size": 10, "color": theme.MUTED},
            name=kind,
            hoverinfo="text",
            hovertext=[_text(point, info.objective) for point in points],
            customdata=[point.trial.number for point in points],
            marker={
                "color": theme.COLOURS[kind],
                "symbol": theme.SYMBOLS[kind],
                "size": 11,
                "line": {"width": 1, "color": "white"},
            },
        )
    winner = [point for point in info.trials if point.trial.number == info.winner]
    drawn.add_scatter(
        x=[point.forgetting for point in winner],
        y=[point.value for point in winner],
        mode="markers",
        name=info.best_label,
        hoverinfo="skip",
        marker={"color": "rgba(0,0,0,0)", "size": 19, "line": {"width": 2.5, "color": theme.WINNER}},
    )


def _add_front(drawn: go.Figure, info: Info) -> None:
    drawn.add_scatter(
        x=[point.forgetting for point in info.front],
        y=[point.value for point in info.front],
        mode="lines",
        name="Pareto front of all rungs",
        hoverinfo="text",
        hovertext=[f"rung {point.rung}<br>{_text(point, info.objective)}" for point in info.front],
        line={"color": FRONT, "width": 1.5, "shape": "hv"},
    )


def _add_scaled(
    drawn: go.Figure, objective: Objective, trial: int, points: Sequence[tuple[float, float, float]]
) -> None:
    drawn.add_scatter(
        x=[point[1] for point in points],
        y=[point[2] for point in points],
        mode="lines+markers",
        name=f"trial {trial} scaled",
        hoverinfo="text",
        hovertext=[
            f"<b>Trial {trial} at scale {scale:g}</b><br>{plain(objective.key)} {number(value)}<br>"
            f"forgetting {forgetting:.3f} ({band(forgetting)})"
            for scale, forgetting, value in points
        ],
        line={"color": SCALED, "width": 1.5, "dash": "dash"},
        marker={"color": SCALED, "size": 6, "symbol": "diamond"},
    )


def _add_base(drawn: go.Figure, value: float) -> None:
    drawn.add_scatter(
        x=[0.0],
        y=[value],
        mode="markers",
        name="untouched base",
        hoverinfo="text",
        hovertext=[f"<b>Untouched base</b><br>{number(value)}"],
        marker={"color": theme.BASELINE, "size": 11, "symbol": "star"},
    )


def _text(point: Point, objective: Objective) -> str:
    return f"forgetting {point.forgetting:.3f} ({band(point.forgetting)})<br>{theme.trial_text(point.trial, objective)}"


def _point(study: StudyOverview, trial: TrialSummary, measured: Measurement) -> Point | None:
    value, forgetting = measured.values.get(study.objective.key, math.nan), measured.values.get(FORGETTING, math.nan)
    if measured.rung == 0 or not (math.isfinite(value) and math.isfinite(forgetting)):
        return None
    return Point(trial, measured.rung, forgetting, value)


def _front(points: Sequence[Point], objective: Objective) -> tuple[Point, ...]:
    sign = 1 if objective.direction == "minimize" else -1
    front: list[Point] = []
    for point in sorted(points, key=lambda each: (each.forgetting, sign * each.value)):
        if not front or objective.is_better(point.value, front[-1].value):
            front.append(point)
    return tuple(front)


def _scaled(study: StudyOverview) -> tuple[tuple[int, tuple[tuple[float, float, float], ...]], ...]:
    by_trial: dict[int, list[tuple[float, float, float]]] = {}
    forgetting = study.conclusion.forgetting
    for each in forgetting.scaling if forgetting else ():
        by_trial.setdefault(each.trial, []).append((each.scale, each.forgetting, each.value))
    return tuple((trial, tuple(points)) for trial, points in by_trial.items())


def _limit(study: StudyOverview) -> float | None:
    """As the measurements tell it: what they have forgotten, less what is above the limit."""
    measured = (point for trial in study.trials for point in trial.curve if NAME in point.constraints)
    point = next(measured, None)
    return None if point is None else round(point.values[FORGETTING] - point.constraints[NAME], 9)
