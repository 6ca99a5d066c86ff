"""What a study found, for people: rows (pure data), figures (pure functions of rows), one self-contained page.

`HtmlPage` is what `_target_` may name in the `report` node.
"""

from typing import TYPE_CHECKING

from ftsweep.exports import lazy_exports

if TYPE_CHECKING:
    from ftsweep.report.base import Report
    from ftsweep.report.figures.base import Figure
    from ftsweep.report.page import HtmlPage
    from ftsweep.report.rows import StudyRows

__all__ = ["Figure", "HtmlPage", "Report", "StudyRows"]

__getattr__ = lazy_exports(
    __name__,
    Figure="figures.base",
    HtmlPage="page",
    Report="base",
    StudyRows="rows",
)
