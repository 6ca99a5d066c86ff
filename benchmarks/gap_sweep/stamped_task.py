"""Classification that notes the moment at which a trial computes its first training loss."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from ftsweep.tasks.classification import Classification

STAMPS = "FTSWEEP_BENCH_STAMPS"
"""Environment variable: the file that gets one line per trial, the time as seconds since 1970."""


class StampedClassification(Classification):
    """Each trial builds its own task, so one object sees one trial."""

    def __init__(self, *, max_length: int = 128) -> None:
        super().__init__(max_length=max_length)
        self._is_stamped = False

    def losses(self, model: Any, batch: Mapping[str, Any]) -> Any:
        if model.training and not self._is_stamped:
            self._is_stamped = True
            with open(os.environ[STAMPS], "a", encoding="ascii") as file:
                file.write(f"{time.time()!r}\n")
        return super().losses(model, batch)
