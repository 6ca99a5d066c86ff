"""One trial under way in a worker: its stages, its steps, its rungs, and how it ends."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.messages import Answer, Ended, Measured, Message, Train
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.evaluation.answers import AnswerMeter
from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.models.device import allocated_bytes, is_out_of_memory, release_memory
from ftsweep.store.atomic import remove_folder, written_folder
from ftsweep.store.folders import TrialFolder
from ftsweep.training.checkpoint import put_weights
from ftsweep.training.lanes.lane import Lane
from ftsweep.training.measuring import Start
from ftsweep.training.runs.base import Run
from ftsweep.worker.base_models import BaseModel
from ftsweep.worker.components import Components
from ftsweep.worker.forgetting_meters import ForgettingMeters
from ftsweep.worker.shared_passes import SharedPasses
from ftsweep.worker.stages import StageChain
from ftsweep.worker.text_scores import TextScores, add_paid_seconds

_LOGGER = logging.getLogger(__name__)


@dataclass
class Shared:
    """What the trials of one worker have in common, whether they are under way at once or one after another."""

    components: Components
    forgetting_meters: ForgettingMeters
    text_scores: TextScores
    starts: dict[str, Start] = field(default_factory=dict)
    """What was measured before training, by `_start_key`."""
    passes: SharedPasses | None = None
    """Of a worker with several lanes."""


class DoesNotFitError(Exception):
    """Memory ran out before the trial had begun."""


@dataclass
class _Training:
    """A run, and what it borrowed."""

    run: Run
    parts: TrialParts
    base: BaseModel
    answers: AnswerMeter | None
    lane: Lane | str | None
    """As what it shares passes, or why it does not; None in a worker with one lane."""


class TrialJob:
    """A job of type `train`. Its first steps are those of its stages, then it begins, then its run steps.

    It `is_waiting` at a rung until it is answered. It is over with the message `ended`, which is the last of a step.
    """

    def __init__(self, message: Train, shared: Shared) -> None:
        self.name: str = message["job"]
        self.num_steps = 0
        self.memory_before = 0
        """Bytes on the device when its base was loaded, and nothing of it yet."""
        self._message = message
        self._shared = shared
        self._components = shared.components
        config, cache = message["spec"]["config"], Path(message["cache"])
        self._folder = TrialFolder(Path(message["folder"]))
        self._chain = StageChain(shared.components, config, cache)
        self._training: _Training | None = None
        self._is_pausing = False
        self._stopped: Outcome | None = None  # before it began

    # -- what the engine calls ------------------------------------------------------------------------------------

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for an answer."""
        return self._training is not None and self._training.run.is_waiting

    @property
    def is_blocked(self) -> bool:
        """Whether it waits for a stage that somebody else makes."""
        return self._training is None and self._chain.is_blocked

    @property
    def lane(self) -> tuple[Lane, BaseModel] | None:
        """As what it may share the pass of its next step, and on which base; None when that is no optimizer step."""
        training = self._training
        if training is None or not isinstance(training.lane, Lane) or self._is_pausing or self.is_waiting:
            return None
        is_optimizer_step = training.run.outcome is None and training.run.rung >= 0
        return (training.lane, training.base) if is_optimizer_step else None

    def answer(self, message: Answer) -> None:
        """`continue` at a rung; `stop` or `pause` at any time, which takes effect in the next step."""
        run = self._training.run if self._training is not None else None
        if message["type"] == "stop":
            kind, reason = OutcomeKind(message["kind"]), message["reason"]
            if run is not None:
                run.stop(kind, reason)
            else:
                self._stopped = Outcome(kind, reason)
            return
        self._is_pausing = self._is_pausing or message["type"] == "pause"
        if run is not None:
            run.resume()

    def step(self) -> list[Message]:
        """Advance by a little; what is to be sent.

        Raises:
            DoesNotFitError: not even a base fits into memory now; nothing has been taken.
        """
        if self._training is None:
            return self._approach()
        training = self._training
        if training.run.outcome is None and self._is_pausing:
            return [self._pause(training)]
        messages: list[Message] = []
        if training.run.outcome is None:
            measurement = self._step_run(training.run)
            if measurement is not None:
                messages.append(self._measured(measurement))
        if training.run.outcome is not None:
            messages.append(self._finish(training, training.run.outcome))
        return messages

    def write_checkpoint(self) -> None:
        """Have a new process go on from here."""
        self._chain.write_checkpoint()
        run = self._training.run if self._training is not None else None
        if run is not None and run.outcome is None and run.rung >= 0:
            run.write_checkpoint()

    def end(self, outcome: Outcome) -> Ended:
        """Write the outcome, last of all; the message that says so."""
        self._folder.write_outcome(outcome)
        return {"type": "ended", "job": self.name, "outcome": outcome.to_dict()}

    def abandon(self) -> None:
        """Give up, after an error, what others may need; no outcome is written."""
        self._chain.abandon()
        if self._training is not None:
            self._components.bases.forget(self._training.base)
            self._training = None

    # -- before it begins -----------------------------------------------------------------------------------------

    def _approach(self) -> list[Message]:
        """A step of the stages, or begin when they are done."""
        if self._stopped is not None or self._is_pausing:
            self.write_checkpoint()
            self.abandon()
            return [self._paused() if self._stopped is None else self.end(self._stopped)]
        try:
            if not self._chain.is_done:
                before = self._chain.num_steps
                self._chain.step()
                self.num_steps += self._chain.num_steps - before
                return []
            if self._chain.outcome is not None:
                return [self.end(self._chain.outcome)]
            self._training = self._begin()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._chain.drop_run()
            raise DoesNotFitError(_first_line(error)) from error
        return self.step()

    def _begin(self) -> _Training:
        started = time.monotonic()
        release_memory(self._components.device)
        memory = allocated_bytes(self._components.device)
        spec, cache = self._message["spec"], Path(self._message["cache"])
        parts = self._components.parts_of(
            spec["config"], cache, stage_result=self._chain.source, train_share=spec.get("train_share")
        )
        meter = self._shared.forgetting_meters.meter_of(parts)
        passes = self._shared.passes
        refusal = None if passes is None else passes.refusal(parts)
        base = self._components.lend_base(parts, as_twin=passes is not None and refusal is None)
        try:
            self.memory_before = max(memory, allocated_bytes(self._components.device))
            if meter is None:  # it knows the base's loss
                self._shared.text_scores.measure_base(parts, base.model)
            start = self._shared.starts.setdefault(_start_key(parts), Start())
            answers = self._components.answers_of(parts)
            run = self._components.begin_run(parts, base, self._folder, start=start, meter=meter, answers=answers)
        except BaseException:
            self._components.bases.forget(base)
            raise
        self._chain.close()  # what it left is loaded
        _LOGGER.info("%s begins at step %d, after %.2f s", self.name, run.num_steps, time.monotonic() - started)
        seconds = add_paid_seconds(self._folder, self._chain.paid_seconds)
        if run.rung < 0:  # a checkpoint has them already
            run.train_seconds += seconds
        lane = refusal if passes is None or refusal is not None else passes.seat(self.name, run, base)
        if isinstance(lane, str):
            _LOGGER.info("%s takes its steps alone: %s", self.name, lane)
        return _Training(run, parts, base, answers, lane)

    # -- under way ------------------------------------------------------------------------------------------------

    def _step_run(self, run: Run) -> Measurement | None:
        before = run.num_steps
        try:
            return run.step()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            run.stop(OutcomeKind.INFEASIBLE, f"out of memory: {_first_line(error)}")
            return None
        finally:
            self.num_steps += run.num_steps - before

    def _measured(self, measurement: Measurement) -> Measured:
        return {"type": "measured", "job": self.name, "measurement": measurement.to_dict()}

    def _pause(self, training: _Training) -> Ended:
        """Checkpoint the trial and free everything; submitted again, it goes on."""
        self.write_checkpoint()
        self._free(training)
        return self._paused()

    def _paused(self) -> Ended:
        return {"type": "ended", "job": self.name, "outcome": None}

    def _finish(self, training: _Training, outcome: Outcome) -> Ended:
        """Keep the best weights of a complete trial, free everything, write the outcome last."""
        run, strategy = training.run, training.parts.strategy
        if outcome.kind is OutcomeKind.COMPLETE and run.best_weights is not None:
            put_weights(run.model, run.best_weights)
            with written_folder(self._folder.best) as temporary:
                strategy.save(run.model, temporary)
        extra = self._shared.text_scores.outcome_extra(training.parts, self._chain, run) | _shared_extra(training.lane)
        if training.answers is not None and (cost := training.answers.cost):
            extra["metrics"] = {**extra.get("metrics", {}), **cost}
        del run
        self._free(training)
        remove_folder(self._folder.checkpoint)
        return self.end(replace(outcome, extra={**outcome.extra, **extra}))

    def _free(self, training: _Training) -> None:
        """Give back what the trial has borrowed."""
        model = training.run.model
        self._training = None
        training.run = training.lane = None  # type: ignore[assignment]  # the optimizer's state goes with it
        self._components.bases.put_back(training.base, training.parts.strategy, model)
        del model
        release_memory(self._components.device)


def _start_key(parts: TrialParts) -> str:
    """Equal for trials that answer alike before training."""
    config, built = parts.config, parts.strategy
    strategy: Any = config["strategy"]
    if built.starts_as_base:  # features of a frozen body come from other batches: the last digits may differ
        strategy = [built.changes_base, built.has_frozen_body, built.num_trained_layers, built.quantisation]
    nodes = [config[name] for name in ("model", "stages", "data", "task", "seed")]
    return json.dumps([*nodes, config["training"]["precision"], strategy, parts.prepared.meta["hash"]], sort_keys=True)


def _shared_extra(lane: Lane | str | None) -> dict[str, Any]:
    """What the outcome tells of a worker with several lanes: how many steps were shared, and why no more were."""
    if lane is None:
        return {}
    if isinstance(lane, str):
        return {"shared_steps": 0, "alone": lane}
    return {"shared_steps": lane.stepper.num_shared, **({} if lane.refusal is None else {"alone": lane.refusal})}


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
