"""The objective against each parameter alone: where its best values lie, and whether that is at an end of its range."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftsweep.domain.objective import Objective
from ftsweep.domain.verdict import VerdictKind
from ftsweep.report.figures import theme
from ftsweep.report.figures.cloud import WORDS, add_cloud
from ftsweep.report.figures.drawn import MAX_MARKS, drawn_of
from ftsweep.report.figures.scale import Axis, axis_of
from ftsweep.report.overview import StudyOverview
from ftsweep.report.trial_summary import TrialSummary
from ftsweep.report.wording import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLE = "Slices"
READING = (
    "A panel per parameter, with branches one each; a mark per trial. Best values in the middle, like the bottom of "
    "a U, say that the range was wide enough; at an end they say that it may go on outside. Parameters vary together: "
    "what looks like the work of one may be that of another."
)
PER_ROW, MAX_PANELS, ROW_HEIGHT = 3, 12, 250


@dataclass(frozen=True)
class Panel:
    """One parameter. `edge` is what the study's verdict says of its range, "" for nothing."""

    name: str
    axis: Axis
    trials: tuple[TrialSummary, ...]
    edge: str = ""
    others: tuple[tuple[float, float, str], ...] = ()
    """Of a sample all trials: place, value, outcome."""
    selected: tuple[bool, ...] = ()
    """Of each of them; () where nothing is."""


@dataclass(frozen=True)
class Info:
    objective: Objective
    panels: tuple[Panel, ...]
    drawn: str
    best_label: str
    is_brief: bool


def info(study: StudyOverview) -> Info:
    measured = [trial for trial in study.trials if trial.value is not None and trial.kind not in ("diverged", "failed")]
    names = study.param_names[:MAX_PANELS]
    drawn = drawn_of(study, measured, MAX_MARKS // max(1, len(names)))  # all panels together
    edges = [verdict.message for verdict in study.verdicts if verdict.kind is VerdictKind.EDGE]
    panels = []
    for name in names:
        trials = tuple(trial for trial in drawn.trials if name in trial.params)
        if len(trials) >= 2:
            having = [trial for trial in measured if name in trial.params]
            axis = axis_of(name, study.dimensions[name], [trial.params[name] for trial in having])
            edge = next((text for text in edges if name in text), "")
            panels.append(Panel(name, axis, trials, edge, *(_others(study, having, axis) if drawn.words else ())))
    words, label = f"{drawn.words}; {WORDS}" if drawn.words else "", theme.best_label(study)
    return Info(study.objective, tuple(panels), words, label, len(study.trials) > theme.MANY)


def _others(
    study: StudyOverview, trials: list[TrialSummary], axis: Axis
) -> tuple[tuple[tuple[float, float, str], ...], tuple[bool, ...]]:
    placed = [(trial, axis.position(trial.params[axis.label])) for trial in trials]
    found = [(trial, place) for trial, place in placed if place is not None]
    selected = tuple(trial.number in study.looked_at for trial, _ in found) if study.looked_at else ()
    return tuple((place, trial.value or 0.0, trial.kind) for trial, place in found), selected


def figure(info: Info) -> go.Figure:
    from plotly.subplots import make_subplots

    if not info.panels:
        return theme.empty("Too few trials with a value and parameters: at least two are needed.")
    num_columns = min(PER_ROW, len(info.panels))
    num_rows = math.ceil(len(info.panels) / num_columns)
    titles = [plain(theme.short(panel.name, 34)) for panel in info.panels]
    gap = 0.32 / num_rows if num_rows > 1 else 0.0
    drawn = make_subplots(num_rows, num_columns, shared_yaxes=True, subplot_titles=titles, vertical_spacing=gap)
    drawn.update_annotations(font={"size": 13, "color": theme.INK})
    height = 110 + ROW_HEIGHT * num_rows
    legend = {"orientation": "h", "x": 1, "xanchor": "right", "y": 1 + 28 / (height - 110), "yanchor": "bottom"}
    drawn.update_layout(theme.layout(height=height, margin={"l": 64, "r": 24, "t": 78, "b": 52}, legend=legend))
    drawn_values = [trial.value for panel in info.panels for trial in panel.trials if trial.value is not None]
    values = [value for panel in info.panels for _, value, _ in panel.others] or drawn_values
    best = [trial.value for panel in info.panels for trial in panel.trials if trial.is_best and trial.value is not None]
    low, high = theme.view(values, keep=best)
    drawn.update_yaxes(**theme.axes_style(), range=[low, high])
    drawn.update_yaxes(title={"text": plain(info.objective.key), "font": {"size": 13, "color": theme.MUTED}}, col=1)
    named: set[str] = set()
    for index, panel in enumerate(info.panels):
        row, column = index // num_columns + 1, index % num_columns + 1
        if panel.others:
            ends = (-0.06, 1.06), (low, high)
            add_cloud(drawn, panel.others, panel.selected, ends, (300, 200), row=row, col=column)
        _add_panel(drawn, panel, info, row, column, named)
    theme.sample_note(drawn, info.drawn)
    return drawn


def _add_panel(drawn: go.Figure, panel: Panel, info: Info, row: int, column: int, named: set[str]) -> None:
    texts = [plain(theme.short(text, 18)) for _, text in panel.axis.ticks]  # longer ones leave the panel no room
    ticks = {"tickvals": [at for at, _ in panel.axis.ticks], "ticktext": texts}
    drawn.update_xaxes(**theme.axes_style(), **ticks, range=[-0.06, 1.06], row=row, col=column)
    for group, trials in _groups(panel, info):
        kind = trials[0].kind
        is_best = group == info.best_label
        drawn.add_scatter(
            x=[panel.axis.position(trial.params[panel.name]) for trial in trials],
            y=[trial.value for trial in trials],
            row=row,
            col=column,
            mode="markers",
            name=group,
            legendgroup=group,
            showlegend=group not in named,
            customdata=[trial.number for trial in trials],
            hoverinfo="text",
            hovertext=[theme.trial_text(trial, info.objective, is_brief=info.is_brief) for trial in trials],
            marker={
                "color": theme.WINNER if is_best else theme.COLOURS[kind],
                "symbol": "star" if is_best else theme.SYMBOLS[kind],
                "size": 14 if is_best else 7,
            },
        )
        named.add(group)
    if panel.edge:
        drawn.add_annotation(
            text="the best lies at an end of this range",
            x=0.5,
            y=1,
            xref="x domain",
            yref="y domain",
            yanchor="top",
            showarrow=False,
            font={"size": 11, "color": theme.WINNER},
            row=row,
            col=column,
        )


def _groups(panel: Panel, info: Info) -> Iterator[tuple[str, list[TrialSummary]]]:
    """By outcome; the best one by itself and last, so that it is on top."""
    for kind in theme.COLOURS:
        if trials := [trial for trial in panel.trials if trial.kind == kind and not trial.is_best]:
            yield kind, trials
    if best := [trial for trial in panel.trials if trial.is_best]:
        yield info.best_label, best
