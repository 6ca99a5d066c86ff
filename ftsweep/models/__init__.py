"""The models that are fine-tuned: what `_target_` may name in a `model` node. Torch is imported in methods only."""

from typing import TYPE_CHECKING

from ftsweep.exports import lazy_exports

if TYPE_CHECKING:
    from ftsweep.models.base import ModelSource
    from ftsweep.models.hub import HubModel
    from ftsweep.models.local import LocalModel
    from ftsweep.models.study import StudyModel
    from ftsweep.models.tiny import TinyModel

__all__ = ["HubModel", "LocalModel", "ModelSource", "StudyModel", "TinyModel"]

__getattr__ = lazy_exports(
    __name__,
    HubModel="hub",
    LocalModel="local",
    ModelSource="base",
    StudyModel="study",
    TinyModel="tiny",
)
