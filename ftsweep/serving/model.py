"""A chosen model on its own: the folder that holds it, and answers from it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ftsweep.config.build import build
from ftsweep.errors import UnanswerableError, UsageError
from ftsweep.models.base import ModelSource
from ftsweep.models.device import find_device
from ftsweep.models.loading import mark_new, resolve_dtype
from ftsweep.models.local import LocalModel
from ftsweep.store.atomic import read_json, understood, write_json, written_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ftsweep.strategies.base import Strategy
    from ftsweep.tasks.base import Task

MANIFEST = "ftsweep.json"
READING = ("columns", "encoding", "delimiter", "header", "quotes")
"""Of the `data` node: how files of rows are read, which is how `predict` reads them too."""

BASE = "base"
"""The folder of an adapter's base, in an exported model that was made to open elsewhere."""

NEW = "new_modules"
"""In such a model's manifest: modules that the adapter brings whole. `base/` has them too, but they are no base's."""

_BATCH_SIZE = 32


def export_model(
    destination: Path,
    write_weights: Callable[[Path], None],
    tokenizer: PreTrainedTokenizerBase,
    *,
    spec: Mapping[str, Any],
    reference: Mapping[str, Any],
    schema: Mapping[str, Any],
    allowed: Sequence[str],
    scale: float = 1.0,
) -> None:
    """Write a model folder that `load_predictor` (and PEFT or transformers) can load. It is replaced whole."""
    with written_folder(destination) as temporary:
        write_weights(temporary)
        tokenizer.save_pretrained(temporary)
        write_json(
            temporary / MANIFEST,
            {
                "model": dict(reference),
                "task": spec["config"]["task"],
                "strategy": spec["config"]["strategy"],
                "schema": dict(schema),
                "data": {key: spec["config"].get("data", {}).get(key) for key in READING},
                "allow": list(allowed),
                "trial": spec["number"],
                "params": spec["params"],
                "scale": scale,
            },
        )


def copy_files(source: Path, destination: Path) -> None:
    """Copy the files of a folder into another."""
    for file in source.iterdir():
        shutil.copy2(file, destination / file.name)


class NoAnswer(str):
    """Why a row has no answer."""


class Predictor:
    """Answers rows with one fine-tuned model."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        task: Task,
        strategy: Strategy,
        schema: Mapping[str, Any],
        reading: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.task = task
        self.strategy = strategy
        self.schema = schema
        self.reading = {key: value for key, value in (reading or {}).items() if value is not None}
        """How the study read its files: see `READING`."""

    @property
    def columns(self) -> dict[str, Any]:
        """The task's name of a column that is asked to the name that the study's files have for it, if they differ."""
        mapping = self.reading.get("columns") or {}
        return {name: mapping[name] for name in self.task.question_columns if name in mapping}

    def answers(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | NoAnswer]:
        """One answer per row, in order, or why there is none for this row."""
        try:
            return list(self.predict(rows))
        except UnanswerableError as error:
            good = [values for place, values in enumerate(rows) if place not in error.reasons]
            found = iter(self.predict(good) if good else [])
            why = error.reasons
            return [NoAnswer(why[place]) if place in why else next(found) for place in range(len(rows))]

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """One answer per row, in order; rows have the task's input columns."""
        return self.strategy.predict(
            self.model, self.task, self.tokenizer, self.schema, list(rows), batch_size=_BATCH_SIZE
        )


def source_of(folder: Path, manifest: Mapping[str, Any], allowed: Sequence[str]) -> ModelSource:
    """Where an exported model, or an adapter's base, is loaded from: the folder itself if it lies there."""
    source: ModelSource = build(manifest["model"], allowed=allowed)
    if is_whole(folder):  # then its base need not be there any more
        return LocalModel(path=str(folder), dtype=source.dtype)
    if (folder / BASE).is_dir():
        return LocalModel(path=str(folder / BASE), dtype=source.dtype)
    return source


def is_whole(folder: Path) -> bool:
    """Whether a folder holds a whole model of transformers, and no adapter."""
    return (folder / "config.json").is_file() and not (folder / "adapter_config.json").is_file()


def load_predictor(
    folder: Path,
    *,
    allowed: Sequence[str] | None = None,
    device: torch.device | None = None,
    is_exact: bool = False,
) -> Predictor:
    """The model in an exported folder, on this device (default: the best there is), in eval mode.

    `allowed` names packages beside ftsweep whose components may be built; None trusts the folder's own list, for
    callers that run the folder's code anyway. `is_exact` loads the base in float32 and unquantised.

    Raises:
        UsageError: the folder is not an exported model.
    """
    folder = Path(folder)
    manifest_file = folder / MANIFEST
    if not manifest_file.is_file():
        raise UsageError(
            "this is not a model that ftsweep exported",
            where=str(manifest_file),
            remedy="Export one: ftsweep best STUDY --export DIR",
        )
    with understood(manifest_file):
        manifest = dict(read_json(manifest_file))
        for key in ("model", "task", "strategy", "schema"):
            dict(manifest[key])
        list(manifest["allow"])
    allowed = manifest["allow"] if allowed is None else allowed
    device = device or find_device()
    task = build(manifest["task"], allowed=allowed)
    strategy = build(manifest["strategy"], allowed=allowed)
    source = source_of(folder, manifest, allowed)
    head = strategy.head_for(task)
    labels = manifest["schema"].get("labels")
    quantisation = None if is_exact or is_whole(folder) else strategy.quantisation
    if quantisation is not None:
        strategy.check_machine()
    dtype = torch.float32 if is_exact else resolve_dtype(source.dtype, device)
    model = source.load(head, labels=labels, dtype=dtype, device=device, quantisation=quantisation)
    if not is_whole(folder):
        mark_new(model, manifest.get(NEW, ()))
        model = strategy.apply(model, head)
        strategy.restore(model, folder)
    model.eval()
    model.requires_grad_(False)
    return Predictor(model, source.tokenizer(), task, strategy, manifest["schema"], manifest.get("data"))
