"""Trials on other machines: the executor for a Ray cluster, its bridge process and the slots on the nodes."""

from typing import TYPE_CHECKING

from ftsweep.exports import lazy_exports

if TYPE_CHECKING:
    from ftsweep.cluster.executor import RayCluster

__all__ = ["RayCluster"]

__getattr__ = lazy_exports(__name__, RayCluster="executor")
