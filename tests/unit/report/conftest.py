"""Fixtures of report tests: a builder of study folders, and one finished study with every outcome."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_studies import StudyBuilder, write_demo

from ftsweep.store.folders import StudyFolder


@pytest.fixture
def builder(tmp_path: Path) -> StudyBuilder:
    return StudyBuilder(tmp_path)


@pytest.fixture
def demo(tmp_path: Path) -> StudyFolder:
    return write_demo(tmp_path)
