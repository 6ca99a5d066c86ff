"""Every shipped model source against the contract that plug-in authors use too."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from ftsweep.models.local import LocalModel
from ftsweep.models.study import StudyModel
from ftsweep.models.tiny import FOLDER, TinyModel
from ftsweep.strategies.lora import Lora
from ftsweep.testing.model_source import ModelSourceContract


class TestTinyModel(ModelSourceContract):
    @pytest.fixture
    def source(self) -> TinyModel:
        return TinyModel()


class TestLocalDecoder(ModelSourceContract):
    @pytest.fixture
    def source(self, tmp_path: Path) -> LocalModel:
        for path in [*FOLDER.glob("*.json"), *FOLDER.glob("*.safetensors")]:
            shutil.copy(path, tmp_path)
        return LocalModel(path=str(tmp_path))


class TestWholeModelOfAStudy(ModelSourceContract):
    @pytest.fixture
    def source(self, tmp_path: Path) -> StudyModel:
        shutil.copytree(FOLDER, export_folder(tmp_path), dirs_exist_ok=True)
        return StudyModel(study="earlier", store=str(tmp_path))


class TestAdapterOfAStudy(ModelSourceContract):
    @pytest.fixture
    def source(self, tmp_path: Path) -> StudyModel:
        import torch

        base = TinyModel().load("causal_lm", labels=None, dtype=torch.float32, device=torch.device("cpu"))
        strategy = Lora(rank=2)
        strategy.save(strategy.apply(base, "causal_lm"), export_folder(tmp_path))
        return StudyModel(study="earlier", store=str(tmp_path))


def export_folder(store: Path) -> Path:
    """The folder of a chosen model of the study `earlier`, without the model itself."""
    folder = store / "studies" / "earlier" / "model"
    folder.mkdir(parents=True)
    (folder / "ftsweep.json").write_text(json.dumps({"model": TinyModel().reference(), "schema": {}}))
    return folder


class TestLocalEncoder(ModelSourceContract):
    """A real BERT saved without its head for masked words, which is drawn, in float16."""

    heads = ("masked_lm", "sequence_classification", "token_classification")

    @pytest.fixture
    def source(self) -> LocalModel:
        shared = Path(os.environ.get("FTSWEEP_SHARED", Path(__file__).parents[3] / "shared"))
        if not (shared / "models" / "minilm" / "config.json").exists():
            pytest.skip("models/minilm is not there; name its parent folder with FTSWEEP_SHARED")
        return LocalModel(path=str(shared / "models" / "minilm"))
