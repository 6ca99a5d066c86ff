"""What tests of a worker share."""

from __future__ import annotations

import pytest

from ftsweep.worker.engine import Engine


@pytest.fixture
def engine() -> Engine:
    """A fresh one, with nothing loaded."""
    return Engine(threads=1)
