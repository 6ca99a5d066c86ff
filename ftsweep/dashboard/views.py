"""The figures that a study's page offers: those of the report, and X against Y. Each with the selection in it."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dash.exceptions import PreventUpdate

from ftsweep.dashboard.against import axes, first_axis, xy_figure
from ftsweep.dashboard.looks import Look
from ftsweep.report import figures
from ftsweep.report.overview import StudyOverview

if TYPE_CHECKING:
    import plotly.graph_objects as go

XY = "xy"
LEFT, RIGHT = "history", "learning_curves"
"""What a page shows first."""

LINE_VIEWS = ("learning_curves", "parallel_coordinates")
"""A line of its own for each trial: too many cannot be told apart, nor drawn in time."""
MAX_LINES = 100
_MAX_KEPT = 12
FAINT = 0.1
"""Opacity of trials that are not selected; in assets/select.js, too."""


def titles() -> dict[str, str]:
    """Every view by its name, in reading order."""
    named = {name: figures.load(name).TITLE for name in figures.READING_ORDER}
    first = {name: named.pop(name) for name in (LEFT, RIGHT)}
    return {**first, XY: "X against Y", **named}


def reading(view: str) -> str:
    """How to read a view."""
    if view == XY:
        return "Each mark is a trial at its best rung: choose what the axes show."
    return figures.load(view).READING


def lines_shown(study: StudyOverview, selection: Collection[int]) -> list[int] | None:
    """The trials that a view of lines draws: the selected ones, else running and best ones. None: all."""
    if len(study.trials) <= MAX_LINES:
        return None
    sign = 1 if study.objective.direction == "minimize" else -1
    ranked = sorted(
        study.trials,
        key=lambda trial: (
            trial.number not in selection,
            trial.has_ended,
            not trial.is_best,
            not trial.is_default,
            float("inf") if trial.value is None else sign * trial.value,
        ),
    )
    return [trial.number for trial in ranked[:MAX_LINES]]


def view_figure(
    study: StudyOverview, view: str, selection: Collection[int] = (), *, x: str = "", y: str = ""
) -> dict[str, Any]:
    """A view as Plotly's JSON, with unselected trials faint. An unknown view is the first one."""
    view = view if view in titles() else LEFT
    drawn = marked(_drawn(study, view, selection, x, y), frozenset(selection))
    drawn["layout"]["uirevision"] = f"{study.name} {view} {x if view == XY else ''} {y if view == XY else ''}"
    return drawn


@dataclass
class Figures:
    """Views that were drawn last, for several threads: pages that show the same have it drawn once."""

    _kept: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def drawn(self, look: Look, view: str, selection: Collection[int], x: str = "", y: str = "") -> dict[str, Any]:
        """The view of a study as it is now.

        Raises:
            PreventUpdate: the study cannot be shown.
        """
        if look.overview is None:
            raise PreventUpdate
        axes_of = (x, y) if view == XY else ("", "")
        key = (look.name, look.version, view, tuple(selection), *axes_of)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = view_figure(look.overview, view, selection, x=x, y=y)
                for oldest in list(self._kept)[:-_MAX_KEPT]:
                    del self._kept[oldest]
            return self._kept[key]


def _drawn(study: StudyOverview, view: str, selection: Collection[int], x: str, y: str) -> go.Figure:
    if view == XY:
        known = axes(study)
        return xy_figure(study, x if x in known else first_axis(study), y if y in known else study.objective.key)
    lines = lines_shown(study, selection) if view in LINE_VIEWS else None
    drawn = figures.draw(view, study if lines is None else study.only(lines))
    if lines is not None:
        text = f"{len(lines)} of {len(study.trials):,} trials drawn; select some to see them"
        drawn.add_annotation(
            text=text, x=1, y=1, xref="paper", yref="paper", xanchor="right", yanchor="bottom", showarrow=False
        )
    return drawn


def marked(figure: go.Figure, selection: frozenset[int]) -> dict[str, Any]:
    """The figure as JSON with what is not selected made faint; nothing is where nothing is selected.

    `meta` of a line becomes its trial and its own opacity, which a page needs to bring it back.
    """
    drawn: dict[str, Any] = figure.to_plotly_json()
    for trace in drawn["data"]:
        if trace.get("customdata") is not None:
            numbers = list(trace["customdata"])
            trace["selectedpoints"] = (
                [index for index, number in enumerate(numbers) if number in selection] if selection else None
            )
            trace["unselected"] = {"marker": {"opacity": FAINT}}
        elif isinstance(trace.get("meta"), int):
            number, opacity = trace["meta"], trace.get("opacity", 1.0)
            trace["meta"] = [number, opacity]
            trace["opacity"] = FAINT if selection and number not in selection else opacity
    if any(trace.get("customdata") is not None for trace in drawn["data"]):
        drawn["layout"]["dragmode"] = "select"
    drawn["layout"]["modebar"] = {"orientation": "v"}
    return drawn
