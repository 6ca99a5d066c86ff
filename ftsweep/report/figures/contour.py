"""The objective over two parameters at once, as an average of the trials nearby; which two is chosen in the figure."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from ftsweep.domain.objective import Objective
from ftsweep.report.figures import theme
from ftsweep.report.figures.drawn import drawn_of
from ftsweep.report.figures.scale import Axis, axis_of
from ftsweep.report.overview import StudyOverview
from ftsweep.report.trial_summary import TrialSummary
from ftsweep.report.wording import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLE = "Contour"
READING = (
    "Two parameters at once, chosen above the figure, the most important two first; a mark per trial. The darker, the "
    "better: each place has the average of the trials near it, and none where no trial lies near. Other parameters "
    "vary as well, so that a slope is a hint."
)
MIN_TRIALS, MAX_PARAMS, MAX_POINTS = 6, 4, 150
"""Complete trials that it takes; parameters of which any two can be chosen; marks of one choice."""
GRID = 21
"""Places on each axis."""
REACH = 0.1
"""The standard deviation of the Gaussian by which trials count, of an axis's length."""
_NEAR = math.exp(-2.0)
"""The weight of one trial two deviations away: where all together weigh less, nothing is drawn."""
_SCALE = ((0.0, "#0b4388"), (0.5, "#7fb0dd"), (1.0, "#f3f7fb"))
"""From best to worst."""


@dataclass(frozen=True)
class Pair:
    """Two parameters' axes, the trials with a place on both, and the average, GRID rows of GRID, by [y][x]."""

    x: Axis
    y: Axis
    trials: tuple[tuple[TrialSummary, float, float], ...]
    """With their places between 0 and 1."""
    average: tuple[tuple[float | None, ...], ...]
    """None where no trial lies near."""


@dataclass(frozen=True)
class Info:
    objective: Objective
    pairs: tuple[Pair, ...]
    drawn: str


def is_about(study: StudyOverview) -> bool:
    """Whether there are two parameters and trials enough."""
    valued = _valued(study)
    return len(valued) >= MIN_TRIALS and len({name for trial in valued for name in trial.params}) > 1


def _valued(study: StudyOverview) -> list[TrialSummary]:
    """Complete trials of the best one's branch."""
    branch = study.best.branch if study.best else ""
    return [trial for trial in study.trials if trial.is_complete and trial.value is not None and trial.branch == branch]


def info(study: StudyOverview) -> Info:
    valued = _valued(study)
    shares = study.result.importances
    names = [name for name in study.param_names if any(name in trial.params for trial in valued)]
    names = sorted(names, key=lambda name: -shares.get(name, 0.0))[:MAX_PARAMS]
    if len(valued) < MIN_TRIALS:
        return Info(study.objective, (), "")
    drawn = drawn_of(study, valued, MAX_POINTS)
    axes = {name: axis_of(name, study.dimensions[name], [each.params.get(name) for each in valued]) for name in names}
    places = {name: [axis.position(each.params.get(name)) for each in valued] for name, axis in axes.items()}
    numbers = {trial.number for trial in drawn.trials}
    pairs = (
        _pair((axes[x], axes[y]), valued, list(zip(places[x], places[y], strict=True)), numbers)
        for x, y in combinations(names, 2)
    )
    return Info(study.objective, tuple(pair for pair in pairs if len(pair.trials) > 1), drawn.words)


def _pair(
    axes: tuple[Axis, Axis],
    trials: Sequence[TrialSummary],
    places: Sequence[tuple[float | None, float | None]],
    shown: Container[int],
) -> Pair:
    placed = [
        (trial, left, up)
        for trial, (left, up) in zip(trials, places, strict=True)
        if left is not None and up is not None
    ]
    return Pair(*axes, tuple(each for each in placed if each[0].number in shown), _average(placed))


def _average(placed: Sequence[tuple[TrialSummary, float, float]]) -> tuple[tuple[float | None, ...], ...]:
    """The mean of values weighted by a Gaussian of the distance (Nadaraya and Watson 1964)."""
    values = np.array([trial.value for trial, _, _ in placed], dtype=float)
    grid = np.linspace(0, 1, GRID)
    weights = [
        np.exp(-(((grid[:, None] - np.array([each[axis] for each in placed])) / REACH) ** 2) / 2) for axis in (1, 2)
    ]
    total = weights[1] @ weights[0].T
    found = (weights[1] * values) @ weights[0].T / np.maximum(total, 1e-300)
    rows = np.where(total < _NEAR, np.nan, found).tolist()
    return tuple(tuple(None if math.isnan(each) else float(f"{each:.4g}") for each in row) for row in rows)


def figure(info: Info) -> go.Figure:
    import plotly.graph_objects as go

    if not info.pairs:
        return theme.empty(f"It takes two parameters and {MIN_TRIALS} complete trials to draw contours.")
    drawn = go.Figure(layout=theme.layout(height=520, margin={"l": 64, "r": 24, "t": 78, "b": 64}, showlegend=False))
    seen = [trial.value for pair in info.pairs for trial, _, _ in pair.trials if trial.value is not None]
    low, high = theme.view(seen, padding=0.02)
    for i, pair in enumerate(info.pairs):
        _add_pair(drawn, pair, info, (low, high), is_visible=i == 0)
    drawn.update_layout(**_axes(info.pairs[0]))
    buttons = [
        {"label": plain(f"{_short(pair.x)} and {_short(pair.y)}"), "method": "update", "args": _shown(info, i)}
        for i, pair in enumerate(info.pairs)
    ]
    place = {"x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "pad": {"b": 8}}
    drawn.update_layout(updatemenus=[{**place, "buttons": buttons, "showactive": True, "font": {"size": 13}}])
    theme.sample_note(drawn, info.drawn)
    return drawn


def _add_pair(drawn: go.Figure, pair: Pair, info: Info, ends: tuple[float, float], *, is_visible: bool) -> None:
    is_minimized, places = info.objective.direction == "minimize", np.linspace(0, 1, GRID).round(3).tolist()
    scale = _SCALE if is_minimized else tuple((1 - at, colour) for at, colour in reversed(_SCALE))
    drawn.add_contour(
        x=places,
        y=places,
        z=pair.average,
        zmin=ends[0],
        zmax=ends[1],
        colorscale=scale,
        line={"width": 0.5, "color": "#ffffff"},
        colorbar={"title": {"text": plain(info.objective.key), "side": "top"}, "thickness": 14},
        hovertemplate="about %{z:.4g}<extra></extra>",
        visible=is_visible,
    )
    drawn.add_scatter(
        x=[round(x, 4) for _, x, _ in pair.trials],
        y=[round(y, 4) for _, _, y in pair.trials],
        mode="markers",
        customdata=[trial.number for trial, _, _ in pair.trials],
        hoverinfo="text",
        hovertext=[theme.trial_text(each[0], info.objective, is_brief=bool(info.drawn)) for each in pair.trials],
        visible=is_visible,
        marker={
            "color": [theme.WINNER if trial.is_best else theme.INK for trial, _, _ in pair.trials],
            "symbol": ["star" if trial.is_best else "circle" for trial, _, _ in pair.trials],
            "size": [15 if trial.is_best else 7 for trial, _, _ in pair.trials],
            "line": {"color": "#ffffff", "width": 1},
        },
    )


def _axes(pair: Pair) -> dict[str, Any]:
    return {f"{name}axis": _axis(axis) for name, axis in (("x", pair.x), ("y", pair.y))}


def _axis(axis: Axis) -> dict[str, Any]:
    ticks = {"tickvals": [at for at, _ in axis.ticks], "ticktext": [plain(theme.short(t, 18)) for _, t in axis.ticks]}
    return {"title": {"text": plain(theme.short(axis.label, 60))}, "range": [-0.03, 1.03], "showgrid": False, **ticks}


def _shown(info: Info, chosen: int) -> list[dict[str, Any]]:
    """What a button changes: which traces are seen, and what the axes say."""
    visible = [pair == chosen for pair in range(len(info.pairs)) for _ in ("contour", "marks")]
    changes = {
        f"{name}.{key}": value["text"] if key == "title" else value
        for name, axis in _axes(info.pairs[chosen]).items()
        for key, value in axis.items()
        if key in ("title", "tickvals", "ticktext")
    }
    return [{"visible": visible}, {key.replace(".title", ".title.text"): value for key, value in changes.items()}]


def _short(axis: Axis) -> str:
    return axis.label.rpartition(".")[2]
