"""Trials as marks of a figure: with a hover box each, of thousands drawn in WebGL with short ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ftsweep.domain.objective import Objective
from ftsweep.report.figures import theme
from ftsweep.report.figures.drawn import MAX_MARKS
from ftsweep.report.trial_summary import TrialSummary
from ftsweep.report.wording import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

_SMALL = 6
"""Pixels, of marks that are many."""


def add_marks(
    drawn: go.Figure,
    trials: Sequence[TrialSummary],
    x: Sequence[Any],
    y: Sequence[Any],
    objective: Objective,
    *,
    marker: dict[str, Any],
    is_brief: bool = False,
    point: str = "%{y:.4g}",
    row: int | None = None,
    col: int | None = None,
    **trace: Any,
) -> None:
    """Add a trace of trials; more than `MAX_MARKS` are drawn in WebGL.

    x, y: [num_trials]. point: of many marks what a hover box says of one, as Plotly's template. The others of the trace
    are Plotly's own.
    """
    import plotly.graph_objects as go

    common = {"x": x, "y": y, "mode": "markers", "customdata": [trial.number for trial in trials], **trace}
    if len(trials) <= MAX_MARKS:
        texts = [theme.trial_text(trial, objective, is_brief=is_brief) for trial in trials]
        drawn.add_trace(go.Scatter(**common, hoverinfo="text", hovertext=texts, marker=marker), row=row, col=col)
        return
    hover = f"<b>Trial %{{customdata}}</b> · {plain(trials[0].kind)}<br>{point}<extra></extra>"
    small = {**marker, "size": _SMALL, "line": {"width": 0}}
    drawn.add_trace(go.Scattergl(**common, hovertemplate=hover, marker=small), row=row, col=col)
