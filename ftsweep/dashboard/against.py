"""Any parameter or metric of trials against any other, and the objective against every parameter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftsweep.domain.space import Choice, FloatInterval
from ftsweep.report.figures import theme
from ftsweep.report.overview import StudyOverview
from ftsweep.report.trial_summary import RUNNING, TrialSummary
from ftsweep.report.wording import param, plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

TRIAL, SECONDS, RUNG = "trial number", "training seconds", "best rung"
MAX_SLICES = 12


@dataclass(frozen=True)
class Place:
    """A trial in the figure; a choice's value is its text."""

    trial: TrialSummary
    x: float | str
    y: float | str


def axes(study: StudyOverview) -> list[str]:
    """What an axis may show: parameters, all metrics at the best rung, and a few facts of a trial."""
    metrics = {key: None for trial in study.trials for key in trial.best_values()}
    rest = sorted(key for key in metrics if key != study.objective.key)
    return list(dict.fromkeys([study.objective.key, *study.param_names, *rest, TRIAL, SECONDS, RUNG]))


def first_axis(study: StudyOverview) -> str:
    """The parameter that matters most, as far as that is known; else the first."""
    shares = study.result.importances
    known = [name for name in study.param_names if name in shares]
    names = [max(known, key=shares.__getitem__)] if known else list(study.param_names)
    return names[0] if names else TRIAL


def value_of(study: StudyOverview, trial: TrialSummary, axis: str) -> float | str | None:
    """A trial's value on an axis; None where it has none."""
    facts: dict[str, float | None] = {
        study.objective.key: trial.value,
        TRIAL: trial.number,
        SECONDS: trial.train_seconds if trial.curve else None,
        RUNG: trial.best_rung,
    }
    if axis in facts:
        return facts[axis]
    found: Any = trial.params[axis] if axis in trial.params else trial.best_values().get(axis)
    if found is None and axis not in trial.params:
        return None
    if isinstance(study.dimensions.get(axis), Choice) or not isinstance(found, int | float):
        return param(found)
    return float(found) if math.isfinite(found) else None


def places(study: StudyOverview, x: str, y: str) -> list[Place]:
    """The trials that have both values."""
    found = []
    for trial in study.trials:
        left, right = value_of(study, trial, x), value_of(study, trial, y)
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
    drawn = go.Figure(layout=layout)
    for name, colour, symbol, group in _groups(study, found):
        drawn.add_scatter(**_marks(study, group, name, colour, symbol))
    return drawn


def slice_figure(study: StudyOverview) -> go.Figure:
    """The objective against each parameter, side by side."""
    from plotly.subplots import make_subplots

    names, key = list(study.param_names)[:MAX_SLICES], study.objective.key
    panels = {name: places(study, name, key) for name in names}
    panels = {name: found for name, found in panels.items() if found}
    if not panels:
        return theme.empty("No trial has parameters and a value yet.")
    num_columns = min(3, len(panels))
    num_rows = math.ceil(len(panels) / num_columns)
    drawn = make_subplots(rows=num_rows, cols=num_columns, shared_yaxes=True, vertical_spacing=0.3 / num_rows)
    drawn.update_layout(theme.layout(height=160 + 260 * num_rows))
    drawn.update_xaxes(**theme.axes_style())
    drawn.update_yaxes(**theme.axes_style())
    named: set[str] = set()
    for index, (name, found) in enumerate(panels.items()):
        row, col = index // num_columns + 1, index % num_columns + 1
        for label, colour, symbol, group in _groups(study, found):
            shown = {"legendgroup": label, "showlegend": label not in named}
            drawn.add_scatter(**_marks(study, group, label, colour, symbol), **shown, row=row, col=col)
            named.add(label)
        drawn.update_xaxes(**_axis(study, name), row=row, col=col)
    drawn.update_yaxes(title={"text": plain(key), "font": {"size": 13, "color": theme.MUTED}}, col=1)
    return drawn


def _axis(study: StudyOverview, name: str) -> dict[str, Any]:
    dimension = study.dimensions.get(name)
    common = {"title": {"text": plain(theme.short(name, 40)), "font": {"size": 13, "color": theme.MUTED}}}
    if isinstance(dimension, Choice):
        return {
            **common,
            "type": "category",
            "categoryorder": "array",
            "categoryarray": list(map(param, dimension.values)),
        }
    is_log = bool(getattr(dimension, "log", False)) and isinstance(dimension, FloatInterval)
    return {**common, "type": "log" if is_log else "linear"}


def _groups(study: StudyOverview, found: list[Place]) -> list[tuple[str, str, str, list[Place]]]:
    """Name, colour, symbol and marks of each outcome, the best trial apart and on top."""
    groups = [
        (kind, colour, theme.SYMBOLS[kind], [each for each in found if each.trial.kind == kind])
        for kind, colour in theme.COLOURS.items()
    ]
    best = [each for each in found if each.trial.is_best]
    groups.append((theme.best_label(study), theme.WINNER, "star", best))
    return [group for group in groups if group[3]]


def _marks(study: StudyOverview, group: list[Place], name: str, colour: str, symbol: str) -> dict[str, Any]:
    line = {"width": 2} if name == RUNNING else {"width": 1, "color": "white"}
    return {
        "x": [each.x for each in group],
        "y": [each.y for each in group],
        "mode": "markers",
        "name": name,
        "customdata": [each.trial.number for each in group],
        "hoverinfo": "text",
        "hovertext": [theme.trial_text(each.trial, study.objective) for each in group],
        "marker": {"color": colour, "symbol": symbol, "size": 16 if symbol == "star" else 10, "line": line},
    }
