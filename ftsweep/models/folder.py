"""A model that lies in a folder: what it must hold, and its fingerprint. Standard library only until it is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ftsweep.errors import ModelError
from ftsweep.models.base import Head, ModelSource, Quantisation, check_dtype

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ftsweep.models.origin import Origin

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "vocab.txt",
    "vocab.json",
)
"""Any one of them is a vocabulary."""
SETTINGS_FILES = (
    "config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    "chat_template.jinja",
)
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
WHOLE_BYTES = 64 << 20
"""Weight files up to this size are hashed whole, larger ones by their header and blocks spread over the file."""
BLOCK_BYTES = 1 << 18
NUM_BLOCKS = 64


class FolderModel(ModelSource):
    """A folder with config.json, safetensors weights and a tokenizer. Nothing is read before it is asked for."""

    def __init__(self, *, folder: Path, dtype: str) -> None:
        self.folder = folder
        self.dtype = check_dtype(dtype)

    def tokenizer(self) -> PreTrainedTokenizerBase:
        from ftsweep.models.tokenizer import load_tokenizer

        return load_tokenizer(self._checked_origin())

    def fingerprint(self) -> str:
        check_folder(self.folder)
        return folder_fingerprint(self.folder)

    def load(
        self,
        head: Head,
        *,
        labels: Sequence[str] | None,
        dtype: torch.dtype,
        device: torch.device,
        quantisation: Quantisation | None = None,
    ) -> PreTrainedModel:
        from ftsweep.models.loading import load_model

        origin = self._checked_origin()
        return load_model(origin, head, labels=labels, dtype=dtype, device=device, quantisation=quantisation)

    def _checked_origin(self) -> Origin:
        from ftsweep.models.origin import Origin

        check_folder(self.folder)
        return Origin(name=str(self.folder), where=_where(self.folder))


def check_folder(folder: Path) -> None:
    """Raise ModelError when something is absent that loading needs, saying what and how to get it."""
    where = _where(folder)
    if not folder.is_dir():
        what = "this is a file, not a folder" if folder.exists() else "there is no such folder"
        raise ModelError(
            what, where=where, remedy="Name a folder with config.json, a tokenizer and safetensors weights."
        )
    if (folder / "adapter_config.json").exists():
        raise ModelError(
            f"this folder holds a PEFT adapter, not a base model{_base_of_adapter(folder)}",
            where=where,
            remedy="Name the base model, or merge the adapter into it first (peft's merge_and_unload) and save that.",
        )
    if not (folder / "config.json").is_file():
        raise ModelError(
            "the folder has no config.json", where=where, remedy="Save the model there with save_pretrained."
        )
    _check_weight_files(folder, where)
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise ModelError(
            "the folder has no tokenizer",
            where=where,
            remedy="Put the tokenizer's files there: AutoTokenizer.from_pretrained(...).save_pretrained(folder).",
        )


def _check_weight_files(folder: Path, where: str) -> None:
    if any(folder.glob("*.safetensors")):
        return
    pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
    if pickles:
        raise ModelError(
            f"the weights are pickled ({pickles[0]}), and a pickle can run any code when it is opened",
            where=where,
            remedy="If you trust it, convert it once with transformers: load it with from_pretrained and write it with "
            "save_pretrained, which makes model.safetensors.",
        )
    raise ModelError("the folder has no *.safetensors weights", where=where, remedy="Save the model there again.")


def _base_of_adapter(folder: Path) -> str:
    try:
        name = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f" (its base is {name!r})"


def folder_fingerprint(folder: Path) -> str:
    """A hash of configuration, tokenizer and weights; where the folder lies and when it was written do not matter."""
    total = hashlib.sha256()
    for path in sorted(_model_files(folder), key=lambda path: path.name):
        total.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        for block in _blocks(path):
            total.update(block)
    return total.hexdigest()[:16]


def _model_files(folder: Path) -> Iterator[Path]:
    yield from (path for name in (*SETTINGS_FILES, *TOKENIZER_FILES) if (path := folder / name).is_file())
    yield from folder.glob("*.safetensors")
    yield from folder.glob("*.safetensors.index.json")


def _blocks(path: Path) -> Iterator[bytes]:
    """The file's bytes; of a large file its first block (a safetensors header: names, shapes, types) and samples."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= WHOLE_BYTES:
            while block := file.read(BLOCK_BYTES):
                yield block
            return
        for index in range(NUM_BLOCKS):
            file.seek(index * (size - BLOCK_BYTES) // (NUM_BLOCKS - 1))
            yield file.read(BLOCK_BYTES)


def _where(folder: Path) -> str:
    return f"model.path={folder}"
