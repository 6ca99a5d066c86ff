"""Who proposes settings: what `_target_` may name in the `sampler` node."""

from typing import TYPE_CHECKING

from ftsweep.exports import lazy_exports

if TYPE_CHECKING:
    from ftsweep.search.samplers.base import Ask, Sampler
    from ftsweep.search.samplers.cma import CmaEs
    from ftsweep.search.samplers.gp import Gp
    from ftsweep.search.samplers.plain import Grid, Random
    from ftsweep.search.samplers.qmc import Qmc
    from ftsweep.search.samplers.tpe import Tpe

__all__ = ["Ask", "CmaEs", "Gp", "Grid", "Qmc", "Random", "Sampler", "Tpe"]

__getattr__ = lazy_exports(
    __name__,
    Ask="base",
    CmaEs="cma",
    Gp="gp",
    Grid="plain",
    Qmc="qmc",
    Random="plain",
    Sampler="base",
    Tpe="tpe",
)
