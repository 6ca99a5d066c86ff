"""The figures that a study's page offers: those of the report, and X against Y. Each with the selection in it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import compress
from typing import TYPE_CHECKING, Any

from dash.exceptions import PreventUpdate

from ftsweep.dashboard.against import chosen_axes, xy_figure
from ftsweep.dashboard.looks import Look
from ftsweep.report import figures
from ftsweep.report.figures import theme
from ftsweep.report.figures.drawn import MAX_LINES, MAX_MARKS
from ftsweep.report.overview import StudyOverview

if TYPE_CHECKING:
    import plotly.graph_objects as go

XY, SLICES, CURVES = "xy", "slices", "learning_curves"
LEFT, RIGHT = "history", CURVES
"""What a page shows first."""

LINE_VIEWS = (CURVES, "parallel_coordinates")
"""A line for each trial: too many cannot be told apart, nor drawn in time."""
REGION_VIEWS = ("history", XY, SLICES, CURVES)
"""A region of them selects trials that are not drawn, too (see `region`)."""
_MAX_KEPT = 12
FAINT = 0.1
"""Opacity of trials that are not selected; in assets/select.js, too."""


def titles(study: StudyOverview | None = None) -> dict[str, str]:
    """Every view by its name, in reading order; of a study those that it has something for."""
    names = [name for name in figures.READING_ORDER if study is None or figures.is_about(name, study)]
    named = {name: figures.load(name).TITLE for name in names}
    first = {name: named.pop(name) for name in (LEFT, RIGHT)}
    return {**first, XY: "X against Y", **named}


_MANY = 50
_offered: dict[tuple[Any, ...], list[dict[str, str]]] = {}


def view_options(study: StudyOverview) -> list[dict[str, str]]:
    """What a dropdown offers of a study's views. Of many trials to find that out takes long: not at every news."""
    trials = len(study.trials)
    key = (study.folder, study.is_final, bool(study.fresh), study.result.sentence, trials if trials < _MANY else _MANY)
    found = _offered.get(key)
    if found is None or trials < _MANY:
        found = _offered[key] = [{"label": title, "value": name} for name, title in titles(study).items()]
        for oldest in list(_offered)[:-_MAX_KEPT]:
            _offered.pop(oldest, None)
    return found


def reading(view: str) -> str:
    """How to read a view."""
    if view == XY:
        return "Each mark is a trial at its best rung: choose what the axes show."
    return figures.load(view).READING


def most_shown(study: StudyOverview, view: str) -> int:
    """So many trials a view draws at most; of more it draws some, those that are selected first."""
    if view in LINE_VIEWS:
        return MAX_LINES
    return MAX_MARKS // max(1, len(study.param_names)) if view == SLICES else MAX_MARKS


def view_figure(
    study: StudyOverview, view: str, selection: Collection[int] = (), *, x: str = "", y: str = ""
) -> dict[str, Any]:
    """A view as Plotly's JSON, with unselected trials faint. An unknown view is the first one."""
    view = view if view in titles() else LEFT
    drawn = marked(_drawn(study, view, selection, x, y), frozenset(selection))
    if view in REGION_VIEWS and len(study.trials) > most_shown(study, view):
        drawn["layout"]["meta"] = {"view": view, "x": x, "y": y}  # assets/select.js asks for what lies in a region
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
    study = study.looking_at(selection) if selection else study
    if view == XY:
        return xy_figure(study, *chosen_axes(study, x, y))
    if not figures.is_about(view, study):
        return theme.empty("This study has nothing of the kind yet.")
    return figures.draw(view, study)


def marked(figure: go.Figure, selection: frozenset[int]) -> dict[str, Any]:
    """The figure as JSON with what is not selected made faint; nothing is where nothing is selected.

    `meta` of a line becomes its trial and its own opacity, which a page needs to bring it back. A trace that has the
    lines of many trials is cut in two.
    """
    drawn: dict[str, Any] = figure.to_plotly_json()
    drawn["data"] = [part for trace in drawn["data"] for part in _parts(trace, selection)]
    if any(trace.get("customdata") is not None for trace in drawn["data"]):
        drawn["layout"]["dragmode"] = "select"
    drawn["layout"]["modebar"] = {"orientation": "v"}
    return drawn


def _parts(trace: dict[str, Any], selection: frozenset[int]) -> list[dict[str, Any]]:
    numbers = trace.get("customdata")
    if numbers is not None and trace.get("mode") == "lines":
        if not selection:
            return [trace]
        faint = {**_of_trials(trace, lambda number: number not in selection), "opacity": FAINT, "showlegend": False}
        return [faint, _of_trials(trace, selection.__contains__)]
    if numbers is not None:
        inside = [index for index, number in enumerate(numbers) if number in selection]
        unselected = {"marker": {"opacity": FAINT}}
        return [{**trace, "selectedpoints": inside if selection else None, "unselected": unselected}]
    if isinstance(trace.get("meta"), int):
        number, opacity = trace["meta"], trace.get("opacity", 1.0)
        shown = FAINT if selection and number not in selection else opacity
        return [{**trace, "meta": [number, opacity], "opacity": shown}]
    return [trace]


def _of_trials(trace: dict[str, Any], is_wanted: Callable[[int], bool]) -> dict[str, Any]:
    """The part of a trace with the lines of many trials that has the wanted ones."""
    kept = [is_wanted(number) for number in trace["customdata"]]
    return {**trace, **{key: list(compress(trace[key], kept)) for key in ("x", "y", "customdata")}}
