"""What a study found, for people: an overview as pure data, figures and tables made of it, one page.

`HtmlPage` is what `_target_` may name in the `report` node.
"""

from typing import TYPE_CHECKING

from ftsweep.exports import lazy_exports

if TYPE_CHECKING:
    from ftsweep.report.base import Report
    from ftsweep.report.figures.base import Figure
    from ftsweep.report.overview import StudyOverview
    from ftsweep.report.page import HtmlPage

__all__ = ["Figure", "HtmlPage", "Report", "StudyOverview"]

__getattr__ = lazy_exports(
    __name__,
    Figure="figures.base",
    HtmlPage="page",
    Report="base",
    StudyOverview="overview",
)
