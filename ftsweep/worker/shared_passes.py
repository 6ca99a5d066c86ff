"""The passes that the trials of one worker share: which trials may, and on which base they meet."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.training.lanes.conductor import Conductor, NoLaneError
from ftsweep.training.lanes.fit import refusal, run_refusal
from ftsweep.training.lanes.lane import Lane
from ftsweep.training.lanes.packed import PackedConductor
from ftsweep.training.lanes.padded import PaddedConductor
from ftsweep.training.lanes.turns import share_gradients
from ftsweep.training.runs.base import Run
from ftsweep.training.trial import TrialRun
from ftsweep.worker.base_models import BaseModel
from ftsweep.worker.components import Components
from ftsweep.worker.job_generators import JobGenerators

_LOGGER = logging.getLogger(__name__)


def conductor_kind(device: torch.device) -> type[PackedConductor] | type[PaddedConductor]:
    """Which passes lanes share there: on a CPU those that change no bit, on a GPU those of few kernels."""
    return PackedConductor if device.type == "cpu" else PaddedConductor


class SharedPasses:
    """Of a worker with several lanes. Trials whose adapters lie on twins of one base meet in its conductor."""

    def __init__(self, components: Components, generators: JobGenerators) -> None:
        self._components = components
        self._generators = generators
        self._kind = conductor_kind(components.device)

    def refusal(self, parts: TrialParts) -> str | None:
        """Why a trial of these parts cannot share passes; None where it may, on a twin of its base."""
        return refusal(parts, self._components.evaluator_of(parts), is_exact=self._kind.is_exact)

    def seat(self, name: str, run: Run, base: BaseModel) -> Lane | str:
        """The trial as a lane; or why it cannot be one."""
        reason = run_refusal(run, is_exact=self._kind.is_exact)
        if reason is None and base.twin_of is not None:
            assert isinstance(run, TrialRun)
            lane = Lane(name, run.stepper, partial(self._generators.give_to, name))
            return lane if lane.adapters else "none of the layers that it adapts is in the body that lanes share"
        return reason or "its base is its own"

    def share(self, lanes: Sequence[tuple[Lane, BaseModel]]) -> None:
        """Have these take the gradient of their next step together, those that can."""
        by_base: dict[Any, list[tuple[Lane, BaseModel]]] = {}
        for lane, base in lanes:
            by_base.setdefault((id(base.twin_of), lane.stepper.evaluator.autocast_dtype), []).append((lane, base))
        for group in by_base.values():
            ready = [lane for lane, _ in group if lane.refusal is None]
            conductor = self._conductor_of(group[0][1], ready) if len(ready) > 1 else None
            if conductor is not None:
                share_gradients(ready, conductor)

    def _conductor_of(self, base: BaseModel, lanes: Sequence[Lane]) -> Conductor | None:
        root = base.twin_of
        assert root is not None
        if root.conductor is None:
            try:
                root.conductor = self._kind(root.model)
            except NoLaneError as error:
                _LOGGER.info("no passes are shared: %s", error)
                for lane in lanes:
                    lane.refusal = str(error)
        return root.conductor
