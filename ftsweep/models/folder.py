"""A model that lies in a folder, and its fingerprint. Standard library only until it is loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ftsweep.models.base import Head, ModelSource, Quantisation, check_dtype
from ftsweep.models.folder_contents import TOKENIZER_FILES, check_folder, where_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ftsweep.models.origin import Origin

SETTINGS_FILES = (
    "config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    "chat_template.jinja",
)
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
        return Origin(name=str(self.folder), where=where_of(self.folder))


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
