"""Where the training time went: to which outcomes, and to runs with fresh seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftsweep.domain.spelling import plural
from ftsweep.report.figures import theme
from ftsweep.report.overview import StudyOverview
from ftsweep.report.wording import seconds

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLE = "Budget"
READING = (
    "Training time by what became of it. Time in pruned trials bought knowing that they were not worth more; time "
    "in failed, diverged and infeasible ones bought little. Fresh seeds are what it cost to be sure of the choice."
)
FRESH = "fresh seeds"
_COLOURS = {**theme.COLOURS, FRESH: "#5b4a9c"}


@dataclass(frozen=True)
class Part:
    name: str
    num_runs: int
    seconds: float


@dataclass(frozen=True)
class Info:
    parts: tuple[Part, ...]


def info(study: StudyOverview) -> Info:
    times: dict[str, list[float]] = {}
    for trial in study.trials:
        times.setdefault(trial.kind, []).append(trial.train_seconds)
    for run in study.fresh:
        times.setdefault(FRESH, []).append(max((point.train_seconds for point in run.measurements), default=0.0))
    parts = (Part(name, len(times[name]), sum(times[name])) for name in _COLOURS if name in times)
    return Info(tuple(parts))


def figure(info: Info) -> go.Figure:
    import plotly.graph_objects as go

    total = sum(part.seconds for part in info.parts)
    if not total:
        return theme.empty("Nothing has been trained yet.")
    ordered = info.parts[::-1]  # Plotly draws the first bar at the bottom
    return go.Figure(
        go.Bar(
            x=[part.seconds / total for part in ordered],
            y=[part.name for part in ordered],
            orientation="h",
            marker={"color": [_COLOURS[part.name] for part in ordered]},
            width=0.62,
            text=[f"{seconds(part.seconds)}, {plural(part.num_runs, 'run')}" for part in ordered],
            textposition="outside",
            cliponaxis=False,
            hoverinfo="text",
            hovertext=[f"{part.name}: <b>{part.seconds / total:.1%}</b> of {seconds(total)}" for part in ordered],
        ),
        layout=theme.layout(
            height=110 + 36 * len(ordered),
            margin={"l": 64, "r": 150, "t": 12, "b": 48},
            xaxis={"title": "share of all training time", "tickformat": ".0%", "range": [0, 1]},
            yaxis={"type": "category", "showgrid": False, "ticks": ""},
            showlegend=False,
        ),
    )
