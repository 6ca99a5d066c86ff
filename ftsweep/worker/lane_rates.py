"""How much more a worker trains in the same time when trials share passes: what `executor.lanes: auto` goes by."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch

from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.models.device import is_out_of_memory
from ftsweep.store.folders import TrialFolder
from ftsweep.training.lanes.lane import CHECKED_STEPS, Lane
from ftsweep.training.step import OutOfMemoryAtOneError
from ftsweep.training.trial import TrialRun
from ftsweep.worker.base_models import BaseModel
from ftsweep.worker.components import Components
from ftsweep.worker.job_generators import JobGenerators
from ftsweep.worker.shared_passes import SharedPasses

GAIN = 1.1
"""Twice as many lanes are worth it from this on: more trials at once leave the search less to learn from."""
_NUM_TURNS = 3


@dataclass
class _Seated:
    lane: Lane
    base: BaseModel
    parts: TrialParts
    run: TrialRun


class LaneRates:
    """Times steps of one configuration, trained with several seeds at once, alone and with shared passes."""

    def __init__(self, components: Components) -> None:
        self._components = components
        self._generators = JobGenerators(components.device)
        self._passes = SharedPasses(components, self._generators)

    def best(self, parts: TrialParts, folder: Path, most: int) -> dict[str, Any]:
        """`lanes`, at most so many; `rates`, by number of lanes the steps in the time of one alone; `reason`, why there
        is only one. Nothing is written."""
        reason = self._passes.refusal(parts)
        if reason is not None or most < 2:
            return {"lanes": 1, "rates": {}, "reason": reason or "the budget has too few trials for more"}
        seated: list[_Seated] = []
        try:
            return self._best(parts, folder, most, seated)
        finally:
            for each in seated:
                self._components.bases.put_back(each.base, each.parts.strategy, each.run.model)

    def _best(self, parts: TrialParts, folder: Path, most: int, seated: list[_Seated]) -> dict[str, Any]:
        lanes, rates = 1, {"1": 1.0}
        while 2 * lanes <= most:
            try:
                rate = self._rate(parts, folder, 2 * lanes, seated)
            except (RuntimeError, MemoryError, OutOfMemoryAtOneError) as error:
                if not is_out_of_memory(error) and not isinstance(error, OutOfMemoryAtOneError):
                    raise
                return {"lanes": lanes, "rates": rates, "reason": f"{2 * lanes} lanes do not fit into memory"}
            if isinstance(rate, str):
                return {"lanes": 1, "rates": rates, "reason": rate}
            rates[str(2 * lanes)] = round(rate, 3)
            if rate < GAIN * rates[str(lanes)]:
                break
            lanes *= 2
        return {"lanes": lanes, "rates": rates, "reason": "" if lanes > 1 else "steps alone are as quick"}

    def _rate(self, parts: TrialParts, folder: Path, lanes: int, seated: list[_Seated]) -> float | str:
        """Steps of so many lanes in the time of one alone; or why they cannot share passes."""
        while len(seated) < lanes:
            seat = self._seat(parts, folder, len(seated))
            if isinstance(seat, str):
                return seat
            seated.append(seat)
        for number in range(CHECKED_STEPS):
            self._seconds(seated, number, is_shared=True)
        refusal = next((each.lane.refusal for each in seated if each.lane.refusal is not None), None)
        if refusal is not None:
            return refusal
        return median(
            self._seconds(seated, number, is_shared=False) / self._seconds(seated, number, is_shared=True)
            for number in range(_NUM_TURNS)
        )

    def _seat(self, parts: TrialParts, folder: Path, number: int) -> _Seated | str:
        seed = parts.config["seed"]
        own = replace(parts, config={**parts.config, "seed": {**seed, "model": seed["model"] + number}})
        name = f"lane {number}"
        self._generators.give_to(name)
        base = self._components.lend_base(own, as_twin=True)
        try:
            run = self._components.begin_run(own, base, TrialFolder(folder))
        except BaseException:
            self._components.bases.forget(base)
            raise
        lane = self._passes.seat(name, run, base)
        if isinstance(lane, str):
            self._components.bases.put_back(base, own.strategy, run.model)
            return lane
        assert isinstance(run, TrialRun)
        return _Seated(lane, base, own, run)

    def _seconds(self, seated: list[_Seated], number: int, *, is_shared: bool) -> float:
        """Seconds of one step of each, at different places of its plan: of the CPU, on a GPU of the clock."""
        for index, each in enumerate(seated):
            each.run.stepper.num_steps = (3 * index + number) % each.run.stepper.plan.num_steps
        started = self._clock()
        if is_shared:
            self._passes.share([(each.lane, each.base) for each in seated])
        for each in seated:
            self._generators.give_to(each.lane.name)
            each.run.stepper.take()
        return self._clock() - started

    def _clock(self) -> float:
        if self._components.device.type == "cpu":
            return time.process_time()
        torch.cuda.synchronize(self._components.device)
        return time.perf_counter()
