"""Who stops trials that fall behind: what `_target_` may name in the `pruner` node."""

from typing import TYPE_CHECKING

from ftsweep.exports import lazy_exports

if TYPE_CHECKING:
    from ftsweep.search.pruners.curves import Curves
    from ftsweep.search.pruners.pruners import (
        Hyperband,
        Median,
        NoPruner,
        Patient,
        Percentile,
        Pruner,
        SuccessiveHalving,
    )

__all__ = ["Curves", "Hyperband", "Median", "NoPruner", "Patient", "Percentile", "Pruner", "SuccessiveHalving"]

__getattr__ = lazy_exports(
    __name__,
    Curves="curves",
    Hyperband="pruners",
    Median="pruners",
    NoPruner="pruners",
    Patient="pruners",
    Percentile="pruners",
    Pruner="pruners",
    SuccessiveHalving="pruners",
)
