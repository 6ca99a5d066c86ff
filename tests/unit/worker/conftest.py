"""What tests of a worker share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from ftsweep.models.tiny import FOLDER
from ftsweep.worker.engine import Engine

NUM_LAYERS = 2


@pytest.fixture
def engine() -> Engine:
    """A fresh one, with nothing loaded."""
    return Engine(threads=1)


@pytest.fixture(scope="session")
def shallow_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model without its upper half, which half of a trial's time goes into."""
    folder = tmp_path_factory.mktemp("shallow")
    for file in FOLDER.glob("*.json"):
        (folder / file.name).write_bytes(file.read_bytes())
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**settings, "num_hidden_layers": NUM_LAYERS}), encoding="utf-8")
    (weights,) = FOLDER.glob("*.safetensors")
    upper = tuple(f"model.layers.{number}." for number in range(NUM_LAYERS, settings["num_hidden_layers"]))
    lower = {name: tensor for name, tensor in load_file(weights).items() if not name.startswith(upper)}
    save_file(lower, folder / weights.name, metadata={"format": "pt"})
    return folder


@pytest.fixture
def shallow(config: dict[str, Any], shallow_model: Path) -> None:
    """Have the config's trials train the shallow model: what many tests are about does not depend on the depth."""
    config["model"] = {"_target_": "ftsweep.models.LocalModel", "path": str(shallow_model), "dtype": "auto"}
