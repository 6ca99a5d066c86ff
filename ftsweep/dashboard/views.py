"""The figures that a study's page offers: those of the report, and X against Y. Each with the selection in it."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dash.exceptions import PreventUpdate

from ftsweep.dashboard.against import chosen_axes, xy_figure
from ftsweep.dashboard.looks import Look
from ftsweep.report import figures
from ftsweep.report.figures import theme
from ftsweep.report.figures.drawn import MAX_MARKS
from ftsweep.report.overview import StudyOverview

if TYPE_CHECKING:
    import plotly.graph_objects as go

XY, SLICES = "xy", "slices"
LEFT, RIGHT = "history", "learning_curves"
"""What a page shows first."""

LINE_VIEWS = ("learning_curves", "parallel_coordinates")
"""A line of its own for each trial: too many cannot be told apart, nor drawn in time."""
MARK_VIEWS = ("history", XY, SLICES)
"""A mark for each trial: a region of them selects those that are not drawn, too (see `region`)."""
MAX_LINES = 100
_MAX_KEPT = 12
FAINT = 0.1
"""Opacity of trials that are not selected; in assets/select.js, too."""


def titles(study: StudyOverview | None = None) -> dict[str, str]:
    """Every view by its name, in reading order; of a study those that it has something for."""
    names = [name for name in figures.READING_ORDER if study is None or figures.is_about(name, study)]
    named = {name: figures.load(name).TITLE for name in names}
    first = {name: named.pop(name) for name in (LEFT, RIGHT)}
    return {**first, XY: "X against Y", **named}


def view_options(study: StudyOverview) -> list[dict[str, str]]:
    """What a dropdown offers of a study's views."""
    return [{"label": title, "value": name} for name, title in titles(study).items()]


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


def trials_shown(study: StudyOverview, view: str, selection: Collection[int]) -> list[int] | None:
    """The trials that a view draws, None: all.

    Selected ones, running ones, the best, each that was the best of its time; then an even sample of the others.
    """
    limit = most_shown(study, view)
    if view not in (*LINE_VIEWS, *MARK_VIEWS) or len(study.trials) <= limit:
        return None
    numbers = [trial.number for trial in study.trials]
    selected = frozenset(selection)
    chosen = _sample([number for number in numbers if number in selected], 2 * limit // 3)
    sign = 1 if study.objective.direction == "minimize" else -1
    running = [trial.number for trial in study.trials if not trial.has_ended][-(limit // 5) :]
    named = [trial.number for trial in study.trials if trial.is_best or trial.is_default]
    lowest, records = float("inf"), []
    for trial in study.trials:
        if trial.is_complete and trial.value is not None and sign * trial.value < lowest:
            lowest = sign * trial.value
            records.append(trial.number)
    ranked = sorted((sign * trial.value, trial.number) for trial in study.trials if trial.value is not None)
    best = [number for _, number in ranked[: limit // (2 if view in LINE_VIEWS else 6)]]
    found = list(dict.fromkeys([*chosen, *named, *running, *records, *best]))[:limit]
    known = frozenset(found)
    others = [number for number in numbers if number not in known]
    return [*found, *_sample(others, limit - len(found))]


def _sample(numbers: list[int], count: int) -> list[int]:
    """An even one, of at most so many."""
    if len(numbers) <= count:
        return numbers
    return [numbers[index * len(numbers) // count] for index in range(count)]


def view_figure(
    study: StudyOverview, view: str, selection: Collection[int] = (), *, x: str = "", y: str = ""
) -> dict[str, Any]:
    """A view as Plotly's JSON, with unselected trials faint. An unknown view is the first one."""
    view = view if view in titles() else LEFT
    drawn = marked(_drawn(study, view, selection, x, y), frozenset(selection))
    if view in MARK_VIEWS and len(study.trials) > most_shown(study, view):
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
    shown = trials_shown(study, view, selection)
    part = study if shown is None else study.only(shown)
    if view != XY and not figures.is_about(view, study):
        return theme.empty("This study has nothing of the kind yet.")
    drawn = xy_figure(part, *chosen_axes(study, x, y)) if view == XY else figures.draw(view, part)
    if shown is not None:
        theme.sample_note(drawn, f"{len(shown):,} of {len(study.trials):,} trials, of selected ones as many as can be")
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
