"""Torch's generators among several jobs: there is one per device, and every job draws from it as if it were alone."""

from __future__ import annotations

import torch

from ftsweep.training.checkpoint import Weights, pack_generators, unpack_generators


class JobGenerators:
    """Keeps the states of jobs that are under way while another one steps. A job alone costs nothing."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._owner: str | None = None
        self._kept: dict[str, Weights] = {}

    def give_to(self, job: str) -> None:
        """Have the generators stand where this job left them; a new job finds them as they are, and seeds its own."""
        if job == self._owner:
            return
        if self._owner is not None:
            self._kept[self._owner] = pack_generators(self._device)
        if job in self._kept:
            unpack_generators(self._kept.pop(job), self._device)
        self._owner = job

    def forget(self, job: str) -> None:
        """The job is over."""
        self._kept.pop(job, None)
        if self._owner == job:
            self._owner = None
