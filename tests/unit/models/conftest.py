"""Folders with small models that the tests may damage."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ftsweep.models.tiny import FOLDER


@pytest.fixture
def tiny_folder(tmp_path: Path) -> Path:
    """A copy of the embedded model."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    for path in [*FOLDER.glob("*.json"), *FOLDER.glob("*.safetensors")]:
        shutil.copy(path, folder)
    return folder


@pytest.fixture
def bert_folder(tiny_folder: Path) -> Path:
    """A random BERT of two layers with a masked-language-model head, and the embedded model's tokenizer."""
    import torch
    from transformers import BertConfig, BertForMaskedLM

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=4096, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    (tiny_folder / "config.json").unlink()
    (tiny_folder / "generation_config.json").unlink()
    BertForMaskedLM(config).save_pretrained(tiny_folder)
    return tiny_folder
