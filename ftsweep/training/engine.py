"""What a worker does with its jobs: prepare data, train trials step by step, measure, export, predict."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ftsweep.config.build import build
from ftsweep.data.prepared import PreparedSet, prepare
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.errors import FtsweepError
from ftsweep.strategies.base import save_whole, start_checkpointing
from ftsweep.training.base_models import BaseModel, BaseModels
from ftsweep.training.checkpoint import put_weights
from ftsweep.training.evaluate import Evaluator
from ftsweep.training.inference import copy_files, export_model, load_predictor
from ftsweep.training.loop import Start
from ftsweep.training.memory import (
    allocated_bytes,
    describe_device,
    find_device,
    is_out_of_memory,
    peak_memory_gib,
    release_memory,
)
from ftsweep.training.parts import Parts
from ftsweep.training.runs import Run, begin_run
from ftsweep.workspace import TrialFolder, remove_folder, written_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Message = dict[str, Any]

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
        self.device = find_device()
        self.allowed = tuple(allowed_packages)
        memory = describe_device(self.device)["memory_gib"]
        self.bases = BaseModels(self.device, memory_bytes=int(memory * 2**30))
        self.num_steps = 0
        self.is_spent = False
        self._prepared: dict[str, PreparedSet] = {}
        self._starts: dict[str, Start] = {}
        self._job: Message | None = None
        self._trial: _Trial | None = None

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
        """`continue` or `stop` for the trial that waits; an answer that comes too late changes nothing."""
        if self._trial is None or self._job is None or message.get("job") != self._job["job"]:
            return
        if message["type"] == "stop":
            self._trial.run.stop(OutcomeKind(message["kind"]), message["reason"])
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
            result = getattr(self, f"_{job['type']}")(job)
        finally:
            self._job = None
        return [{"type": "ended", "job": job["job"], "result": result}]

    def drain(self) -> None:
        """Checkpoint the trial under way, before the worker ends."""
        if self._trial is not None and self._trial.run.outcome is None and self._trial.run.rung >= 0:
            self._trial.run.write_checkpoint()

    # -- trials ---------------------------------------------------------------------------------------------------

    def _advance_trial(self, job: Message) -> list[Message]:
        messages: list[Message] = []
        if self._trial is None:
            try:
                self._trial = self._begin_trial(job)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self.is_spent = True
                outcome = Outcome(OutcomeKind.INFEASIBLE, f"the model does not fit into memory: {_first_line(error)}")
                return [self._ended(job, outcome)]
        run = self._trial.run
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

    def _begin_trial(self, job: Message) -> _Trial:
        started = time.monotonic()
        release_memory(self.device)
        memory = allocated_bytes(self.device)
        parts = self._parts(job)
        folder = TrialFolder(Path(job["folder"]))
        config = job["spec"]["config"]
        base = self._take_base(parts, config)
        memory = max(memory, allocated_bytes(self.device))
        torch.manual_seed(config["seed"]["model"])
        model = parts.strategy.apply(base.model, parts.strategy.head_for(parts.task))
        if config["training"]["gradient_checkpointing"]:
            start_checkpointing(model)
        run = begin_run(
            parts,
            model=model,
            evaluator=self._evaluator(parts, config),
            folder=folder,
            config=config,
            start=self._starts.setdefault(_start_key(config, parts), Start()),
        )
        _LOGGER.info(
            "%s begins at step %d, %.2f s after it was taken", job["job"], run.num_steps, time.monotonic() - started
        )
        return _Trial(run, parts, base, memory)

    def _finish_trial(self, job: Message) -> Message:
        """Keep the best weights of a complete trial, free everything, write the outcome last."""
        assert self._trial is not None
        trial, self._trial = self._trial, None
        run, outcome = trial.run, trial.run.outcome
        assert outcome is not None
        if outcome.kind is OutcomeKind.COMPLETE and run.best_weights is not None:
            put_weights(run.model, run.best_weights)
            with written_folder(run.folder.best) as temporary:
                trial.parts.strategy.save(run.model, temporary)
        model, folder = run.model, run.folder
        del run
        trial.run = None  # type: ignore[assignment]  # the optimizer's state goes with it
        self.bases.put_back(trial.base, trial.parts.strategy, model)
        del model
        release_memory(self.device)
        self.is_spent = self.is_spent or allocated_bytes(self.device) > trial.memory_before + _LEAK_BYTES
        remove_folder(folder.checkpoint)
        return self._ended(job, outcome)

    def _ended(self, job: Message, outcome: Outcome) -> Message:
        TrialFolder(Path(job["folder"])).write_outcome(outcome)
        self._job = None
        return {"type": "ended", "job": job["job"], "outcome": outcome.to_dict()}

    def _measured(self, job: Message, measurement: Measurement) -> Message:
        seconds = max(measurement.train_seconds, 1e-9)
        return {
            "type": "measured",
            "job": job["job"],
            "measurement": measurement.to_dict(),
            "examples_per_second": measurement.num_examples / seconds,
        }

    # -- other jobs -----------------------------------------------------------------------------------------------

    def _prepare(self, job: Message) -> dict[str, Any]:
        parts = self._parts(job)
        return {**parts.prepared.meta, "folder": str(parts.prepared.folder), "has_test": parts.prepared.has("test")}

    def _baseline(self, job: Message) -> dict[str, Any]:
        return {"validation": self._score_untouched(job, "validation")}

    def _estimate(self, job: Message) -> dict[str, Any]:
        """Time a few steps and one measurement of the configuration, and scale them to a whole trial."""
        trial = self._begin_trial(job)
        run = trial.run
        try:
            if self.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(self.device)
            timings = run.time_steps(num_steps=_NUM_TIMED_STEPS)
        finally:
            self.bases.put_back(trial.base, trial.parts.strategy, run.model)
        return {**timings, "peak_memory_gib": peak_memory_gib(self.device)}

    def _test(self, job: Message) -> dict[str, Any]:
        """Metrics on the test split, and what they are made of: of a trial's kept weights, or of the untouched base."""
        if job["spec"].get("untouched"):
            return {"test": self._score_untouched(job, "test"), "details": {}}
        parts = self._parts(job)
        with self._restored(parts, job) as model:
            scores = self._evaluator(parts, job["spec"]["config"]).score(model, parts.prepared.split("test"))
            return {"test": scores.values, "details": scores.details}

    @contextmanager
    def _restored(self, parts: Parts, job: Message) -> Iterator[PreTrainedModel]:
        """A trial's kept weights on the base, for the length of the block."""
        folder = TrialFolder(Path(job["folder"]))
        if not folder.best.is_dir():
            raise FtsweepError(f"{job['job']}: no weights were kept", where=str(folder.best))
        base = self._take_base(parts, job["spec"]["config"])
        model = parts.strategy.apply(base.model, parts.strategy.head_for(parts.task))
        try:
            parts.strategy.restore(model, folder.best)
            yield model
        finally:
            self.bases.put_back(base, parts.strategy, model)

    def _export(self, job: Message) -> dict[str, Any]:
        parts = self._parts(job)
        destination = Path(job["destination"])
        facts = {
            "spec": job["spec"],
            "reference": parts.source.reference(),
            "schema": parts.prepared.meta["schema"],
            "allowed": self.allowed,
        }
        tokenizer = self.bases.tokenizer(parts.source)
        if parts.strategy.exports_whole:
            with self._restored(parts, job) as model:
                export_model(destination, lambda folder: save_whole(model, folder), tokenizer, **facts)
        else:
            weights = TrialFolder(Path(job["folder"])).best
            export_model(destination, lambda folder: copy_files(weights, folder), tokenizer, **facts)
        examples = parts.prepared.rows("validation")[:_NUM_EXAMPLES]
        rows = [parts.task.without_target(row.values) for row in examples]
        answers = load_predictor(destination, allowed=self.allowed, device=self.device).predict(rows)
        return {"folder": str(destination), "rows": rows, "answers": answers}

    def _predict(self, job: Message) -> dict[str, Any]:
        predictor = load_predictor(Path(job["model_folder"]), allowed=self.allowed, device=self.device)
        return {"answers": predictor.predict(job["rows"])}

    def _score_untouched(self, job: Message, split_name: str) -> dict[str, float]:
        parts = self._parts(job)
        split = parts.prepared.split(split_name)
        if parts.task.has_new_head:
            labels = [split.labels(index).tolist() for index in range(len(split))]
            scores = parts.task.prior_scores(parts.prepared.meta["schema"], labels)
            if scores is not None:
                return scores
        base = self._take_base(parts, job["spec"]["config"])
        return self._evaluator(parts, job["spec"]["config"]).measure(base.model, split)

    # -- parts ----------------------------------------------------------------------------------------------------

    def _parts(self, job: Message) -> Parts:
        config: Mapping[str, Any] = job["spec"]["config"]
        source = build(config["model"], allowed=self.allowed)
        task = build(config["task"], allowed=self.allowed)
        strategy = build(config["strategy"], allowed=self.allowed)
        strategy.check_task(task)
        key = json.dumps([config["data"], config["task"], config["model"], config["seed"]["data"]], sort_keys=True)
        if key not in self._prepared:
            self._prepared[key] = prepare(
                config=config,
                source=build(config["data"], allowed=self.allowed),
                task=task,
                tokenizer=self.bases.tokenizer(source),
                tokenizer_fingerprint=source.fingerprint(),
                cache=Path(job["cache"]),
            )
        return Parts(source=source, task=task, strategy=strategy, prepared=self._prepared[key])

    def _take_base(self, parts: Parts, config: Mapping[str, Any]) -> BaseModel:
        schema = parts.prepared.meta["schema"]
        precision = config["training"]["precision"]
        return self.bases.take(parts.source, parts.task, parts.strategy, schema, precision=precision)

    def _evaluator(self, parts: Parts, config: Mapping[str, Any]) -> Evaluator:
        precision = config["training"]["precision"]
        use_bfloat16 = precision == "bfloat16" or (precision == "auto" and self.device.type == "cuda")
        return Evaluator(
            task=parts.task,
            schema=parts.prepared.meta["schema"],
            pad_token_id=self.bases.tokenizer(parts.source).pad_token_id,
            device=self.device,
            autocast_dtype=torch.bfloat16 if use_bfloat16 else None,
            tokens_per_batch=_TOKENS_PER_BATCH[self.device.type],
        )


class _Trial:
    """A trial under way and what it borrowed."""

    def __init__(self, run: Run, parts: Parts, base: BaseModel, memory_before: int) -> None:
        self.run = run
        self.parts = parts
        self.base = base
        self.memory_before = memory_before


def _start_key(config: Mapping[str, Any], parts: Parts) -> str:
    """Equal for trials that answer alike before training."""
    strategy = parts.strategy.changes_base if parts.strategy.starts_as_base else config["strategy"]
    nodes = [config[name] for name in ("model", "data", "task", "seed")]
    return json.dumps([*nodes, config["training"]["precision"], strategy], sort_keys=True)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
