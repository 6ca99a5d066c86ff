"""Who stops trials that fall behind: what `_target_` may name in the `pruner` node."""

from typing import TYPE_CHECKING

from ftsweep.exports import lazy_exports

if TYPE_CHECKING:
    from ftsweep.search.pruners.base import NoPruner, Pruner
    from ftsweep.search.pruners.curves import Curves
    from ftsweep.search.pruners.halving import Hyperband, SuccessiveHalving
    from ftsweep.search.pruners.patient import Patient
    from ftsweep.search.pruners.percentile import Median, Percentile

__all__ = ["Curves", "Hyperband", "Median", "NoPruner", "Patient", "Percentile", "Pruner", "SuccessiveHalving"]

__getattr__ = lazy_exports(
    __name__,
    Curves="curves",
    Hyperband="halving",
    Median="percentile",
    NoPruner="base",
    Patient="patient",
    Percentile="percentile",
    Pruner="base",
    SuccessiveHalving="halving",
)
