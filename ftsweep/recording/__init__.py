"""Who else hears of a study: what `_target_` may name in the `recording` node. MLflow is imported in methods only."""

from typing import TYPE_CHECKING

from ftsweep.exports import lazy_exports

if TYPE_CHECKING:
    from ftsweep.recording.base import ChosenModel, NullRecorder, Recorder, StudyFacts
    from ftsweep.recording.mlflow import MlflowRecorder

__all__ = ["ChosenModel", "MlflowRecorder", "NullRecorder", "Recorder", "StudyFacts"]

__getattr__ = lazy_exports(
    __name__,
    ChosenModel="base",
    MlflowRecorder="mlflow",
    NullRecorder="base",
    Recorder="base",
    StudyFacts="base",
)
