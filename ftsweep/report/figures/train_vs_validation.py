"""Loss on seen and on unseen data, side by side for the trials that matter."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftsweep.domain.spelling import number
from ftsweep.report.figures import theme
from ftsweep.report.overview import StudyOverview
from ftsweep.report.tables.fits import telling_trials
from ftsweep.report.trial_summary import TrialSummary

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLE = "Train versus validation"
READING = (
    "Loss on a fixed part of the training data and on the validation data, rung by rung. The wider the gap, the more "
    "the trial learned by heart; a validation line that turns up says when it began to hurt."
)
MAX_PANELS = 3  # side by side
TRAIN, VALIDATION = "train/loss", "validation/loss"
LINES = ((TRAIN, "train", "#2f8fc4", "dash"), (VALIDATION, "validation", "#0072b2", "solid"))


@dataclass(frozen=True)
class Panel:
    trial: TrialSummary
    title: str
    points: tuple[tuple[float, float, float], ...]
    """(progress, train loss, validation loss)."""


@dataclass(frozen=True)
class Info:
    panels: tuple[Panel, ...]


def info(study: StudyOverview) -> Info:
    """The best trial, the default setting, the next best; in a second row the worst trial of each verdict.

    As far as both losses were measured at two rungs.
    """
    complete = [trial for trial in study.trials if trial.is_complete and trial.value is not None]
    complete.sort(key=lambda trial: trial.value or 0.0, reverse=study.objective.direction == "maximize")
    wanted = {trial.number: trial for trial in (study.best, study.default, *complete) if trial is not None}
    panels = _panels(study, wanted.values())[:MAX_PANELS]
    shown = {panel.trial.number for panel in panels}
    worst: dict[str, TrialSummary] = {}
    by_number = {trial.number: trial for trial in study.trials}
    for telling in telling_trials(study.state.verdicts):
        if telling not in shown and telling in by_number:
            worst.setdefault(by_number[telling].verdicts[0].kind, by_number[telling])
    return Info((*panels, *_panels(study, worst.values())[: MAX_PANELS if len(panels) == MAX_PANELS else 0]))


def _panels(study: StudyOverview, trials: Iterable[TrialSummary]) -> list[Panel]:
    panels = []
    for trial in trials:
        points = tuple(
            (point.progress, point.values[TRAIN], point.values[VALIDATION])
            for point in trial.curve
            if math.isfinite(point.values.get(TRAIN, math.nan))
            and math.isfinite(point.values.get(VALIDATION, math.nan))
        )
        if len(points) >= 2:
            part = theme.best_label(study) if trial.is_best else "default setting" if trial.is_default else trial.kind
            fit = f"<br>{trial.verdicts[0].label}" if trial.verdicts else ""
            panels.append(Panel(trial, f"<b>Trial {trial.number} · {part}</b>{fit}", points))
    return panels


def figure(info: Info) -> go.Figure:
    from plotly.subplots import make_subplots

    if not info.panels:
        return theme.empty("No trial has two rungs with both losses yet.")
    titles = [panel.title for panel in info.panels]
    num_lines = math.ceil(len(info.panels) / MAX_PANELS)
    drawn = make_subplots(
        rows=num_lines,
        cols=min(MAX_PANELS, len(info.panels)),
        shared_yaxes=True,
        subplot_titles=titles,
        horizontal_spacing=0.035,
        vertical_spacing=0.2,
    )
    drawn.update_annotations(font={"size": 13, "color": theme.INK}, yshift=4)
    legend = {
        "orientation": "h",
        "x": 1,
        "xanchor": "right",
        "y": 1.14 if num_lines == 1 else 1.08,
        "yanchor": "bottom",
    }
    height = 100 + 280 * num_lines
    drawn.update_layout(theme.layout(height=height, margin={"l": 64, "r": 24, "t": 104, "b": 52}, legend=legend))
    drawn.update_xaxes(**theme.axes_style(), tickformat=".0%", range=[-0.02, 1.04])
    drawn.update_yaxes(**theme.axes_style())
    drawn.update_yaxes(title={"text": "loss", "font": {"size": 13, "color": theme.MUTED}}, col=1)
    for place, panel in enumerate(info.panels):
        _add_panel(drawn, panel, place)
    return drawn


def _add_panel(drawn: go.Figure, panel: Panel, place: int) -> None:
    line, column = place // MAX_PANELS + 1, place % MAX_PANELS + 1
    progress = [point[0] for point in panel.points]
    for index, (_, name, colour, dash) in enumerate(LINES, start=1):
        drawn.add_scatter(
            x=progress,
            y=[point[index] for point in panel.points],
            mode="lines",
            name=name,
            legendgroup=name,
            showlegend=place == 0,
            line={"color": colour, "width": 2.5, "dash": dash},
            row=line,
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
        style = {"color": theme.WINNER, "width": 1.5, "dash": "dot"}
        drawn.add_vline(x=mark.progress, line=style, row=line, col=column)
        drawn.add_annotation(
            text=f"kept: rung {best}",
            x=mark.progress,
            y=1,
            yref="y domain" if place == 0 else f"y{place + 1} domain",
            xref=f"x{place + 1}" if place else "x",
            xanchor="right",
            yanchor="top",
            showarrow=False,
            font={"size": 11, "color": theme.WINNER},
        )
