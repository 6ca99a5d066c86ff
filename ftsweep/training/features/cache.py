"""Tables of features on disk: made once, mapped into memory by every worker and every later run of the study."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ftsweep.evaluation.batch import Batch
from ftsweep.evaluation.evaluate import Evaluator
from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.store.atomic import folder_size, read_json, remove_folder, settle_folder, write_json, written_folder
from ftsweep.store.locks import locked
from ftsweep.strategies.trained_part import backbone
from ftsweep.training.features.head_positions import find_position
from ftsweep.training.features.layers_below import sample_below, tokens_below
from ftsweep.training.features.table import (
    SPLITS,
    Features,
    Position,
    compute_features,
    hidden_states,
    num_positions,
    pick,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FORMAT = 1
"""Counts up when a table's layout or meaning changes: old ones are then left to be thrown out."""

MEMORY_SHARE = 0.25
"""Of the memory that is free, and of the device's: a larger table is not made."""
DISK_SHARE = 0.25
"""Of the disk space that is free or taken by tables: all tables together; the ones not used for longest go first."""

_LOGGER = logging.getLogger(__name__)


def cached_features(model: PreTrainedModel, parts: TrialParts, evaluator: Evaluator) -> Features | None:
    """The features of the model's body on the device: read, or computed and kept, while other workers wait.

    None, and the log says why, when the head needs more of the body than its hidden states, or the table is too large:
    then the head trains on the body itself, to the same result. The model's head is what trains of it; its body must be
    as the source loads it. The model is left in eval mode.
    """

    def plan() -> Planned | None:
        found = find_position(model, parts.prepared, evaluator)
        if found is None:
            _say_without(f"the head of {type(model).__name__} reads more of the body than its last hidden states")
            return None
        position, sample = found
        return Planned(
            position, sample, lambda batch: pick(hidden_states(model, batch, evaluator)[0], batch, position, model)
        )

    return _cached(model, parts, evaluator, plan)


def cached_layers(model: PreTrainedModel, parts: TrialParts, evaluator: Evaluator, num_layers: int) -> Features | None:
    """What the first `num_layers` layers say of every token, which are as the source loads them; as `cached_features`.

    Where None is returned, all layers run in every step, to the same result.
    """

    def plan() -> Planned | None:
        sample = sample_below(model, parts.prepared, evaluator, num_layers)
        if sample is None:
            _say_without(f"{type(model).__name__} answers otherwise when its first layers are looked up")
            return None
        return Planned("all", sample, lambda batch: tokens_below(model, batch, evaluator, num_layers))

    return _cached(model, parts, evaluator, plan, num_layers)


@dataclass(frozen=True)
class Planned:
    """How a table is made: a sample of its rows for their size and type, and the rows of any batch."""

    position: Position
    sample: torch.Tensor
    look: Callable[[Batch], torch.Tensor]


def _cached(
    model: PreTrainedModel,
    parts: TrialParts,
    evaluator: Evaluator,
    plan: Callable[[], Planned | None],
    *layers: int,
) -> Features | None:
    model.eval()
    root = parts.prepared.folder.parents[1] / "features"
    folder = root / _key(model, parts, evaluator, *layers)
    found = _read(folder)
    if found is None:
        with locked(folder.with_name(f".{folder.name}.lock")):  # one process makes this table
            found = _read(folder) or _make(folder, model, parts, evaluator, plan)  # another may have made it
    if found is None or evaluator.device.type == "cpu":
        return found
    if found.num_bytes > MEMORY_SHARE * torch.cuda.get_device_properties(evaluator.device).total_memory:
        _say_without(f"they take {_gib(found.num_bytes)} GiB of the device's memory")
        return None
    return Features(found.position, found.rows.to(evaluator.device))


def _key(model: PreTrainedModel, parts: TrialParts, evaluator: Evaluator, *layers: int) -> str:
    """Equal where the hidden states are: weights, rows as encoded, architecture, arithmetic, layers."""
    facts = [
        FORMAT,
        parts.base.fingerprint(),
        parts.prepared.meta["hash"],
        type(model).__name__,
        str(next(backbone(model).parameters()).dtype),
        str(evaluator.autocast_dtype),
        evaluator.device.type,
        *layers,
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def _read(folder: Path) -> Features | None:
    """The table in this folder, mapped; None when there is none, or none that is whole."""
    settle_folder(folder)
    try:
        meta = read_json(folder / "meta.json")
        rows = load_file(folder / "features.safetensors")["rows"]
        if meta["format"] != FORMAT or list(rows.shape) != meta["shape"]:
            return None
        os.utime(folder / "meta.json")
    except (OSError, ValueError, KeyError, SafetensorError):
        return None
    return Features(meta["position"], rows)


def _make(
    folder: Path,
    model: PreTrainedModel,
    parts: TrialParts,
    evaluator: Evaluator,
    plan: Callable[[], Planned | None],
) -> Features | None:
    started = time.monotonic()
    planned = plan()
    if planned is None:
        return None
    position, sample = planned.position, planned.sample
    count = 1 + sum(num_positions(parts.prepared.split(name), position) for name in SPLITS)
    num_bytes = count * sample.shape[-1] * sample.element_size()
    if num_bytes > MEMORY_SHARE * psutil.virtual_memory().available:
        _say_without(f"they take {_gib(num_bytes)} GiB of memory")
        return None
    if not _make_room(folder.parent, num_bytes):
        _say_without(f"they take {_gib(num_bytes)} GiB on disk")
        return None
    rows = compute_features(parts.prepared, evaluator, position, planned.look)
    try:
        with written_folder(folder) as temporary:
            save_file({"rows": rows}, temporary / "features.safetensors")
            write_json(temporary / "meta.json", {"format": FORMAT, "position": position, "shape": list(rows.shape)})
    except OSError as error:
        _say_without(f"they cannot be written: {error}")
        return None
    _LOGGER.info(
        "features: %d hidden states (%s) of %s in %.1f s, %.1f MiB in %s",
        count - 1,
        position,
        type(model).__name__,
        time.monotonic() - started,
        num_bytes / 2**20,
        folder,
    )
    del rows
    return _read(folder)


def _make_room(root: Path, num_bytes: int) -> bool:
    """Whether a table of this size may be written, after the ones not used for longest were removed for it."""
    tables = {path: folder_size(path) for path in root.iterdir() if (path / "meta.json").exists()}
    taken = sum(tables.values())
    limit = DISK_SHARE * (shutil.disk_usage(root).free + taken)
    if num_bytes > limit:
        return False
    for path in sorted(tables, key=_last_use):
        if taken + num_bytes <= limit:
            break
        _LOGGER.info("features: %s was not used for longest and makes room", path)
        remove_folder(path)  # who has it mapped keeps it until they are done
        taken -= tables[path]
    return True


def _last_use(folder: Path) -> float:
    try:
        return (folder / "meta.json").stat().st_mtime
    except OSError:  # another worker was faster
        return 0.0


def _say_without(reason: str) -> None:
    _LOGGER.warning("features of the frozen body are not kept: %s. Training runs the body in every step.", reason)


def _gib(num_bytes: int) -> str:
    return f"{num_bytes / 2**30:.2f}"
