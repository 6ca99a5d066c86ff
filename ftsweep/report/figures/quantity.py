"""The objective against how much of train the chosen setting was given."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftsweep.domain.objective import Objective
from ftsweep.domain.spelling import number
from ftsweep.report.figures import theme
from ftsweep.report.overview import StudyOverview
from ftsweep.report.wording import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLE = "Would more data help?"
READING = (
    "The chosen setting trained on nested parts of train with the same fresh seeds: a point per seed, the line through "
    "their mean. Equal steps to the right are doublings. A line that still gets better at its right end says that more "
    "data would help."
)
_COLOUR = "#0072b2"


@dataclass(frozen=True)
class Part:
    """One share of train."""

    share: float
    num_examples: int
    mean: float
    """NaN where a seed's run did not complete."""
    values: tuple[float, ...]


@dataclass(frozen=True)
class Info:
    objective: Objective
    parts: tuple[Part, ...]


def is_about(study: StudyOverview) -> bool:
    """Whether the study was asked (`selection.quantity`)."""
    return study.conclusion.quantity is not None


def info(study: StudyOverview) -> Info:
    quantity = study.conclusion.quantity
    parts = [
        Part(point.share, point.num_examples, point.mean, tuple(value for value in point.values if value is not None))
        for point in (quantity.points if quantity else ())
    ]
    return Info(study.objective, tuple(parts))


def figure(info: Info) -> go.Figure:
    import plotly.graph_objects as go

    values = [value for part in info.parts for value in part.values]
    if not values:
        return theme.empty("The chosen setting was not trained on parts of train (selection.quantity).")
    low, high = theme.view(values)
    drawn = go.Figure(
        layout=theme.layout(
            xaxis={
                "title": "examples of train",
                "type": "log",
                "tickvals": [part.num_examples for part in info.parts],
                "ticktext": [f"{part.num_examples:,}<br>{part.share:.0%}" for part in info.parts],
                "showgrid": False,
            },
            yaxis={"title": plain(info.objective.key), "range": [low, high]},
        )
    )
    means = [part for part in info.parts if not math.isnan(part.mean)]
    drawn.add_scatter(
        x=[part.num_examples for part in means],
        y=[part.mean for part in means],
        mode="lines+markers",
        name="mean",
        line={"color": _COLOUR, "width": 2.5},
        marker={"color": _COLOUR, "size": 10, "line": {"width": 1, "color": "white"}},
        hoverinfo="text",
        hovertext=[f"{part.share:.0%} of train<br>mean {number(part.mean)}" for part in means],
    )
    drawn.add_scatter(
        x=[part.num_examples for part in info.parts for _ in part.values],
        y=values,
        mode="markers",
        name="each seed",
        marker={"color": _COLOUR, "size": 6, "opacity": 0.45},
        hoverinfo="text",
        hovertext=[f"{part.share:.0%} of train<br>{number(value)}" for part in info.parts for value in part.values],
    )
    return drawn
