"""What a worker does with its jobs: trials step by step, and all others in one go."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ftsweep.data.subsets.train_share import TrainShare
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.messages import Ended, Measured, Message
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.evaluation.parts import Parts
from ftsweep.models.device import (
    allocated_bytes,
    describe_device,
    is_out_of_memory,
    peak_memory_gib,
    release_memory,
)
from ftsweep.store.atomic import remove_folder, written_folder
from ftsweep.store.folders import TrialFolder
from ftsweep.strategies.base import start_checkpointing
from ftsweep.training.checkpoint import put_weights
from ftsweep.training.runs.choice import Run, begin_run
from ftsweep.training.trial import Start
from ftsweep.worker.base_models import BaseModel
from ftsweep.worker.components import Workbench
from ftsweep.worker.forgetting_meters import Forgettings
from ftsweep.worker.jobs import SingleJobs
from ftsweep.worker.stages import StageChain, time_stages
from ftsweep.worker.text_scores import TextScores, add_paid_seconds

if TYPE_CHECKING:
    pass


_LOGGER = logging.getLogger(__name__)
_NUM_TIMED_STEPS = 4
_TOKENS_PER_BATCH = {"cpu": 1024, "cuda": 32768}  # of an evaluation: what fits a CPU's cache, what fills a GPU
_NUM_EXAMPLES = 3  # validation rows whose answers go with an exported model
_LEAK_BYTES = 1 << 20  # device memory that may stay allocated after a trial (cuBLAS workspaces) before the worker goes


class Engine:
    """Runs the jobs of one worker, one trial at a time."""

    num_lanes = 1

    def __init__(self, *, threads: int | None = None, allowed_packages: Sequence[str] = ()) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self.bench = Workbench(allowed_packages)
        self.device = self.bench.device
        self.num_steps = 0
        self.is_spent = False
        self._starts: dict[str, Start] = {}
        self._forgettings = Forgettings(self.bench)
        self._single_jobs = SingleJobs(self.bench, self._forgettings)
        self._job: Message | None = None
        self._trial: _Trial | None = None
        self._chain: StageChain | None = None
        self._text_scores = TextScores(self.bench)

    def describe(self) -> dict[str, Any]:
        """Device, its memory and the number of lanes, for `ready`."""
        return {**describe_device(self.device), "lanes": self.num_lanes}

    # -- what the worker calls ------------------------------------------------------------------------------------

    def admit(self, job: Message) -> None:
        """Take a job; it is worked on by `step`."""
        if self._job is not None:
            raise RuntimeError(f"job {job['job']} came while {self._job['job']} is under way")
        self._job = job

    def answer(self, message: Message) -> None:
        """`continue` for the trial that waits, `stop` or `pause` for any trial under way; too late it changes nothing.

        A paused trial ends without an outcome and goes on from its checkpoint when it is submitted again.
        """
        if self._trial is None or self._job is None or message.get("job") != self._job["job"]:
            return
        if message["type"] == "stop":
            self._trial.run.stop(OutcomeKind(message["kind"]), message["reason"])
        elif message["type"] == "pause":
            self._trial.is_pausing = True
            self._trial.run.resume()
        else:
            self._trial.run.resume()

    @property
    def is_busy(self) -> bool:
        """Whether `step` has something to do now."""
        return self._job is not None and not self.is_waiting

    @property
    def is_waiting(self) -> bool:
        """Whether every job waits for an answer."""
        return self._trial is not None and self._trial.run.is_waiting

    def step(self) -> list[Message]:
        """Advance the job under way; what there is to tell."""
        assert self._job is not None
        job = self._job
        if job["type"] == "train":
            return self._advance_trial(job)
        try:
            result = self._estimate(job) if job["type"] == "estimate" else self._single_jobs.do(job)
        finally:
            self._job = None
        return [{"type": "ended", "job": job["job"], "result": result}]

    def drain(self) -> None:
        """Checkpoint the trial under way, before the worker ends."""
        if self._chain is not None:
            self._chain.write_checkpoint()
        if self._trial is not None and self._trial.run.outcome is None and self._trial.run.rung >= 0:
            self._trial.run.write_checkpoint()

    # -- trials ---------------------------------------------------------------------------------------------------

    def _advance_trial(self, job: Message) -> list[Message]:
        messages: list[Message] = []
        if self._trial is None:
            try:
                chain = self._chain_of(job)
                if chain is not None and not chain.is_done:
                    before = chain.num_steps
                    chain.step()
                    self.num_steps += chain.num_steps - before
                    return []
                if chain is not None and chain.outcome is not None:
                    return [self._ended(job, chain.outcome)]
                self._trial = self._begin_trial(job, chain)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self.is_spent = True
                outcome = Outcome(OutcomeKind.INFEASIBLE, f"the model does not fit into memory: {_first_line(error)}")
                return [self._ended(job, outcome)]
        run = self._trial.run
        if run.outcome is None and self._trial.is_pausing:
            return [self._pause(job)]
        if run.outcome is None:
            before = run.num_steps
            try:
                measurement = run.step()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                run.stop(OutcomeKind.INFEASIBLE, f"out of memory: {_first_line(error)}")
                measurement = None
            self.num_steps += run.num_steps - before
            if measurement is not None:
                messages.append(self._measured(job, measurement))
        if run.outcome is not None:
            messages.append(self._finish_trial(job))
        return messages

    def _chain_of(self, job: Message) -> StageChain | None:
        """The stages of the trial under way; None when it has none."""
        config = job["spec"]["config"]
        if self._chain is None and config["stages"]:
            self._chain = StageChain(self.bench, config, Path(job["cache"]))
        return self._chain

    def _begin_trial(self, job: Message, chain: StageChain | None = None) -> _Trial:
        started = time.monotonic()
        release_memory(self.device)
        memory = allocated_bytes(self.device)
        folder = TrialFolder(Path(job["folder"]))
        config = job["spec"]["config"]
        parts = replace(self.bench.parts_of(config, Path(job["cache"])), stage_result=chain.source if chain else None)
        if "train_share" in job["spec"]:
            share = TrainShare(parts.prepared, job["spec"]["train_share"], config["seed"]["data"])
            parts = replace(parts, prepared=share)
        meter = self._forgettings.meter_of(parts, config, Path(job["cache"]))
        base = self.bench.take_base(parts, config)
        if chain is not None:
            chain.close()  # what it left is loaded
        memory = max(memory, allocated_bytes(self.device))
        if job["type"] == "train" and meter is None:  # it knows the base's loss
            self._text_scores.measure_base(parts, config, Path(job["cache"]), base.model)
        torch.manual_seed(config["seed"]["model"])
        model = parts.strategy.apply(base.model, parts.strategy.head_for(parts.task))
        if config["training"]["gradient_checkpointing"]:
            start_checkpointing(model)
        run = begin_run(
            parts,
            model=model,
            evaluator=self.bench.evaluator_of(parts, config),
            folder=folder,
            config=config,
            start=self._starts.setdefault(_start_key(config, parts), Start()),
            meter=meter,
        )
        _LOGGER.info(
            "%s begins at step %d, %.2f s after it was taken", job["job"], run.num_steps, time.monotonic() - started
        )
        seconds = add_paid_seconds(folder, chain.paid_seconds) if chain is not None else 0.0
        if run.rung < 0:  # a checkpoint has them already
            run.train_seconds += seconds
        return _Trial(run, parts, base, memory, stage_seconds=seconds)

    def _finish_trial(self, job: Message) -> Ended:
        """Keep the best weights of a complete trial, free everything, write the outcome last."""
        assert self._trial is not None
        trial, self._trial = self._trial, None
        run, outcome = trial.run, trial.run.outcome
        assert outcome is not None
        if outcome.kind is OutcomeKind.COMPLETE and run.best_weights is not None:
            put_weights(run.model, run.best_weights)
            with written_folder(run.folder.best) as temporary:
                trial.parts.strategy.save(run.model, temporary)
        config, cache = job["spec"]["config"], Path(job["cache"])
        extra = self._text_scores.told_of(trial.parts, config, cache, self._chain, run)
        outcome = replace(outcome, extra={**outcome.extra, **extra})
        folder = run.folder
        del run
        self._release(trial)
        remove_folder(folder.checkpoint)
        return self._ended(job, outcome)

    def _pause(self, job: Message) -> Ended:
        """Checkpoint the trial and free everything."""
        assert self._trial is not None
        trial, self._trial = self._trial, None
        if trial.run.rung >= 0:
            trial.run.write_checkpoint()
        self._release(trial)
        self._job = self._chain = None
        return {"type": "ended", "job": job["job"], "outcome": None}

    def _release(self, trial: _Trial) -> None:
        """Give back what a trial that is over has borrowed."""
        model = trial.run.model
        trial.run = None  # type: ignore[assignment]  # the optimizer's state goes with it
        self.bench.bases.put_back(trial.base, trial.parts.strategy, model)
        del model
        release_memory(self.device)
        self.is_spent = self.is_spent or allocated_bytes(self.device) > trial.memory_before + _LEAK_BYTES

    def _ended(self, job: Message, outcome: Outcome) -> Ended:
        TrialFolder(Path(job["folder"])).write_outcome(outcome)
        self._job = self._chain = None
        return {"type": "ended", "job": job["job"], "outcome": outcome.to_dict()}

    def _measured(self, job: Message, measurement: Measurement) -> Measured:
        stage_seconds = self._trial.stage_seconds if self._trial is not None else 0.0
        seconds = max(measurement.train_seconds - stage_seconds, 1e-9)
        return {
            "type": "measured",
            "job": job["job"],
            "measurement": measurement.to_dict(),
            "examples_per_second": measurement.num_examples / seconds,
        }

    def _estimate(self, job: Message) -> dict[str, Any]:
        """Time a few steps and one measurement of the configuration, and scale them to a whole trial."""
        trial = self._begin_trial(job)
        run = trial.run
        try:
            if self.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(self.device)
            timings = run.time_steps(num_steps=_NUM_TIMED_STEPS)
        finally:
            self.bench.bases.put_back(trial.base, trial.parts.strategy, run.model)
        config, cache = job["spec"]["config"], Path(job["cache"])
        stage_seconds = time_stages(self.bench, config, cache, num_steps=_NUM_TIMED_STEPS)
        return {**timings, "stage_seconds": stage_seconds, "peak_memory_gib": peak_memory_gib(self.device)}


class _Trial:
    """A trial under way and what it borrowed."""

    def __init__(
        self, run: Run, parts: Parts, base: BaseModel, memory_before: int, *, stage_seconds: float = 0.0
    ) -> None:
        self.run = run
        self.parts = parts
        self.base = base
        self.memory_before = memory_before
        self.stage_seconds = stage_seconds
        self.is_pausing = False


def _start_key(config: Mapping[str, Any], parts: Parts) -> str:
    """Equal for trials that answer alike before training."""
    strategy: Any = config["strategy"]
    if parts.strategy.starts_as_base:  # features of a frozen body come from other batches: the last digits may differ
        strategy = [parts.strategy.changes_base, parts.strategy.has_frozen_body, parts.strategy.quantisation]
    nodes = [config[name] for name in ("model", "stages", "data", "task", "seed")]
    return json.dumps([*nodes, config["training"]["precision"], strategy, parts.prepared.meta["hash"]], sort_keys=True)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
