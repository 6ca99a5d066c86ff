"""Figures of a study: one file each, a pure `info` function of the study and a `figure` function of that info.

A figure's module has `TITLE`, `READING` (how to read it), `info(study)` and `figure(info)`, and `is_about(study)` where
some studies have nothing of the kind. A trace of trials has their numbers as `customdata`, one of a single trial its
number as `meta`: by these a dashboard selects trials. A user's figure is an object with the same names (`base.Figure`).
Importing it does not import plotly; drawing does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from ftsweep.errors import ConfigError, StudyError, suggest
from ftsweep.report.figures import theme
from ftsweep.report.figures.base import Figure
from ftsweep.report.overview import StudyOverview

if TYPE_CHECKING:
    import plotly.graph_objects as go

READING_ORDER = (
    "winner_evidence",
    "strategy_comparison",
    "k_curve",
    "quantity",
    "confusion",
    "calibration",
    "history",
    "learning_curves",
    "parallel_coordinates",
    "slices",
    "contour",
    "importances",
    "train_vs_validation",
    "forgetting",
    "timeline",
    "budget",
)
"""The figures there are, in the order in which a page shows them."""


class FigureModule(Protocol):
    TITLE: str
    READING: str

    def info(self, study: StudyOverview) -> Any: ...

    def figure(self, info: Any) -> go.Figure: ...


def load(name: str | Figure) -> FigureModule:
    """A figure by its name; one of the user's own as it is.

    Raises:
        ConfigError: there is none of that name; the message names the near ones. Or one of the user's own has no text
            for its `TITLE` or `READING`.
    """
    if isinstance(name, Figure):
        for wanted in ("TITLE", "READING"):
            if not isinstance(getattr(name, wanted, None), str):
                what = f"{type(name).__name__} has no {wanted}"
                raise ConfigError(what, where="report.figures", remedy="Give its class one, a text.")
        return name
    if not isinstance(name, str):
        remedy = "Give a name, or a node with the `_target_` of a class that derives from ftsweep.report.Figure."
        raise ConfigError(f"{name!r} is no figure", where="report.figures", remedy=remedy)
    if name not in READING_ORDER:
        raise ConfigError(f"there is no figure {name!r}", where="report.figures", remedy=suggest(name, READING_ORDER))
    return cast(FigureModule, import_module(f"ftsweep.report.figures.{name}"))


def is_about(name: str | Figure, study: StudyOverview) -> bool:
    """Whether the study has what the named figure is about; of most figures every study has."""
    module: Any = load(name)
    return not hasattr(module, "is_about") or bool(module.is_about(study))


def draw(name: str | Figure, study: StudyOverview) -> go.Figure:
    """The named figure of a study; one that does not say how high it is, is as high as most.

    Raises:
        StudyError: one of the user's own draws something else.
    """
    from plotly.basedatatypes import BaseFigure

    module = load(name)
    figure = module.figure(module.info(study))
    if not isinstance(figure, BaseFigure):
        what = f"`{type(module).__name__}.figure` gives {figure!r}, which is no figure of plotly"
        raise StudyError(what, where="report.figures", remedy="Mend it and run the same command again.")
    if figure.layout.height is None:
        figure.update_layout(height=theme.HEIGHT)
    return figure
