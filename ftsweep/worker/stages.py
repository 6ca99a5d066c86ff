"""What a trial does before its own training: each stage trains the model that the one before it left.

A stage's result is a whole model folder under a hash of everything that it depends on, so trials that agree in their
stages share it: the first one makes it, and others that need it meanwhile wait. It is trained by the same run as a
trial, with one rung; a killed one goes on from its checkpoint to the same weights.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import ftsweep
from ftsweep.data.prepared import PreparedSet
from ftsweep.data.splitting.held_out import HeldOutTexts
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.errors import FtsweepError
from ftsweep.evaluation.evaluate import Evaluator
from ftsweep.evaluation.general_text import GeneralText
from ftsweep.evaluation.parts import Parts
from ftsweep.models.base import ModelSource
from ftsweep.models.device import release_memory
from ftsweep.models.local import LocalModel
from ftsweep.models.saving import save_whole
from ftsweep.store.atomic import read_json, remove, write_json
from ftsweep.store.folders import TrialFolder
from ftsweep.strategies.base import start_checkpointing
from ftsweep.tasks.base import Task
from ftsweep.training.checkpoint import put_weights
from ftsweep.training.runs.choice import Run, begin_run
from ftsweep.training.trial import Start
from ftsweep.worker.base_models import BaseModel
from ftsweep.worker.components import Workbench
from ftsweep.worker.stage_cache import StageLock, StageResult

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_WAIT_SECONDS = 0.2  # between two looks at a result that another worker makes
_ONE_RUNG = {"rungs": {"count": 1}, "objective": {"metric": "loss", "split": "validation", "direction": "minimize"}}


def stage_configs(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Each stage of a trial's configuration as the configuration of a trial of its own, by default with its seeds."""
    shared = {name: config[name] for name in ("model", "general", "seed")}
    return {name: {**shared, "stages": {}, **node, **_ONE_RUNG} for name, node in config["stages"].items()}


class StageChain:
    """The stages of one trial, made or found one after another by `step`.

    When `is_done`, `source` has the weights that the trial starts from; `outcome` is set instead when a stage failed.
    `close` when these weights are loaded: until then nobody may remove them.
    """

    def __init__(self, bench: Workbench, config: Mapping[str, Any], cache: Path) -> None:
        self._bench = bench
        self._cache = cache
        self._left = stage_configs(config)
        self._config = config
        self._run: _StageRun | None = None
        self._lock: StageLock | None = None
        self.source: ModelSource | None = None
        self.results: dict[str, dict[str, Any]] = {}
        self.outcome: Outcome | None = None
        self.num_steps = 0
        self.paid_seconds = 0.0
        """Training time of the stages that were made here, and not found."""

    @property
    def is_done(self) -> bool:
        return not self._left or self.outcome is not None

    def step(self) -> None:
        """One optimizer step of the stage under way, or a look whether its result is there."""
        name, config = next(iter(self._left.items()))
        if self._run is None:
            self._open(name, config)
        else:
            self._advance(name, config, self._run)

    def finish(self) -> None:
        """All steps at once, for jobs that need the result now. Raises FtsweepError when a stage fails."""
        while not self.is_done:
            self.step()
        if self.outcome is not None:
            raise FtsweepError(self.outcome.reason, where="stages")

    def write_checkpoint(self) -> None:
        if self._run is not None and self._run.run.outcome is None and self._run.run.rung >= 0:
            self._run.run.write_checkpoint()

    def close(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def parts_of(self, config: Mapping[str, Any]) -> Parts:
        """A stage's parts: its data without what the trial holds out, on what the stage before it left."""
        main = self._bench.parts_of(self._config, self._cache)
        held_out = _held_out_texts(main.prepared, main.task)
        parts = self._bench.parts_of(config, self._cache, held_out=held_out)
        return replace(parts, stage_result=self.source)

    def _open(self, name: str, config: Mapping[str, Any]) -> None:
        """Use the result, or begin to make it; when another process is at it, wait a little."""
        parts = self.parts_of(config)
        evaluator = self._bench.evaluator_of(parts, config)
        result = StageResult.of(self._cache, _facts(config, parts, evaluator))
        lock = result.lock()
        if lock.try_shared() and (found := result.read()) is not None:
            self._use(name, result, lock, found)
            return
        if not lock.try_alone():
            lock.release()
            time.sleep(_WAIT_SECONDS)
            return
        failed = result.run_folder.outcome()
        if failed is not None:
            lock.release()
            self._fail(name, failed)
        elif result.read() is None:
            general = self._bench.general_of(config, self._cache)
            self._run = _StageRun(self._bench, config, parts, evaluator, result, lock, general)
        else:
            lock.release()  # another process has just made it: the next look finds it

    def _advance(self, name: str, config: Mapping[str, Any], stage: _StageRun) -> None:
        before = stage.run.num_steps
        stage.step()
        self.num_steps += stage.run.num_steps - before
        outcome = stage.run.outcome
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


def time_stages(bench: Workbench, config: Mapping[str, Any], cache: Path, *, num_steps: int) -> float:
    """Seconds that a trial's stages take where their results are not there, from a few steps of each; keeps nothing."""
    chain = StageChain(bench, config, cache)
    seconds = 0.0
    for stage in stage_configs(config).values():
        parts = chain.parts_of(stage)
        base = bench.take_base(parts, stage)
        run = _begin_run(parts, base, bench.evaluator_of(parts, stage), TrialFolder(cache / "no-such-run"), stage)
        try:
            seconds += run.time_steps(num_steps=num_steps)["trial_seconds"]
        finally:
            bench.bases.put_back(base, parts.strategy, run.model)
    return seconds


@dataclass
class _StageRun:
    """A stage being made."""

    bench: Workbench
    config: Mapping[str, Any]
    parts: Parts
    evaluator: Evaluator
    result: StageResult
    lock: StageLock
    general: GeneralText | None

    def __post_init__(self) -> None:
        self.base = self.bench.take_base(self.parts, self.config)
        self.general_before = self._general_at_start()
        self.run = _begin_run(self.parts, self.base, self.evaluator, self.result.run_folder, self.config)

    def step(self) -> None:
        self.run.step()
        if self.run.is_waiting:
            self.run.resume()

    def keep(self) -> dict[str, Any]:
        """Write the whole model and what was measured; the base is put back, or given up when it was merged into."""
        strategy, model = self.parts.strategy, self.run.model
        if self.run.best_weights is not None:
            put_weights(model, self.run.best_weights)
        whole = model if strategy.exports_whole else strategy.merged(model)
        facts = self._measured(whole)
        with self.result.written(facts) as folder:
            save_whole(whole, folder)
            self.bench.bases.tokenizer(self.parts.source).save_pretrained(folder)
        if strategy.exports_whole:
            self.bench.bases.put_back(self.base, strategy, model)
        else:
            self.bench.bases.forget(self.base)
        self._end()
        remove(self.result.run_folder.path)
        return facts

    def discard(self, outcome: Outcome) -> None:
        """Put everything back. That it diverged is kept, so that no other trial tries it again."""
        self.bench.bases.put_back(self.base, self.parts.strategy, self.run.model)
        folder = self.result.run_folder
        self._end()
        remove(folder.path)
        if outcome.kind is OutcomeKind.DIVERGED:
            folder.write_outcome(outcome)
        self.lock.release()

    def _end(self) -> None:
        del self.run  # the optimizer's state goes with it
        release_memory(self.bench.device)

    def _general_at_start(self) -> dict[str, float] | None:
        """Scores on general text before the stage; of one that goes on as they were measured then."""
        if self.general is None or self.parts.task.head != "causal_lm":
            return None
        file = self.result.run_folder.path / "general.json"
        if not file.exists():
            write_json(file, self.general.score(self.base.model, self.evaluator).values)
        values: dict[str, float] = read_json(file)
        return values

    def _measured(self, whole: PreTrainedModel) -> dict[str, Any]:
        """What the stage did: scores on its own validation split and on general text, before it and after it."""
        measurements = self.result.run_folder.measurements()
        own = [
            {key.removeprefix("validation/"): value for key, value in each.values.items() if key.startswith("valid")}
            for each in (measurements[0], measurements[-1])
        ]
        facts: dict[str, Any] = {"before": {"own": own[0]}, "after": {"own": own[1]}}
        if self.general is not None and self.general_before is not None:
            facts["before"]["general"] = self.general_before
            facts["after"]["general"] = self.general.score(whole, self.evaluator).values
        assert self.run.outcome is not None
        extra = self.run.outcome.extra
        seconds = round(measurements[-1].train_seconds, 3)
        return {**facts, **extra, "train_seconds": seconds, "config": dict(self.config)}


_HELD_OUT: dict[str, HeldOutTexts] = {}
"""By the hash of the prepared set that they are of: all trials of a study ask for the same."""


def _held_out_texts(prepared: PreparedSet, task: Task) -> HeldOutTexts:
    key = prepared.meta["hash"]
    if key not in _HELD_OUT:
        _HELD_OUT[key] = HeldOutTexts.of(prepared, task)
    return _HELD_OUT[key]


def _begin_run(
    parts: Parts, base: BaseModel, evaluator: Evaluator, folder: TrialFolder, config: Mapping[str, Any]
) -> Run:
    torch.manual_seed(config["seed"]["model"])
    model = parts.strategy.apply(base.model, parts.strategy.head_for(parts.task))
    if config["training"]["gradient_checkpointing"]:
        start_checkpointing(model)
    return begin_run(parts, model=model, evaluator=evaluator, folder=folder, config=config, start=Start())


def _facts(config: Mapping[str, Any], parts: Parts, evaluator: Evaluator) -> dict[str, Any]:
    """Everything that a stage's weights depend on."""
    return {
        "ftsweep": ftsweep.__version__,
        "base": parts.base.fingerprint(),
        "prepared": parts.prepared.meta["hash"],
        "replay": None if parts.replay is None else parts.replay.path.parent.name,
        "nodes": {name: config[name] for name in ("task", "strategy", "training")},
        "dtype": config["model"].get("dtype"),
        "seed": {name: config["seed"][name] for name in ("data", "model")},
        "arithmetic": [str(evaluator.autocast_dtype), evaluator.device.type],
    }
