"""`model: study`: what an earlier study learned is in the base, and is refused clearly when it is not there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from ftsweep.errors import ConfigError, ModelError
from ftsweep.models.saving import save_whole
from ftsweep.models.study import StudyModel
from ftsweep.models.tiny import FOLDER, TinyModel
from ftsweep.strategies.base import fresh_modules
from ftsweep.strategies.lora import Lora
from ftsweep.testing.random_models import random_bert
from ftsweep.testing.weights import outputs, train

LABELS = ["apple", "pear", "plum"]
CPU = torch.device("cpu")


def export(folder: Path, **manifest: Any) -> Path:
    """The files beside the weights of an exported model."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder.parent / "sweep.yaml").write_text("")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(FOLDER / name, folder)
    facts = {"model": TinyModel().reference(), "task": {}, "strategy": {}, "schema": {"labels": LABELS}, **manifest}
    (folder / "ftsweep.json").write_text(json.dumps(facts))
    return folder


@pytest.fixture
def adapted(tmp_path: Path) -> torch.Tensor:
    """Makes the study `lora` of a trained adapter with a head; its answers."""
    torch.manual_seed(0)
    base = TinyModel().load("sequence_classification", labels=LABELS, dtype=torch.float32, device=CPU)
    strategy = Lora(rank=2)
    model = strategy.apply(base, "sequence_classification")
    train(model)
    strategy.save(model, export(tmp_path / "studies" / "lora" / "model"))
    return outputs(model)


def load(source: StudyModel, labels: list[str], head: Any = "sequence_classification") -> Any:
    torch.manual_seed(7)
    return source.load(head, labels=labels, dtype=torch.float32, device=CPU)


def test_adapter_is_merged_into_an_ordinary_base(adapted: torch.Tensor, tmp_path: Path) -> None:
    model = load(StudyModel(study="lora", store=str(tmp_path)), LABELS)
    torch.testing.assert_close(outputs(model), adapted, atol=1e-5, rtol=1e-5)
    assert type(model).__name__ == "LlamaForSequenceClassification"
    assert fresh_modules(model, "sequence_classification") == {}


def test_body_carries_over_and_the_head_is_new_for_other_labels(adapted: torch.Tensor, tmp_path: Path) -> None:
    source = StudyModel(study="lora", store=str(tmp_path))
    same, other = load(source, LABELS), load(source, ["pear", "apple", "plum"])
    assert set(fresh_modules(other, "sequence_classification")) == {"score"}
    assert not torch.equal(other.score.weight, same.score.weight)
    untouched = TinyModel().load("sequence_classification", labels=LABELS, dtype=torch.float32, device=CPU)
    key = "model.layers.0.self_attn.q_proj.weight"
    assert torch.equal(other.state_dict()[key], same.state_dict()[key])
    assert not torch.equal(other.state_dict()[key], untouched.state_dict()[key])


def test_head_over_texts_is_no_head_over_tokens(tmp_path: Path) -> None:
    model = random_bert(num_labels=3)
    model.config.id2label = dict(enumerate(LABELS))
    folder = export(tmp_path / "studies" / "whole" / "model")
    model.resize_token_embeddings(len(TinyModel().tokenizer()))
    save_whole(model, folder)
    source = StudyModel(study="whole", store=str(tmp_path))
    assert fresh_modules(load(source, LABELS), "sequence_classification") == {}
    of_tokens = load(source, LABELS, "token_classification")
    assert set(fresh_modules(of_tokens, "token_classification")) == {"classifier"}


def test_merging_is_paid_once_and_follows_the_adapter(adapted: torch.Tensor, tmp_path: Path) -> None:
    source = StudyModel(study="lora", store=str(tmp_path))
    first = source.fingerprint()
    load(source, LABELS)
    (merged,) = (tmp_path / "cache" / "merged").iterdir()
    written = (merged / "model.safetensors").stat().st_mtime_ns
    load(StudyModel(study="lora", store=str(tmp_path)), LABELS)
    assert (merged / "model.safetensors").stat().st_mtime_ns == written
    config = tmp_path / "studies" / "lora" / "model" / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "lora_alpha": 1}))
    assert source.fingerprint() != first


def test_study_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "studies" / "running").mkdir(parents=True)
    (tmp_path / "studies" / "running" / "sweep.yaml").write_text("")
    with pytest.raises(ModelError, match="has not come to its end") as caught:
        StudyModel(study="running", store=str(tmp_path)).fingerprint()
    assert caught.value.where == "model.study=running"
    with pytest.raises(ModelError, match=r"there is no study 'runing'.*Did you mean 'running'"):
        StudyModel(study="runing", store=str(tmp_path)).tokenizer()


def test_answers_that_stand_beside_the_base_are_refused(tmp_path: Path) -> None:
    folder = export(tmp_path / "studies" / "prompted" / "model")
    source = StudyModel(study="prompted", store=str(tmp_path))
    with pytest.raises(ModelError, match="stands beside its base"):
        source.fingerprint()
    (folder / "adapter_config.json").write_text(json.dumps({"task_type": "CAUSAL_LM", "num_virtual_tokens": 4}))
    with pytest.raises(ModelError, match="stands beside its base"):
        source.load("causal_lm", labels=None, dtype=torch.float32, device=CPU)


@pytest.mark.parametrize("name", ["../elsewhere", "", 3])
def test_what_cannot_name_a_study_is_refused_when_built(name: Any) -> None:
    with pytest.raises(ConfigError, match="cannot be a study's name") as caught:
        StudyModel(study=name)
    assert caught.value.where == "model.study"


def test_a_pickled_adapter_is_not_opened_in_place_of_the_safe_one(adapted: torch.Tensor, tmp_path: Path) -> None:
    folder = next(tmp_path.rglob("adapter_model.safetensors")).parent
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(ModelError, match=r"has no adapter_model\.safetensors"):
        load(StudyModel(study=folder.parent.name, store=str(folder.parents[2])), ["a", "b"])
