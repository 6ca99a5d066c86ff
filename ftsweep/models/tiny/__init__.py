"""The embedded model: a small Llama with its own tokenizer, in the package, for machines without any model hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ftsweep.models.folder import FolderModel

FOLDER = Path(__file__).parent


class TinyModel(FolderModel):
    """1.3 million parameters, 1,024 tokens of context. README.md beside this file is its model card."""

    def __init__(self, *, dtype: str = "auto") -> None:
        super().__init__(folder=FOLDER, dtype=dtype)

    def reference(self) -> dict[str, Any]:
        return {"_target_": "ftsweep.models.TinyModel", "dtype": self.dtype}
