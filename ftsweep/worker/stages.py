"""What a trial does before its own training: each stage trains the model that the one before it left.

A stage's result is a whole model folder under a hash of everything that it depends on, so trials that agree in their
stages share it: the first one makes it, and others that need it meanwhile wait. A killed one goes on from its
checkpoint to the same weights.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftsweep.data.prepared import PreparedSet
from ftsweep.data.splitting.held_out import HeldOutTexts
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.errors import FtsweepError
from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.models.base import ModelSource
from ftsweep.models.local import LocalModel
from ftsweep.store.folders import TrialFolder
from ftsweep.tasks.base import Task
from ftsweep.worker.components import Components
from ftsweep.worker.stage_cache import StageLock, StageResult
from ftsweep.worker.stage_run import StageRun, facts_of

WAIT_SECONDS = 0.2
"""Between two looks at a result that another worker, or another trial of this one, makes."""

_ONE_RUNG = {"rungs": {"count": 1}, "objective": {"metric": "loss", "split": "validation", "direction": "minimize"}}


def stage_configs(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Each stage of a trial's configuration as the configuration of a trial of its own, by default with its seeds."""
    shared = {name: config[name] for name in ("model", "general", "seed")}
    return {name: {**shared, "stages": {}, **node, **_ONE_RUNG} for name, node in config["stages"].items()}


class StageChain:
    """The stages of one trial, made or found one after another by `step`.

    When `is_done`, `source` has the weights that the trial starts from (None: it has no stages); `outcome` is set
    instead when a stage failed. `close` when these weights are loaded: until then nobody may remove them.
    """

    def __init__(self, components: Components, config: Mapping[str, Any], cache: Path) -> None:
        self._components = components
        self._cache = cache
        self._left = stage_configs(config)
        self._config = config
        self._run: StageRun | None = None
        self._lock: StageLock | None = None
        self.source: ModelSource | None = None
        self.results: dict[str, dict[str, Any]] = {}
        self.outcome: Outcome | None = None
        self.is_blocked = False
        """Whether the last step found that somebody else makes the result that it needs."""
        self.num_steps = 0
        self.paid_seconds = 0.0
        """Training time of the stages that were made here, and not found."""

    @property
    def is_done(self) -> bool:
        return not self._left or self.outcome is not None

    def step(self) -> None:
        """One optimizer step of the stage under way, or a look whether its result is there."""
        name, config = next(iter(self._left.items()))
        self.is_blocked = False
        if self._run is None:
            self._open(name, config)
        else:
            self._advance(name, self._run)

    def finish(self) -> None:
        """All steps at once, for jobs that need the result now. Raises FtsweepError when a stage fails."""
        while not self.is_done:
            self.step()
            if self.is_blocked:
                time.sleep(WAIT_SECONDS)
        if self.outcome is not None:
            raise FtsweepError(self.outcome.reason, where="stages")

    def write_checkpoint(self) -> None:
        if self._run is not None:
            self._run.write_checkpoint()

    def close(self) -> None:
        """Let go of the result."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def drop_run(self) -> None:
        """Leave a stage under way as its last checkpoint has it; whoever comes next goes on with it."""
        if self._run is not None:
            self._run.abandon()
            self._run = None

    def abandon(self) -> None:
        """Let go of everything."""
        self.drop_run()
        self.close()

    def parts_of(self, config: Mapping[str, Any]) -> TrialParts:
        """A stage's parts: its data without what the trial holds out, on what the stage before it left."""
        main = self._components.parts_of(self._config, self._cache)
        held_out = _held_out_texts(main.prepared, main.task)
        return self._components.parts_of(config, self._cache, held_out=held_out, stage_result=self.source)

    def _open(self, name: str, config: Mapping[str, Any]) -> None:
        """Use the result, or begin to make it; when somebody else is at it, look again later."""
        parts = self.parts_of(config)
        result = StageResult.of(self._cache, facts_of(parts, self._components.evaluator_of(parts)))
        lock = result.lock()
        if lock.try_shared() and (found := result.read()) is not None:
            self._use(name, result, lock, found)
            return
        if not lock.try_alone():
            lock.release()
            self.is_blocked = True
            return
        failed = result.run_folder.outcome()
        if failed is not None:
            lock.release()
            self._fail(name, failed)
        elif result.read() is None:
            try:
                self._run = StageRun(self._components, parts, result, lock)
            except BaseException:
                lock.release()
                raise
        else:
            lock.release()  # another process has just made it: the next look finds it

    def _advance(self, name: str, stage: StageRun) -> None:
        before = stage.num_steps
        outcome = stage.step()
        self.num_steps += stage.num_steps - before
        if outcome is None:
            return
        self._run = None
        if outcome.kind is OutcomeKind.COMPLETE:
            facts = stage.keep()
            self.paid_seconds += facts["train_seconds"]
            self._use(name, stage.result, stage.lock, facts)
        else:
            stage.discard(outcome)
            self._fail(name, outcome)

    def _use(self, name: str, result: StageResult, lock: StageLock, facts: dict[str, Any]) -> None:
        if not lock.try_shared():  # between two kinds of lock another process came first: look again
            lock.release()
            return
        self.close()
        self._lock = lock
        self.results[name] = {key: value for key, value in facts.items() if key != "files"}
        dtype = self._config["model"].get("dtype", "auto")
        self.source = LocalModel(path=str(result.folder), dtype=dtype)
        del self._left[name]

    def _fail(self, name: str, outcome: Outcome) -> None:
        self.close()
        self.outcome = replace(outcome, reason=f"stage {name}: {outcome.reason}", best_rung=None)


def time_stages(components: Components, config: Mapping[str, Any], cache: Path, *, num_steps: int) -> float:
    """Seconds that a trial's stages take where their results are not there, from a few steps of each; keeps nothing."""
    chain = StageChain(components, config, cache)
    seconds = 0.0
    for stage in stage_configs(config).values():
        parts = chain.parts_of(stage)
        base = components.lend_base(parts)
        run = components.begin_run(parts, base, TrialFolder(cache / "no-such-run"))
        try:
            seconds += run.time_steps(num_steps=num_steps)["trial_seconds"]
        finally:
            components.bases.put_back(base, parts.strategy, run.model)
    return seconds


_HELD_OUT: dict[str, HeldOutTexts] = {}
"""By the hash of the prepared set that they are of: all trials of a study ask for the same."""


def _held_out_texts(prepared: PreparedSet, task: Task) -> HeldOutTexts:
    key = prepared.meta["hash"]
    if key not in _HELD_OUT:
        _HELD_OUT[key] = HeldOutTexts.of(prepared, task)
    return _HELD_OUT[key]
