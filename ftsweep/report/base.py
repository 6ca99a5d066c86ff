"""What a report promises: it writes what a study found into a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from ftsweep.domain.component import Component
from ftsweep.report.overview import StudyOverview


class Report(Component, ABC):
    """Writes a study for people. Constructor: keyword-only, the schema of the `report` node; it runs in control."""

    component_kind = "report"

    troubles: Sequence[str] = ()
    """What the last writing could not show, a sentence each."""

    @abstractmethod
    def write(self, study: StudyOverview, path: Path) -> Path:
        """Write it to `path`, whole or not at all; the path of what was written."""
