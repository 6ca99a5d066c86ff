"""How much of the difference between trials each parameter explains."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftsweep.report.figures import theme
from ftsweep.report.overview import StudyOverview
from ftsweep.report.wording import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLE = "Importances"
READING = (
    "The share of the difference between trials that each parameter explains. With few trials this is a hint, not a "
    "finding: widen or refine the long bars first, fix the short ones."
)


@dataclass(frozen=True)
class Info:
    shares: tuple[tuple[str, float], ...]
    """(parameter, share of 1), the largest first."""
    num_complete: int


def info(study: StudyOverview) -> Info:
    shares = sorted(study.result.importances.items(), key=lambda item: (-item[1], item[0]))
    return Info(
        tuple((name, share) for name, share in shares if math.isfinite(share)),
        sum(trial.is_complete for trial in study.trials),
    )


def figure(info: Info) -> go.Figure:
    import plotly.graph_objects as go

    if not info.shares:
        return theme.empty(
            f"Too few complete trials ({info.num_complete}) to tell the parameters' importances."
            if info.num_complete < 4
            else "The importances of the parameters have not been computed for this study."
        )
    ordered = info.shares[::-1]  # Plotly draws the first bar at the bottom
    drawn = go.Figure(
        go.Bar(
            x=[share for _, share in ordered],
            y=[plain(name) for name, _ in ordered],
            orientation="h",
            marker={"color": theme.COLOURS["complete"]},
            width=0.62,
            text=[f"{share:.0%}" for _, share in ordered],
            textposition="outside",
            cliponaxis=False,
            hoverinfo="text",
            hovertext=[f"{plain(name)}: <b>{share:.1%}</b>" for name, share in ordered],
        ),
        layout=theme.layout(
            height=110 + 36 * len(ordered),
            margin={"l": 64, "r": 48, "t": 12, "b": 48},
            xaxis={"title": "share explained", "tickformat": ".0%", "rangemode": "tozero"},
            yaxis={"type": "category", "showgrid": False, "ticks": ""},
            showlegend=False,
        ),
    )
    drawn.add_annotation(
        text=f"from {info.num_complete} complete trials",
        x=1,
        y=0,
        xref="paper",
        yref="paper",
        xanchor="right",
        yanchor="bottom",
        showarrow=False,
        font={"size": 11, "color": theme.MUTED},
    )
    return drawn
