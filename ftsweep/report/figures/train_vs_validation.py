"""Loss on seen and on unseen data, side by side for the trials that matter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftsweep.report.figures import theme
from ftsweep.report.rows import StudyRows, TrialRow
from ftsweep.report.wording import number

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLE = "Train versus validation"
READING = (
    "Loss on a fixed part of the training data and on the validation data, rung by rung. The wider the gap, the more "
    "the trial learned by heart; a validation line that turns up says when it began to hurt."
)
MAX_PANELS = 3
TRAIN, VALIDATION = "train/loss", "validation/loss"
LINES = ((TRAIN, "train", "#56b4e9", "dash"), (VALIDATION, "validation", "#0072b2", "solid"))


@dataclass(frozen=True)
class Panel:
    trial: TrialRow
    title: str
    points: tuple[tuple[float, float, float], ...]
    """(progress, train loss, validation loss)."""


@dataclass(frozen=True)
class Info:
    panels: tuple[Panel, ...]


def info(rows: StudyRows) -> Info:
    """The best trial, the default setting, then the next best, as far as both losses were measured."""
    complete = [trial for trial in rows.trials if trial.is_complete and trial.value is not None]
    complete.sort(key=lambda trial: trial.value or 0.0, reverse=rows.objective.direction == "maximize")
    wanted = [trial for trial in (rows.best, rows.default) if trial is not None]
    wanted += [trial for trial in complete if trial not in wanted]
    panels = []
    for trial in wanted:
        points = tuple(
            (point.progress, point.values[TRAIN], point.values[VALIDATION])
            for point in trial.curve
            if math.isfinite(point.values.get(TRAIN, math.nan))
            and math.isfinite(point.values.get(VALIDATION, math.nan))
        )
        if len(points) >= 2:
            part = theme.best_label(rows) if trial.is_best else "default setting" if trial.is_default else trial.kind
            panels.append(Panel(trial, f"Trial {trial.number} · {part}", points))
    return Info(tuple(panels[:MAX_PANELS]))


def figure(info: Info) -> go.Figure:
    from plotly.subplots import make_subplots

    if not info.panels:
        return theme.empty("No trial has two rungs with both losses yet.")
    titles = [f"<b>{panel.title}</b>" for panel in info.panels]
    drawn = make_subplots(
        rows=1, cols=len(info.panels), shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.035
    )
    drawn.update_annotations(font={"size": 13, "color": theme.INK}, yshift=4)
    legend = {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.14, "yanchor": "bottom"}
    drawn.update_layout(theme.layout(height=360, margin={"l": 64, "r": 24, "t": 84, "b": 52}, legend=legend))
    drawn.update_xaxes(**theme.axes_style(), tickformat=".0%", range=[-0.02, 1.04])
    drawn.update_yaxes(**theme.axes_style())
    drawn.update_yaxes(title={"text": "loss", "font": {"size": 13, "color": theme.MUTED}}, col=1)
    for column, panel in enumerate(info.panels, start=1):
        _add_panel(drawn, panel, column)
    return drawn


def _add_panel(drawn: go.Figure, panel: Panel, column: int) -> None:
    progress = [point[0] for point in panel.points]
    for index, (_, name, colour, dash) in enumerate(LINES, start=1):
        drawn.add_scatter(
            x=progress,
            y=[point[index] for point in panel.points],
            mode="lines",
            name=name,
            legendgroup=name,
            showlegend=column == 1,
            line={"color": colour, "width": 2.5, "dash": dash},
            row=1,
            col=column,
            fill="tonexty" if index == len(LINES) else None,
            fillcolor="rgba(0,114,178,0.08)",
            hoverinfo="text",
            hovertext=[
                f"<b>{name} {number(point[index])}</b><br>gap {number(point[2] - point[1])}" for point in panel.points
            ],
        )
    best = panel.trial.best_rung
    mark = next((point for point in panel.trial.curve if point.rung == best), None)
    if mark is not None:
        drawn.add_vline(x=mark.progress, line={"color": theme.WINNER, "width": 1.5, "dash": "dot"}, row=1, col=column)
        drawn.add_annotation(
            text=f"kept: rung {best}",
            x=mark.progress,
            y=1,
            yref="y domain" if column == 1 else f"y{column} domain",
            xref=f"x{column}" if column > 1 else "x",
            xanchor="right",
            yanchor="top",
            showarrow=False,
            font={"size": 11, "color": theme.WINNER},
        )
