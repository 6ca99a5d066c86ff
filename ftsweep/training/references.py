"""What the model that training starts from says of every example, computed once for all trials and kept on disk.

A preference loss compares with it. No second model is in memory while a trial trains, and no forward pass of one is
made in its steps: the numbers stand behind each example's labels.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ftsweep.data.base import SPLITS
from ftsweep.data.encoded import EncodedSplit, SplitView
from ftsweep.data.prepared import PreparedSet
from ftsweep.evaluation.batch import collate, to_device
from ftsweep.evaluation.evaluate import Evaluator, autocast
from ftsweep.store.atomic import read_json, settle_folder, write_json, written_folder
from ftsweep.store.locks import locked

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FORMAT = 1
"""Counts up when the files' layout or meaning changes."""

Values = dict[str, np.ndarray]
"""By split: float32 [examples, n], in the order of the prepared set."""

_LOGGER = logging.getLogger(__name__)


class Reference:
    """The numbers of one prepared set and one base: read, or computed when they are first needed."""

    def __init__(
        self, prepared: PreparedSet, evaluator: Evaluator, facts: dict[str, Any], base: Callable[[], PreTrainedModel]
    ) -> None:
        """`facts`: everything beside the examples that decides what `base` gives, as JSON. `base` gives the model that
        training starts from, in eval mode, and is called only where the numbers are not on disk."""
        key = json.dumps([FORMAT, prepared.meta["hash"], facts], sort_keys=True)
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        self.folder = prepared.folder.parents[1] / "references" / name
        self._prepared = prepared
        self._evaluator = evaluator
        self._base = base
        self._values: Values | None = None

    def values(self) -> Values:
        """Of all splits; from the disk, or computed and kept while other workers wait."""
        if self._values is None:
            self._values = self._read()
        if self._values is None:
            with locked(self.folder.with_name(f".{self.folder.name}.lock")):  # one process computes
                self._values = self._read() or self._make()
        return self._values

    def _read(self) -> Values | None:
        """None when there are none, or none that are whole."""
        settle_folder(self.folder)
        try:
            meta = read_json(self.folder / "meta.json")
            values = load_file(self.folder / "values.safetensors")
            if meta["format"] != FORMAT or {name: list(each.shape) for name, each in values.items()} != meta["shapes"]:
                return None
            os.utime(self.folder / "meta.json")  # reading counts as use
        except (OSError, ValueError, KeyError, SafetensorError):
            return None
        return values

    def _make(self) -> Values:
        started = time.monotonic()
        model = self._base()
        names = [name for name in SPLITS if self._prepared.has(name)]
        values = {name: reference_values(model, self._prepared.split(name), self._evaluator) for name in names}
        with written_folder(self.folder) as temporary:
            save_file(values, temporary / "values.safetensors")
            shapes = {name: list(each.shape) for name, each in values.items()}
            write_json(temporary / "meta.json", {"format": FORMAT, "shapes": shapes})
        count, seconds = sum(map(len, values.values())), time.monotonic() - started
        _LOGGER.info("reference: %d examples in %.1f s, in %s", count, seconds, self.folder)
        return values


@torch.no_grad()
def reference_values(model: PreTrainedModel, split: EncodedSplit, evaluator: Evaluator) -> np.ndarray:
    """`Task.reference` of every example, float32 [examples, n]; smaller batches when memory runs out."""

    def compute() -> np.ndarray:
        parts: list[torch.Tensor] = []
        order: list[np.ndarray] = []
        for chosen in evaluator.batches(split.lengths, None):
            batch = collate(split, chosen, evaluator.task, pad_token_id=evaluator.pad_token_id)
            with autocast(evaluator.device, evaluator.autocast_dtype):
                parts.append(evaluator.task.reference(model, to_device(batch, evaluator.device)).float())
            order.append(chosen)
        values: np.ndarray = torch.cat(parts).cpu().numpy()
        return values[np.argsort(np.concatenate(order), kind="stable")]

    return evaluator.in_batches_that_fit(compute)


class ReferencedSet(PreparedSet):
    """A prepared set with the reference's numbers behind every example's labels."""

    def __init__(self, prepared: PreparedSet, reference: Reference) -> None:
        super().__init__(prepared.folder, prepared.meta)
        self._plain = prepared
        self._reference = reference

    def split(self, name: str) -> EncodedSplit:
        if name not in self._splits:
            self._splits[name] = _ReferencedSplit(self._plain.split(name), name, self._reference)
        return self._splits[name]


class _ReferencedSplit(SplitView):
    def __init__(self, split: EncodedSplit, name: str, reference: Reference) -> None:
        super().__init__(split)
        self._name = name
        self._reference = reference

    def labels(self, index: int) -> np.ndarray:
        return np.concatenate([self._split.labels(index), self._reference.values()[self._name][index]])
