"""Figures of a study: one file each, a pure `info` function of the study and a `figure` function of that info.

A figure's module has `TITLE`, `READING` (how to read it), `info(study)` and `figure(info)`, and `is_about(study)` where
some studies have nothing of the kind. Importing it does not import plotly; drawing does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from ftsweep.errors import ConfigError, suggest
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
    "importances",
    "train_vs_validation",
    "forgetting",
    "timeline",
)
"""The figures there are, in the order in which a page shows them."""


class FigureModule(Protocol):
    TITLE: str
    READING: str

    def info(self, study: StudyOverview) -> Any: ...

    def figure(self, info: Any) -> go.Figure: ...


def load(name: str) -> FigureModule:
    """A figure by its name.

    Raises:
        ConfigError: there is none of that name; the message names the near ones.
    """
    if name not in READING_ORDER:
        raise ConfigError(f"there is no figure {name!r}", where="report.figures", remedy=suggest(name, READING_ORDER))
    return cast(FigureModule, import_module(f"ftsweep.report.figures.{name}"))


def is_about(name: str, study: StudyOverview) -> bool:
    """Whether the study has what the named figure is about; of most figures every study has."""
    module: Any = load(name)
    return not hasattr(module, "is_about") or bool(module.is_about(study))


def draw(name: str, study: StudyOverview) -> go.Figure:
    """The named figure of a study."""
    module = load(name)
    return module.figure(module.info(study))
