"""Any parameter or metric of trials against any other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Any

from ftsweep.domain.space import Choice, FloatInterval
from ftsweep.domain.spelling import param
from ftsweep.report.figures import theme
from ftsweep.report.figures.cloud import WORDS, add_cloud
from ftsweep.report.figures.drawn import MAX_MARKS, drawn_of
from ftsweep.report.overview import StudyOverview
from ftsweep.report.trial_summary import RUNNING, WAITING, TrialSummary
from ftsweep.report.wording import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

_TICK = 18
"""Characters of a choice's tick; longer ones leave the plot no room."""
LOG_TICKS = {"exponentformat": "e"}
"""`1e-4`, which would be `100μ`."""
TRIAL, SECONDS, RUNG = "trial number", "training seconds", "best rung"


@dataclass(frozen=True)
class Place:
    """A trial in the figure; a choice's value is its text."""

    trial: TrialSummary
    x: float | str
    y: float | str


def axes(study: StudyOverview) -> list[str]:
    """What an axis may show: parameters, all metrics at the best rung, and a few facts of a trial."""
    rest = sorted(key for key in study.metrics if key != study.objective.key)
    return list(dict.fromkeys([study.objective.key, *study.param_names, *rest, TRIAL, SECONDS, RUNG]))


def first_axis(study: StudyOverview) -> str:
    """The parameter that matters most, as far as that is known; else the first."""
    shares = study.result.importances
    known = [name for name in study.param_names if name in shares]
    names = [max(known, key=shares.__getitem__)] if known else list(study.param_names)
    return names[0] if names else TRIAL


def chosen_axes(study: StudyOverview, x: str, y: str) -> tuple[str, str]:
    """The axes that are wanted, as far as the study has them."""
    known = axes(study)
    return x if x in known else first_axis(study), y if y in known else study.objective.key


def values_on(study: StudyOverview, axis: str) -> Callable[[TrialSummary], float | str | None]:
    """What gives a trial's value on an axis; None where it has none. A choice's value is its text."""
    facts: dict[str, Callable[[TrialSummary], float | None]] = {
        study.objective.key: lambda trial: trial.value,
        TRIAL: lambda trial: trial.number,
        SECONDS: lambda trial: trial.train_seconds if trial.curve else None,
        RUNG: lambda trial: trial.best_rung,
    }
    if axis in facts:
        return facts[axis]
    is_choice = isinstance(study.dimensions.get(axis), Choice)

    def value(trial: TrialSummary) -> float | str | None:
        found: Any = trial.params[axis] if axis in trial.params else trial.best_values().get(axis)
        if found is None and axis not in trial.params:
            return None
        if is_choice or not isinstance(found, int | float):
            return param(found)
        return float(found) if math.isfinite(found) else None

    return value


def places(study: StudyOverview, x: str, y: str) -> list[Place]:
    """The trials that have both values."""
    found, x_of, y_of = [], values_on(study, x), values_on(study, y)
    for trial in study.trials:
        left, right = x_of(trial), y_of(trial)
        if left is not None and right is not None:
            found.append(Place(trial, left, right))
    return found


def xy_figure(study: StudyOverview, x: str, y: str) -> go.Figure:
    """Trials as marks, coloured by outcome; a parameter that is searched on a log scale is shown on one."""
    import plotly.graph_objects as go

    found = places(study, x, y)
    if not found:
        return theme.empty(f"No trial has both {x} and {y} yet.")
    layout = theme.layout(height=420, xaxis=_axis(study, x), yaxis=_axis(study, y))
    drawn, is_brief = go.Figure(layout=layout), len(study.trials) > theme.MANY
    shown = drawn_of(study, [each.trial for each in found], MAX_MARKS)
    if shown.words:
        _add_others(drawn, study, found, (x, y))
        theme.sample_note(drawn, f"{shown.words}; {WORDS}")
        numbers = {trial.number for trial in shown.trials}
        found = [each for each in found if each.trial.number in numbers]
    for name, colour, symbol, group in _groups(study, found):
        line = {"width": 2} if name in (RUNNING, WAITING) else {"width": 1, "color": "white"}
        drawn.add_scatter(
            x=[each.x for each in group],
            y=[each.y for each in group],
            mode="markers",
            name=name,
            customdata=[each.trial.number for each in group],
            hoverinfo="text",
            hovertext=[theme.trial_text(each.trial, study.objective, is_brief=is_brief) for each in group],
            marker={"color": colour, "symbol": symbol, "size": 16 if symbol == "star" else 10, "line": line},
        )
    return drawn


def _add_others(drawn: go.Figure, study: StudyOverview, found: Sequence[Place], names: tuple[str, str]) -> None:
    """A dot for every trial."""
    on_x, on_y = (place_on(study, name) for name in names)
    dots = [(on_x(each.x), on_y(each.y), each.trial.kind) for each in found]
    kept = [math.isfinite(x) and math.isfinite(y) for x, y, _ in dots]
    looked_at = [each.trial.number in study.looked_at for each in found] if study.looked_at else []
    dots, looked_at = list(compress(dots, kept)), list(compress(looked_at, kept))
    if dots:
        ends = _ends([x for x, _, _ in dots]), _ends([y for _, y, _ in dots])
        add_cloud(drawn, dots, looked_at, ends, (900, 300), xref="x", yref="y")


def _ends(values: Sequence[float]) -> tuple[float, float]:
    margin = 0.01 * (max(values) - min(values)) or 0.5
    return min(values) - margin, max(values) + margin


def place_on(study: StudyOverview, axis: str) -> Callable[[float | str], float]:
    """What gives a value's place on an axis: its logarithm on a logarithmic one, of a category its index; NaN: none."""
    dimension = study.dimensions.get(axis)
    values = list(map(param, dimension.values)) if isinstance(dimension, Choice) else []
    index = {value: float(place) for place, value in enumerate(values)}
    is_logarithmic = is_log(study, axis)

    def place(value: float | str) -> float:
        if isinstance(value, str):
            return index.get(value, math.nan)
        if not is_logarithmic:
            return float(value)
        return math.log10(value) if value > 0 else math.nan

    return place


def is_log(study: StudyOverview, axis: str) -> bool:
    """Whether an axis is logarithmic: that of a parameter that is searched so."""
    dimension = study.dimensions.get(axis)
    return isinstance(dimension, FloatInterval) and dimension.log


def _axis(study: StudyOverview, name: str) -> dict[str, Any]:
    dimension = study.dimensions.get(name)
    common = {"title": {"text": plain(theme.short(name, 40)), "font": {"size": 13, "color": theme.MUTED}}}
    if isinstance(dimension, Choice):
        values = list(map(param, dimension.values))
        return {
            **common,
            "type": "category",
            "categoryorder": "array",
            "categoryarray": values,
            "tickvals": values,
            "ticktext": [plain(theme.short(value, _TICK)) for value in values],
        }
    return {**common, "type": "log", **LOG_TICKS} if is_log(study, name) else {**common, "type": "linear"}


def _groups(study: StudyOverview, found: list[Place]) -> list[tuple[str, str, str, list[Place]]]:
    """Name, colour, symbol and marks of each outcome, the best trial apart and on top."""
    groups = [
        (kind, colour, theme.SYMBOLS[kind], [each for each in found if each.trial.kind == kind])
        for kind, colour in theme.COLOURS.items()
    ]
    best = [each for each in found if each.trial.is_best]
    groups.append((theme.best_label(study), theme.WINNER, "star", best))
    return [group for group in groups if group[3]]
