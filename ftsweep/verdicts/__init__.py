"""How well a trial fits, and whether a search looked far enough: what `_target_` may name as `guards.fit`."""

from typing import TYPE_CHECKING

from ftsweep.exports import lazy_exports

if TYPE_CHECKING:
    from ftsweep.verdicts.trial import FitVerdicts

__all__ = ["FitVerdicts"]

__getattr__ = lazy_exports(
    __name__,
    FitVerdicts="trial",
)
