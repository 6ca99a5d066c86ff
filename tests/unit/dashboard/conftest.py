"""Fixtures of dashboard tests: a study that runs, one that is done, and the server's test client."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_studies import StudyBuilder, write_demo

from ftsweep.store.folders import StudyFolder

pytest.importorskip("dash", reason="the extra ftsweep[dashboard] is not installed")


@pytest.fixture
def builder(tmp_path: Path) -> StudyBuilder:
    return StudyBuilder(tmp_path)


@pytest.fixture
def demo(tmp_path: Path) -> StudyFolder:
    return write_demo(tmp_path)
