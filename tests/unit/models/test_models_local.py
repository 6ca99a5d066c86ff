from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ftsweep.errors import ConfigError, ModelError
from ftsweep.models.folder import WHOLE_BYTES
from ftsweep.models.local import LocalModel
from ftsweep.models.tiny import TinyModel

CPU = torch.device("cpu")


def refusal(folder: Path) -> str:
    """The one message that tokenizer, fingerprint and load all give."""
    source = LocalModel(path=str(folder))
    messages = set()
    for use in (
        source.tokenizer,
        source.fingerprint,
        lambda: source.load("causal_lm", labels=None, dtype=torch.float32, device=CPU),
    ):
        with pytest.raises(ModelError) as caught:
            use()
        assert caught.value.where == f"model.path={folder}"
        assert caught.value.remedy
        messages.add(str(caught.value))
    assert len(messages) == 1
    return messages.pop()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert "there is no such folder" in refusal(tmp_path / "absent")


def test_a_file_is_no_model_folder(tiny_folder: Path) -> None:
    assert "not a folder" in refusal(tiny_folder / "model.safetensors")


def test_a_folder_without_config_is_refused(tiny_folder: Path) -> None:
    (tiny_folder / "config.json").unlink()
    assert "no config.json" in refusal(tiny_folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_pickled_weights_are_never_opened_and_the_message_says_how_to_convert(tiny_folder: Path, name: str) -> None:
    (tiny_folder / "model.safetensors").rename(tiny_folder / name)
    message = refusal(tiny_folder)
    assert "pickle" in message
    assert name in message
    assert "save_pretrained" in message


def test_a_folder_without_weights_is_refused(tiny_folder: Path) -> None:
    (tiny_folder / "model.safetensors").unlink()
    assert "no *.safetensors weights" in refusal(tiny_folder)


def test_a_folder_without_tokenizer_is_refused(tiny_folder: Path) -> None:
    (tiny_folder / "tokenizer.json").unlink()
    assert "no tokenizer" in refusal(tiny_folder)


@pytest.mark.parametrize("name", ["spm.model", "sentencepiece.model"])
def test_every_name_of_a_sentencepiece_file_is_known(tiny_folder: Path, name: str) -> None:
    (tiny_folder / "tokenizer.json").rename(tiny_folder / name)
    source = LocalModel(path=str(tiny_folder))
    before = source.fingerprint()
    (tiny_folder / name).write_bytes(b"another vocabulary")
    assert source.fingerprint() != before


@pytest.mark.parametrize(
    ("names", "named"),
    [
        (["checkpoint-500", "checkpoint-1000"], "checkpoint-1000"),
        (["snapshots/abc"], "snapshots/abc"),
        (["0_Transformer"], "0_Transformer"),
    ],
)
def test_a_folder_over_the_model_is_told_where_the_model_lies(
    tiny_folder: Path, tmp_path: Path, names: list[str], named: str
) -> None:
    above = tmp_path / "above"
    for name in names:
        shutil.copytree(tiny_folder, above / name)
    (above / "1_Pooling").mkdir()
    (above / "1_Pooling" / "config.json").write_text("{}")
    message = refusal(above)
    assert f"{', '.join(names)} below it" in message
    remedy = message.rpartition("model.path=")[2].rstrip(".")
    assert remedy == str(above / named)
    assert LocalModel(path=remedy).fingerprint()


@pytest.mark.parametrize("has_config", [True, False])
@pytest.mark.parametrize(
    ("name", "told"), [("model-Q4_K_M.gguf", "GGUF"), ("onnx/model.onnx", "ONNX"), ("tf_model.h5", "TensorFlow")]
)
def test_weights_for_something_else_are_called_what_they_are(
    tiny_folder: Path, has_config: bool, name: str, told: str
) -> None:
    (tiny_folder / name).parent.mkdir(exist_ok=True)
    (tiny_folder / "model.safetensors").rename(tiny_folder / name)
    if not has_config:
        (tiny_folder / "config.json").unlink()
    assert f"{told} ({name})" in refusal(tiny_folder)


def test_files_that_no_index_names_are_refused(tiny_folder: Path) -> None:
    (tiny_folder / "model.safetensors").rename(tiny_folder / "consolidated.safetensors")
    assert "the folder has consolidated.safetensors, but no model.safetensors" in refusal(tiny_folder)
    (tiny_folder / "model.safetensors.index.json").write_text("{}")
    assert "does not say which weights lie in which file" in refusal(tiny_folder)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_clone_without_its_large_files_is_told_how_to_fetch_them(tiny_folder: Path, name: str) -> None:
    (tiny_folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    message = refusal(tiny_folder)
    assert name in message
    assert "lfs pull" in message


@pytest.mark.parametrize("has_config", [True, False])
def test_an_adapter_is_not_taken_for_a_model(tiny_folder: Path, has_config: bool) -> None:
    (tiny_folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "org/base"}))
    if not has_config:
        (tiny_folder / "config.json").unlink()
    message = refusal(tiny_folder)
    assert "PEFT adapter" in message
    assert "'org/base'" in message


@pytest.mark.parametrize("path", ["", "  ", None])
def test_an_empty_path_is_refused_when_built(path: str | None) -> None:
    with pytest.raises(ConfigError, match=r"model\.path"):
        LocalModel(path=path)  # type: ignore[arg-type]


def test_a_relative_path_still_holds_in_another_folder(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tiny_folder.parent)
    source = LocalModel(path="tiny")
    monkeypatch.chdir(tmp_path.parent)
    assert source.reference()["path"] == str(tiny_folder)
    assert source.fingerprint()


def test_the_fingerprint_does_not_depend_on_the_place(tiny_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_folder, tmp_path / "other")
    prints = {
        LocalModel(path=str(tiny_folder)).fingerprint(),
        LocalModel(path=str(tmp_path / "other")).fingerprint(),
        TinyModel().fingerprint(),
    }
    assert len(prints) == 1


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_the_fingerprint_changes_with_settings_and_tokenizer(tiny_folder: Path, name: str) -> None:
    source = LocalModel(path=str(tiny_folder))
    before = source.fingerprint()
    (tiny_folder / name).write_text((tiny_folder / name).read_text() + "\n")
    assert source.fingerprint() != before


def test_the_fingerprint_changes_with_one_weight(tiny_folder: Path) -> None:
    source = LocalModel(path=str(tiny_folder))
    before = source.fingerprint()
    weights = load_file(tiny_folder / "model.safetensors")
    weights["model.norm.weight"][0] += 1
    save_file(weights, tiny_folder / "model.safetensors", metadata={"format": "pt"})
    assert source.fingerprint() != before


def test_the_fingerprint_of_large_weights_sees_a_fine_tune_and_reads_little(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftsweep.models.folder.WHOLE_BYTES", 1 << 10)
    monkeypatch.setattr("ftsweep.models.folder.BLOCK_BYTES", 1 << 10)
    assert (tiny_folder / "model.safetensors").stat().st_size < WHOLE_BYTES
    source = LocalModel(path=str(tiny_folder))
    before = source.fingerprint()
    assert before == source.fingerprint()
    weights = load_file(tiny_folder / "model.safetensors")
    for name in list(weights):
        weights[name] = weights[name] * 1.01
    save_file(weights, tiny_folder / "model.safetensors", metadata={"format": "pt"})
    assert source.fingerprint() != before


def test_sharded_weights_load(tiny_folder: Path) -> None:
    model = LocalModel(path=str(tiny_folder)).load("causal_lm", labels=None, dtype=torch.float32, device=CPU)
    (tiny_folder / "model.safetensors").unlink()
    model.save_pretrained(tiny_folder, max_shard_size="1MB")
    assert not (tiny_folder / "model.safetensors").exists()
    again = LocalModel(path=str(tiny_folder)).load("causal_lm", labels=None, dtype=torch.float32, device=CPU)
    assert all(torch.equal(left, right) for left, right in zip(model.parameters(), again.parameters(), strict=True))


def test_a_missing_shard_is_refused(tiny_folder: Path) -> None:
    source = LocalModel(path=str(tiny_folder))
    model = source.load("causal_lm", labels=None, dtype=torch.float32, device=CPU)
    (tiny_folder / "model.safetensors").unlink()
    model.save_pretrained(tiny_folder, max_shard_size="1MB")
    next(tiny_folder.glob("model-00002-of-*.safetensors")).unlink()
    assert "of the 5 files with its weights model-00002-of-00005.safetensors is absent" in refusal(tiny_folder)
