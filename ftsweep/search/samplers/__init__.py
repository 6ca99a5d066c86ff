"""Who proposes settings: what `_target_` may name in the `sampler` node."""

from typing import TYPE_CHECKING

from ftsweep.exports import lazy_exports

if TYPE_CHECKING:
    from ftsweep.search.samplers.samplers import Ask, CmaEs, Gp, Grid, Qmc, Random, Sampler, Tpe

__all__ = ["Ask", "CmaEs", "Gp", "Grid", "Qmc", "Random", "Sampler", "Tpe"]

__getattr__ = lazy_exports(
    __name__,
    Ask="samplers",
    CmaEs="samplers",
    Gp="samplers",
    Grid="samplers",
    Qmc="samplers",
    Random="samplers",
    Sampler="samplers",
    Tpe="samplers",
)
