"""How much of the difference between trials each parameter explains."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftsweep.report.figures import theme
from ftsweep.report.overview import StudyOverview
from ftsweep.report.wording import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLE = "Importances"
READING = (
    "The share of the difference between trials that each parameter explains. With few trials this is a hint, not a "
    "finding: widen or refine the long bars first, fix the short ones. A thin line spans the middle 80 % of a share "
    "when trials are drawn again at random: bars whose lines overlap are not told apart."
)


@dataclass(frozen=True)
class Info:
    shares: tuple[tuple[str, float], ...]
    """(parameter, share of 1), the largest first."""
    ranges: Mapping[str, Sequence[float]]
    """By parameter the low and the high end of its share, where they are known."""
    num_complete: int


def info(study: StudyOverview) -> Info:
    shares = sorted(study.result.importances.items(), key=lambda item: (-item[1], item[0]))
    return Info(
        tuple((name, share) for name, share in shares if math.isfinite(share)),
        study.result.importance_ranges,
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
            error_x=_spread(info, ordered),
            hoverinfo="text",
            hovertext=[_told(info, name, share) for name, share in ordered],
        ),
        layout=theme.layout(
            height=110 + 36 * len(ordered),
            margin={"l": 64, "r": 48, "t": 12, "b": 48},
            xaxis={"title": "share explained", "tickformat": ".0%", "rangemode": "tozero"},
            yaxis={"type": "category", "showgrid": False, "ticks": ""},
            showlegend=False,
        ),
    )
    for name, share in ordered:
        drawn.add_annotation(
            text=f"{share:.0%}",
            x=max(share, *info.ranges.get(name, (share,))),
            y=plain(name),
            xanchor="left",
            xshift=6,
            showarrow=False,
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


def _spread(info: Info, ordered: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """Lines from the low to the high end; a bar without a range has none."""
    ends = [info.ranges.get(name, (share, share)) for name, share in ordered]
    above = [max(0.0, end[1] - share) for end, (_, share) in zip(ends, ordered, strict=True)]
    below = [max(0.0, share - end[0]) for end, (_, share) in zip(ends, ordered, strict=True)]
    return {"array": above, "arrayminus": below, "color": theme.INK, "thickness": 1.5, "width": 5}


def _told(info: Info, name: str, share: float) -> str:
    low, high = info.ranges.get(name, (share, share))
    between = f" ({low:.0%} to {high:.0%})" if name in info.ranges else ""
    return f"{plain(name)}: <b>{share:.1%}</b>{between}"
