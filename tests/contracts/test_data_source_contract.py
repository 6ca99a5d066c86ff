"""The shipped sources keep the contract that plug-ins are held to."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ftsweep.data.base import DataSource
from ftsweep.data.sources.files import Files
from ftsweep.data.sources.hub import Hub
from ftsweep.data.sources.pydocs import PyDocs
from ftsweep.data.sources.topics import Topics
from ftsweep.testing.data_source import DataSourceContract

ROWS = [{"text": f"sentence number {index}", "label": "ab"[index % 2], "other": index} for index in range(12)]


class TestFilesContract(DataSourceContract):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path):
        self.path = tmp_path / "rows.jsonl"
        self.path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))

    def make_source(self) -> DataSource:
        return Files(train=str(self.path), limit=10)


class TestHubContract(DataSourceContract):
    @pytest.fixture(autouse=True)
    def _fake_hub(self, monkeypatch):
        import datasets

        from ftsweep.data.sources import hub

        monkeypatch.setattr(
            datasets,
            "load_dataset",
            lambda name, config, revision: datasets.DatasetDict({"train": datasets.Dataset.from_list(ROWS)}),
        )
        hub._load.cache_clear()
        yield
        hub._load.cache_clear()

    def make_source(self) -> DataSource:
        return Hub(name="someone/something", group="other")


class TestPyDocsParametersContract(DataSourceContract):
    columns = ("tokens", "tags")

    @pytest.fixture(autouse=True)
    def _fewer_libraries(self, monkeypatch):
        from ftsweep.data.sources import pydocs

        monkeypatch.setattr(pydocs, "LIBRARIES", {})
        monkeypatch.setattr(pydocs, "PARAMETER_LIBRARIES", {"networkx": "networkx"})
        monkeypatch.setattr(pydocs, "PER_LIBRARY", 20)

    def make_source(self) -> DataSource:
        return PyDocs(group="module")


class TestPyDocsContract(DataSourceContract):
    columns = ("text", "label", "prompt", "completion")

    @pytest.fixture(autouse=True)
    def _fewer_libraries(self, monkeypatch):
        from ftsweep.data.sources import pydocs

        monkeypatch.setattr(pydocs, "LIBRARIES", {"networkx": "networkx", "scikit-learn": "sklearn"})
        monkeypatch.setattr(pydocs, "PER_LIBRARY", 20)

    def make_source(self) -> DataSource:
        return PyDocs(limit=30, group="module")


class TestTopicsContract(DataSourceContract):
    columns = ("text", "topic")

    def make_source(self) -> DataSource:
        return Topics(limit=30)


def test_building_a_source_imports_no_torch():
    code = (
        "import sys\n"
        "from ftsweep.data.sources.files import Files; from ftsweep.data.sources.hub import Hub\n"
        "from ftsweep.data.sources.pydocs import PyDocs\n"
        "Files(train='x.jsonl'); Hub(name='a/b'); PyDocs().fingerprint()\n"
        "print([name for name in ('torch', 'transformers', 'datasets', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
