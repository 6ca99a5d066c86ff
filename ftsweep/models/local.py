"""`model: local`: any folder that transformers wrote."""

from __future__ import annotations

from typing import Any

from ftsweep.domain.paths import typed_path
from ftsweep.errors import ConfigError
from ftsweep.models.folder import FolderModel


class LocalModel(FolderModel):
    """The model in the folder `path`: config.json, safetensors weights in any float type, and a tokenizer."""

    def __init__(self, *, path: str, dtype: str = "auto") -> None:
        if not isinstance(path, str) or not path.strip():
            raise ConfigError(
                f"{path!r} is no path", where="model.path", remedy="Name the model's folder: model.path=/models/x."
            )
        # Absolute: a worker and an exported model may stand in another folder.
        super().__init__(folder=typed_path(path).absolute(), dtype=dtype)

    def reference(self) -> dict[str, Any]:
        return {"_target_": "ftsweep.models.LocalModel", "path": str(self.folder), "dtype": self.dtype}
