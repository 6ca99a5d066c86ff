"""A figure of one's own: what an item of `report.figures` may name by `_target_`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from ftsweep.domain.component import Component
from ftsweep.report.overview import StudyOverview

if TYPE_CHECKING:
    import plotly.graph_objects as go


class Figure(Component, ABC):
    """Draws something of a study. It has what a module of a shipped figure has; plotly is imported in `figure` only."""

    component_kind = "figure"

    TITLE: str
    READING: str
    """How to read it, in a sentence or two."""

    def is_about(self, study: StudyOverview) -> bool:
        """Whether the study has what the figure is about."""
        return True

    @abstractmethod
    def info(self, study: StudyOverview) -> Any:
        """The numbers that are drawn. A pure function of the study."""

    @abstractmethod
    def figure(self, info: Any) -> go.Figure:
        """The drawing of these numbers, `height` of its layout (in pixels) high, or as high as most."""
