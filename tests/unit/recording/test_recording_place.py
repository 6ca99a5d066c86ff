"""The store's MLflow database is made whole or not at all: MLflow itself stands neither kills nor company there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftsweep.recording.mlflow_place import MlflowPlace
from ftsweep.store.folders import Store

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")


def test_making_of_the_database_that_is_cut_short_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_short(self: Any, **settings: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mlflow.MlflowClient.search_experiments", cut_short)
    place = MlflowPlace(None)
    with pytest.raises(KeyboardInterrupt):
        place.make(Store(tmp_path))
    assert list(tmp_path.iterdir()) == []
    assert place.is_missing(Store(tmp_path))
