"""Several studies in one figure and on one scale: history, the curves of their best trials, X against Y."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ftsweep.dashboard.against import LOG_TICKS, TRIAL, axes, is_log, places
from ftsweep.domain.spelling import number
from ftsweep.report.figures import theme
from ftsweep.report.overview import StudyOverview
from ftsweep.report.tables.difference import Compared
from ftsweep.report.trial_summary import TrialSummary
from ftsweep.report.wording import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

VIEWS = {
    "history": "Best until then",
    "curves": "Learning curves of the best trials",
    "xy": "X against Y",
}
READINGS = {
    "history": "A mark is a trial at its best rung, the line the best complete trial of its study so far.",
    "curves": "Of each study its ten best trials, the best one thick, over each trial's own progress.",
    "xy": "Each mark is a trial at its best rung; a parameter that a study does not have leaves it out.",
}
MAX_STUDIES = 8
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b85c92", "#7a1f1f", "#857200", "#3d4854", "#5a4fcf")
_DASHES = ("solid", "dash")
_PROGRESS = {"title": "progress of the trial's own run", "tickformat": ".0%", "range": [-0.01, 1.02]}
_SYMBOLS = ("circle", "diamond", "square", "x", "cross", "triangle-up", "star", "triangle-down")
_MAX_MARKS, _MAX_LINES = 1500, 10
"""Marks in all, lines of each study."""


def comparable(studies: Sequence[StudyOverview]) -> tuple[list[StudyOverview], list[str]]:
    """Those that have the objective of the first one, and a sentence about each of the others."""
    first = studies[0].objective.to_dict() if studies else None
    kept = [study for study in studies if study.objective.to_dict() == first][:MAX_STUDIES]
    words = [
        f"{study.name} is left out: its objective is {study.objective.key} ({study.objective.direction}), that of "
        f"{studies[0].name} is {studies[0].objective.key} ({studies[0].objective.direction})."
        for study in studies
        if study.objective.to_dict() != first
    ]
    more = len(studies) - len(words) - len(kept)
    return kept, [*words, *([f"{more} more are left out: at most {MAX_STUDIES} are told apart."] if more else [])]


def common_axes(studies: Sequence[StudyOverview]) -> list[str]:
    """What an axis may show of any of the studies."""
    return list(dict.fromkeys(axis for study in studies for axis in axes(study)))


def together_figure(studies: Sequence[StudyOverview], view: str, x: str = "", y: str = "") -> dict[str, Any]:
    """The view of comparable studies as Plotly's JSON."""
    if not studies:
        drawn = theme.empty("Choose studies above.")
    elif view == "curves":
        drawn = _curves(studies)
    elif view == "xy":
        drawn = _against(studies, x, y)
    else:
        drawn = _history(studies)
    found: dict[str, Any] = drawn.to_plotly_json()
    found["layout"]["uirevision"] = f"{view} {x} {y}"
    return found


def trial_curves(compared: Sequence[Compared]) -> dict[str, Any]:
    """The objective of trials over each one's own progress, a line each; of those with the first one's objective."""
    key = compared[0].study.objective.key
    drawn = _figure(_PROGRESS, {"title": plain(key)})
    for index, each in enumerate(compared):
        if each.study.objective.key == key:
            look = {"color": _COLOURS[index % len(_COLOURS)], "width": 2.5, "dash": _DASHES[index // len(_COLOURS)]}
            _add_curve(drawn, each, key, look, name=plain(each.name))
    found: dict[str, Any] = drawn.to_plotly_json()
    return found


def _add_curve(drawn: go.Figure, each: Compared, key: str, line: dict[str, Any], **trace: Any) -> None:
    points = [point for point in each.trial.curve if math.isfinite(point.values.get(key, math.nan))]
    about = f"{plain(each.study.name)}, trial {each.trial.number}"
    drawn.add_scatter(
        x=[point.progress for point in points],
        y=[point.values[key] for point in points],
        mode="lines",
        hoverinfo="text",
        hovertext=[f"{about}, rung {point.rung}: <b>{number(point.values[key])}</b>" for point in points],
        line=line,
        **trace,
    )


def _history(studies: Sequence[StudyOverview]) -> go.Figure:
    last = max((study.trials[-1].number for study in studies if study.trials), default=0)
    drawn = _figure(theme.trial_axis(last), {"title": plain(studies[0].objective.key)})
    shown: list[float] = []
    for index, study in enumerate(studies):
        valued = [trial for trial in study.trials if trial.value is not None and trial.kind in ("complete", "pruned")]
        _add_marks(drawn, index, study, [(trial, trial.number, trial.value) for trial in _some(valued, len(studies))])
        shown += [trial.value for trial in valued if trial.value is not None]
        numbers, best = _records(study)
        if numbers:
            drawn.add_scatter(
                x=[*numbers, study.trials[-1].number],
                y=[*best, best[-1]],
                mode="lines",
                legendgroup=study.name,
                showlegend=False,
                hoverinfo="skip",
                line={"shape": "hv", "color": _COLOURS[index], "width": 2.5},
            )
    if shown:
        low, high = theme.view(shown, keep=[study.best.value for study in studies if study.best and study.best.value])
        drawn.update_yaxes(range=[low, high])
        theme.outside_note(drawn, shown, low, high)
    return drawn


def _records(study: StudyOverview) -> tuple[list[int], list[float]]:
    """The complete trials that were the best of their time, and their values."""
    numbers: list[int] = []
    values: list[float] = []
    for trial in study.trials:
        is_record = not values or (trial.value is not None and study.objective.is_better(trial.value, values[-1]))
        if trial.is_complete and trial.value is not None and is_record:
            numbers.append(trial.number)
            values.append(trial.value)
    return numbers, values


def _curves(studies: Sequence[StudyOverview]) -> go.Figure:
    key = studies[0].objective.key
    drawn = _figure(_PROGRESS, {"title": plain(key)})
    for index, study in enumerate(studies):
        sign = 1 if study.objective.direction == "minimize" else -1
        valued = [trial for trial in study.trials if trial.is_complete and trial.value is not None]
        ranked = sorted(valued, key=lambda trial: (not trial.is_best, sign * (trial.value or 0.0)))[:_MAX_LINES]
        for place, trial in enumerate(ranked):
            is_first = place == 0
            line = {"color": _COLOURS[index], "width": 3 if is_first else 1.3}
            trace = {"name": plain(study.name), "legendgroup": study.name, "showlegend": is_first}
            _add_curve(drawn, Compared(study, trial), key, line, **trace, opacity=1.0 if is_first else 0.45)
    return drawn


def _against(studies: Sequence[StudyOverview], x: str, y: str) -> go.Figure:
    known = common_axes(studies)
    x, y = x if x in known else TRIAL, y if y in known else studies[0].objective.key
    scales = []
    for axis in (x, y):
        kind = {"type": "log", **LOG_TICKS} if any(is_log(study, axis) for study in studies) else {}
        scales.append({"title": plain(theme.short(axis, 40)), **kind})
    drawn = _figure(*scales)
    for index, study in enumerate(studies):
        found = places(study, x, y)
        kept = _some(found, len(studies))
        _add_marks(drawn, index, study, [(each.trial, each.x, each.y) for each in kept])
    return drawn


def _figure(xaxis: dict[str, Any], yaxis: dict[str, Any]) -> go.Figure:
    import plotly.graph_objects as go

    return go.Figure(layout=theme.layout(height=480, xaxis=xaxis, yaxis=yaxis, modebar={"orientation": "v"}))


def _some(found: Sequence[Any], num_studies: int) -> Sequence[Any]:
    """An even sample, where there are too many marks."""
    limit = _MAX_MARKS // num_studies
    return found if len(found) <= limit else [found[place * len(found) // limit] for place in range(limit)]


def _add_marks(
    drawn: go.Figure, index: int, study: StudyOverview, marks: Iterable[tuple[TrialSummary, Any, Any]]
) -> None:
    shown = list(marks)
    is_brief = len(shown) > theme.MANY
    drawn.add_scatter(
        x=[x for _, x, _ in shown],
        y=[y for _, _, y in shown],
        mode="markers",
        name=plain(study.name),
        legendgroup=study.name,
        showlegend=True,
        hoverinfo="text",
        hovertext=[
            f"<b>{plain(study.name)}</b><br>{theme.trial_text(trial, study.objective, is_brief=is_brief)}"
            for trial, _, _ in shown
        ],
        marker={
            "color": _COLOURS[index],
            "symbol": [_SYMBOLS[index]] * len(shown),
            "size": [13 if trial.is_best else 7 for trial, _, _ in shown],
            "opacity": [1.0 if trial.is_complete else 0.4 for trial, _, _ in shown],
        },
    )
