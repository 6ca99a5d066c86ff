"""The objective against the number of examples that each approach was given."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftsweep.domain.objective import Objective
from ftsweep.domain.spelling import number
from ftsweep.report.figures import theme
from ftsweep.report.overview import StudyOverview
from ftsweep.report.trial_summary import TrialSummary
from ftsweep.report.wording import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLE = "Examples needed"
READING = (
    "The objective against k, the examples that a trial was given: a line per approach through its best trial at each "
    "k. A point is the mean over draws of examples, the band one standard deviation of a single draw around it."
)
PATH = "strategy.k"
SPREAD = "_spread"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a1f1f", "#3d4854")


@dataclass(frozen=True)
class Point:
    """The best complete trial of a branch at one k."""

    k: int
    trial: TrialSummary
    value: float
    spread: float
    """Standard deviation over draws; NaN when it was not measured."""


@dataclass(frozen=True)
class Info:
    objective: Objective
    lines: Mapping[str, tuple[Point, ...]]
    """By branch (a study without branches has one, called "few-shot"), ordered by k."""
    ks: tuple[int, ...]
    baselines: tuple[tuple[str, float], ...]


def is_about(study: StudyOverview) -> bool:
    """Whether trials differ in k."""
    return len({k for trial in study.trials if (k := _k_of(study, trial)) is not None}) > 1


def info(study: StudyOverview) -> Info:
    best: dict[tuple[str, int], Point] = {}
    for trial in study.trials:
        k = _k_of(study, trial)
        if k is None or not trial.is_complete or trial.value is None:
            continue
        known = best.get((trial.branch, k))
        if known is None or study.objective.is_better(trial.value, known.value):
            spread = trial.best_values().get(study.objective.key + SPREAD, math.nan)
            best[trial.branch, k] = Point(k, trial, trial.value, spread)
    branches = sorted({branch for branch, _ in best})
    lines = {
        branch or "few-shot": tuple(best[pair] for pair in sorted(best) if pair[0] == branch) for branch in branches
    }
    ks = tuple(sorted({k for _, k in best}))
    return Info(study.objective, lines, ks, theme.baseline_labels(study))


def table(study: StudyOverview) -> list[dict[str, Any]]:
    """The curve as rows: approach, k, trial, value and its spread over draws (null when it was not measured)."""
    return [
        {
            "approach": approach,
            "k": point.k,
            "trial": point.trial.number,
            "value": point.value,
            "spread": None if math.isnan(point.spread) else point.spread,
        }
        for approach, points in info(study).lines.items()
        for point in points
    ]


def figure(info: Info) -> go.Figure:
    import plotly.graph_objects as go

    if not info.lines:
        return theme.empty("No trial with a number of examples (strategy.k) has been measured yet.")
    points = [point for line in info.lines.values() for point in line]
    low, high = theme.view([*(edge for point in points for edge in _band(point)), *(v for _, v in info.baselines)])
    place = {k: index for index, k in enumerate(info.ks)}
    drawn = go.Figure(
        layout=theme.layout(
            xaxis={
                "title": "k, examples",
                "tickvals": list(place.values()),
                "ticktext": [str(k) for k in info.ks],
                "range": [-0.3, len(place) - 0.7],
                "showgrid": False,
            },
            yaxis={"title": plain(info.objective.key), "range": [low, high]},
        )
    )
    theme.baseline_lines(drawn, info.baselines)
    for add in (_add_band, _add_line):  # no band hides a line
        for index, (approach, line) in enumerate(info.lines.items()):
            add(drawn, info.objective, approach, line, place, COLOURS[index % len(COLOURS)])
    return drawn


def _add_band(
    drawn: go.Figure,
    _objective: Objective,
    approach: str,
    line: tuple[Point, ...],
    place: Mapping[int, int],
    colour: str,
) -> None:
    x = [place[point.k] for point in line]
    lower, upper = zip(*(_band(point) for point in line), strict=True)
    drawn.add_scatter(
        x=[*x, *reversed(x)],
        y=[*upper, *reversed(lower)],
        fill="toself",
        fillcolor=colour,
        opacity=0.15,
        line={"width": 0},
        mode="lines",
        legendgroup=approach,
        showlegend=False,
        hoverinfo="skip",
    )


def _add_line(
    drawn: go.Figure,
    objective: Objective,
    approach: str,
    line: tuple[Point, ...],
    place: Mapping[int, int],
    colour: str,
) -> None:
    drawn.add_scatter(
        x=[place[point.k] for point in line],
        y=[point.value for point in line],
        mode="lines+markers",
        name=plain(approach),
        legendgroup=approach,
        hoverinfo="text",
        hovertext=[_text(point, objective) for point in line],
        line={"color": colour, "width": 2.5},
        marker={"color": colour, "size": 9, "line": {"width": 1, "color": "white"}},
    )


def _text(point: Point, objective: Objective) -> str:
    spread = "" if math.isnan(point.spread) else f"<br>standard deviation over draws {number(point.spread)}"
    return f"k = {point.k}{spread}<br>{theme.trial_text(point.trial, objective)}"


def _band(point: Point) -> tuple[float, float]:
    spread = 0.0 if math.isnan(point.spread) else point.spread
    return point.value - spread, point.value + spread


def _k_of(study: StudyOverview, trial: TrialSummary) -> int | None:
    found = [value for name, value in trial.params.items() if study.param_path(name) == PATH]
    return int(found[0]) if found and isinstance(found[0], int | float) else None
