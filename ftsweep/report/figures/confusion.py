"""Which classes the winner takes for which, on test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftsweep.report.figures import theme
from ftsweep.report.overview import StudyOverview
from ftsweep.report.tables.classes import details_of
from ftsweep.report.wording import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLE = "Confusion on test"
READING = (
    "Each row is a true class and shows what the winner called its texts: the darker, the larger the share. The "
    "diagonal is right; what stands beside it is taken for something else."
)
MAX_CLASSES = 30
MAX_NAMED_CELLS = 15
"""Up to so many classes the cells hold their counts."""


@dataclass(frozen=True)
class Info:
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """Rows of test by [true class][predicted class]."""
    supports: tuple[int, ...]
    """Rows of test by true class, those among them that were taken for a class which is not shown."""
    num_classes: int
    """How many there are; the figure shows those with the most mistakes when they are too many."""


def is_about(study: StudyOverview) -> bool:
    """Whether the winner's predictions on test were counted by class."""
    return bool(details_of(study, study.best).get("confusion"))


def info(study: StudyOverview) -> Info:
    details = details_of(study, study.best)
    labels, matrix = details.get("labels", ()), details.get("confusion", ())
    supports = [sum(counts) for counts in matrix]
    predicted = [sum(column) for column in zip(*matrix, strict=True)]
    mistakes = [supports[index] + predicted[index] - 2 * matrix[index][index] for index in range(len(labels))]
    most = sorted(range(len(labels)), key=lambda index: (-mistakes[index], index))[:MAX_CLASSES]
    shown = sorted(most)
    return Info(
        labels=tuple(labels[index] for index in shown),
        counts=tuple(tuple(matrix[true][guess] for guess in shown) for true in shown),
        supports=tuple(supports[index] for index in shown),
        num_classes=len(labels),
    )


def figure(info: Info) -> go.Figure:
    import plotly.graph_objects as go

    if not info.labels:
        return theme.empty("The winner's predictions on test have not been counted by class.")
    size = len(info.labels)
    names = [plain(theme.short(label, 28)) for label in info.labels]
    # Numbered places and not names: two names that are cut may be equal, and an axis of names would merge them.
    axis = {"tickvals": list(range(size)), "ticktext": names, "showgrid": False, "ticks": "", "constrain": "domain"}
    drawn = go.Figure(
        layout=theme.layout(
            height=150 + max(220, min(820, 48 * size)),
            xaxis={**axis, "title": "predicted", "side": "bottom"},
            yaxis={**axis, "title": "true", "autorange": "reversed"},
        )
    )
    shares = [
        [count / support if support else None for count in counts]
        for counts, support in zip(info.counts, info.supports, strict=True)
    ]
    drawn.add_heatmap(
        z=shares,
        x=list(range(size)),
        y=list(range(size)),
        zmin=0,
        zmax=1,
        colorscale=[[0, "#f5f9fc"], [1, theme.COLOURS["complete"]]],
        xgap=2,
        ygap=2,
        text=[[str(count) for count in counts] for counts in info.counts] if size <= MAX_NAMED_CELLS else None,
        texttemplate="%{text}" if size <= MAX_NAMED_CELLS else None,
        hoverinfo="text",
        hovertext=_hover_texts(info),
        colorbar={
            "title": {"text": "share of the<br>true class", "font": {"size": 12}},
            "tickformat": ".0%",
            "thickness": 12,
            "outlinewidth": 0,
        },
    )
    if size < info.num_classes:
        _say_how_many(drawn, info)
    return drawn


def _say_how_many(drawn: go.Figure, info: Info) -> None:
    drawn.add_annotation(
        text=f"the {len(info.labels)} of {info.num_classes} classes with the most mistakes",
        x=0,
        y=1,
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="bottom",
        yshift=6,
        showarrow=False,
        font={"size": 11, "color": theme.MUTED},
    )


def _hover_texts(info: Info) -> list[list[str]]:
    names = [plain(theme.short(label, 60)) for label in info.labels]
    return [
        [
            f"true <b>{true}</b>, predicted <b>{guess}</b><br>{count} of {support} rows"
            + (f" ({count / support:.0%})" if support else "")
            for guess, count in zip(names, counts, strict=True)
        ]
        for true, counts, support in zip(names, info.counts, info.supports, strict=True)
    ]
