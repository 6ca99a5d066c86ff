"""How far the winner's probabilities can be believed, on test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftsweep.domain.spelling import number
from ftsweep.report.figures import theme
from ftsweep.report.overview import StudyOverview
from ftsweep.report.tables.classes import details_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLE = "Calibration on test"
READING = (
    "Predictions in bins of the probability that the winner gave them: above the dashed line they came true more often "
    "than it said, below less often (it is too sure of itself). The bars say how many predictions a bin has."
)


@dataclass(frozen=True)
class Info:
    bins: tuple[Mapping[str, float], ...]
    """`low`, `high`, `count`, `probability` (mean), `came_true` (share), by rising probability."""
    error: float
    """Expected calibration error: the mean distance of probability and truth over all predictions."""


def is_about(study: StudyOverview) -> bool:
    """Whether the winner's probabilities on test were compared with what came true."""
    return bool(details_of(study, study.best).get("reliability"))


def info(study: StudyOverview) -> Info:
    bins = tuple(details_of(study, study.best).get("reliability", ()))
    total = sum(entry["count"] for entry in bins)
    error = sum(entry["count"] * abs(entry["probability"] - entry["came_true"]) for entry in bins)
    return Info(bins, error / total if total else 0.0)


def figure(info: Info) -> go.Figure:
    if not info.bins:
        return theme.empty("The winner's probabilities on test have not been compared with what came true.")
    drawn = _panels()
    drawn.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": theme.BASELINE, "width": 1.5, "dash": "dash"},
        hoverinfo="skip",
        row=1,
        col=1,
    )
    texts = [_text(entry) for entry in info.bins]
    drawn.add_scatter(
        x=[entry["probability"] for entry in info.bins],
        y=[entry["came_true"] for entry in info.bins],
        mode="lines+markers",
        line={"color": theme.WINNER, "width": 2},
        marker={"size": 9, "color": theme.WINNER, "line": {"width": 1, "color": "white"}},
        hoverinfo="text",
        hovertext=texts,
        row=1,
        col=1,
    )
    drawn.add_bar(
        x=[(entry["low"] + entry["high"]) / 2 for entry in info.bins],
        y=[entry["count"] for entry in info.bins],
        width=[0.9 * (entry["high"] - entry["low"]) for entry in info.bins],
        marker={"color": theme.COLOURS["complete"]},
        hoverinfo="text",
        hovertext=texts,
        row=2,
        col=1,
    )
    drawn.add_annotation(
        text=f"expected calibration error <b>{number(info.error, digits=3)}</b>",
        x=0.01,
        y=0.94,
        xref="x domain",
        yref="y domain",
        xanchor="left",
        yanchor="top",
        showarrow=False,
        font={"size": 13, "color": theme.INK},
    )
    return drawn


def _panels() -> go.Figure:
    """Two empty panels over one axis of probability: what came true, and how many predictions there are."""
    from plotly.subplots import make_subplots

    drawn = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.74, 0.26], vertical_spacing=0.05)
    drawn.update_layout(theme.layout(height=460, showlegend=False))
    drawn.update_xaxes(**theme.axes_style(), range=[0, 1.02], tickformat=".0%")
    drawn.update_yaxes(**theme.axes_style())
    title = {"font": {"size": 13, "color": theme.MUTED}, "standoff": 10}
    drawn.update_yaxes(title={**title, "text": "came true"}, range=[-0.02, 1.04], tickformat=".0%", row=1)
    drawn.update_yaxes(title={**title, "text": "predictions"}, rangemode="tozero", row=2)
    drawn.update_xaxes(title={**title, "text": "probability"}, row=2)
    return drawn


def _text(entry: Mapping[str, float]) -> str:
    return (
        f"said <b>{entry['probability']:.0%}</b>, came true <b>{entry['came_true']:.0%}</b>"
        f"<br>{entry['count']} predictions between {entry['low']:.0%} and {entry['high']:.0%}"
    )
