"""From which a killed trial continues to the same result: weights, optimizer, generators and the step. No pickles."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ftsweep.store.atomic import read_json, settle_folder, write_json, written_folder

Weights = dict[str, torch.Tensor]

SHARE_OF_TIME = 0.05
"""How much of a trial's time its checkpoints at rungs may take."""
MOST_SECONDS = 300.0
"""After this long without one, a checkpoint is written between rungs."""


@dataclass
class Checkpoint:
    """All of a trial's state between two optimizer steps, on the CPU."""

    weights: Weights
    optimizer: Weights
    best_weights: Weights | None
    progress: dict[str, Any]  # step, rung, micro-batch size, seconds, ...
    generators: Weights

    def write(self, folder: Path) -> None:
        """Replace the folder's checkpoint as a whole."""
        with written_folder(folder) as temporary:
            save_file(self.weights, temporary / "weights.safetensors")
            save_file(self.optimizer, temporary / "optimizer.safetensors")
            save_file(self.generators, temporary / "generators.safetensors")
            if self.best_weights is not None:
                save_file(self.best_weights, temporary / "best.safetensors")
            write_json(temporary / "progress.json", self.progress)

    @classmethod
    def read(cls, folder: Path) -> Checkpoint | None:
        """The folder's checkpoint; None when there is none, or none that can be read."""
        settle_folder(folder)
        try:
            best = folder / "best.safetensors"
            return cls(
                weights=load_file(folder / "weights.safetensors"),
                optimizer=load_file(folder / "optimizer.safetensors"),
                best_weights=load_file(best) if best.exists() else None,
                progress=read_json(folder / "progress.json"),
                generators=load_file(folder / "generators.safetensors"),
            )
        except (OSError, ValueError, SafetensorError):
            return None


@dataclass
class CheckpointTimes:
    """When a trial's checkpoints were written, and what the last one cost."""

    last: float = field(default_factory=time.monotonic)
    cost_seconds: float = 0.0

    @property
    def is_due(self) -> bool:
        """Whether one may be written at this rung."""
        return time.monotonic() - self.last >= self.cost_seconds / SHARE_OF_TIME

    @property
    def is_overdue(self) -> bool:
        """Whether one must be written, rung or not."""
        return time.monotonic() - self.last > MOST_SECONDS

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Time the block that writes one."""
        started = time.monotonic()
        yield
        self.last = time.monotonic()
        self.cost_seconds = self.last - started


def trained_weights(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """The parameters that train, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def copy_weights(model: torch.nn.Module) -> Weights:
    """A copy of the trained weights on the CPU."""
    return {
        name: parameter.detach().to("cpu", copy=True).contiguous() for name, parameter in trained_weights(model).items()
    }


@torch.no_grad()
def put_weights(model: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Write copied weights back; names must be exactly those that train."""
    targets = trained_weights(model)
    if targets.keys() != weights.keys():
        raise ValueError(
            f"the checkpoint has other weights than the model: {sorted(targets.keys() ^ weights.keys())[:5]}"
        )
    for name, parameter in targets.items():
        parameter.copy_(weights[name])


def pack_optimizer(optimizer: torch.optim.Optimizer) -> Weights:
    """The optimizer's state as flat tensors: `<parameter index>.<entry>`."""
    packed: Weights = {}
    for index, entries in optimizer.state_dict()["state"].items():
        for name, value in entries.items():
            packed[f"{index}.{name}"] = torch.as_tensor(value).detach().to("cpu", copy=True).contiguous()
    return packed


def unpack_optimizer(optimizer: torch.optim.Optimizer, packed: Mapping[str, torch.Tensor]) -> None:
    """Put back what `pack_optimizer` made, into an optimizer over the same parameters in the same order."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in packed.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def pack_generators(device: torch.device) -> Weights:
    """The states of the generators that a step draws from (dropout)."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def unpack_generators(states: Mapping[str, torch.Tensor], device: torch.device) -> None:
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
