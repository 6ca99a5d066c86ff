"""What a worker builds trials and measurements from, and keeps between them: bases, prepared data, tokenizers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ftsweep.config.build import build
from ftsweep.config.schema import TrainingSettings
from ftsweep.data.prepared import PreparedSet, prepare
from ftsweep.data.sources.known import KnownSources
from ftsweep.data.splitting.held_out import HeldOutTexts, WithoutHeldOut
from ftsweep.data.subsets.train_share import TrainShare
from ftsweep.errors import ConfigError, FtsweepError
from ftsweep.evaluation.answers import AnswerMeter
from ftsweep.evaluation.evaluate import Evaluator
from ftsweep.evaluation.forgetting import ForgettingMeter
from ftsweep.evaluation.general_text import GeneralText, held_out_text, replay_text
from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.guards.gate import DataGate
from ftsweep.models.base import ModelSource
from ftsweep.models.device import describe_device, find_device
from ftsweep.store.folders import TrialFolder
from ftsweep.strategies.base import check_length, start_checkpointing
from ftsweep.tasks.base import Task
from ftsweep.training.measuring import Start
from ftsweep.training.references import Reference, ReferencedSet
from ftsweep.training.runs.base import Run, RunStart
from ftsweep.training.runs.choice import begin_run
from ftsweep.worker.base_models import BaseModel, BaseModels
from ftsweep.worker.drawn_heads import check_held_to_base
from ftsweep.worker.end_tokens import check_end_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_TOKENS_PER_BATCH = {"cpu": 1024, "cuda": 32768}  # of an evaluation: what fits a CPU's cache, what fills a GPU


class Components:
    """The device of one worker, and what its jobs share."""

    def __init__(self, allowed_packages: Sequence[str] = ()) -> None:
        self.device = find_device()
        self.allowed = tuple(allowed_packages)
        memory = describe_device(self.device)["memory_gib"]
        self.bases = BaseModels(self.device, memory_bytes=int(memory * 2**30))
        self.sources = KnownSources(self.allowed)
        self._prepared: dict[str, PreparedSet] = {}

    def parts_of(
        self,
        config: Mapping[str, Any],
        cache: Path,
        *,
        stage_result: ModelSource | None = None,
        held_out: HeldOutTexts | None = None,
        train_share: float | None = None,
    ) -> TrialParts:
        """The parts of a configuration, on what its stages left (None: on the untouched base).

        Its data are without rows that tell what is `held_out`, and of train there is only this share.
        """
        source = build(config["model"], allowed=self.allowed)
        task = build(config["task"], allowed=self.allowed)
        strategy = build(config["strategy"], allowed=self.allowed)
        training = TrainingSettings(**config["training"])
        strategy.check_task(task)
        strategy.check_training(task, training)
        strategy.check_machine()
        if training.compile:
            from ftsweep.training.compiled import check_compiler

            check_compiler(self.device)
        tokenizer = self.bases.tokenizer(source)
        check_length(strategy, task, tokenizer)
        parts = TrialParts(
            config=config,
            cache=cache,
            source=source,
            tokenizer=tokenizer,
            task=task,
            strategy=strategy,
            prepared=self._prepared_for(config, cache, source, task, held_out),
            replay=replay_text(config, task, source, tokenizer, cache, self.sources),
            stage_result=stage_result,
        )
        if task.needs_reference:
            reference = self._reference_of(parts)
            parts = replace(parts, reference=reference, prepared=ReferencedSet(parts.prepared, reference))
        if train_share is not None:
            parts = replace(parts, prepared=TrainShare(parts.prepared, train_share, config["seed"]["data"]))
        return parts

    def _reference_of(self, parts: TrialParts) -> Reference:
        evaluator, precision = self.evaluator_of(parts), parts.config["training"]["precision"]
        facts = {
            "base": parts.base.fingerprint(),
            "dtype": str(self.bases.dtype_of(parts.base, parts.strategy, precision=precision)),
            "quantisation": parts.strategy.quantisation,
            "arithmetic": [str(evaluator.autocast_dtype), self.device.type],
        }
        return Reference(parts.prepared, evaluator, facts, lambda: self.look_at_base(parts))

    def _prepared_for(
        self, config: Mapping[str, Any], cache: Path, source: ModelSource, task: Task, held_out: HeldOutTexts | None
    ) -> PreparedSet:
        """The data of a configuration, prepared once for all trials that agree in it."""
        # a stage has no guards: what a trial holds out is kept from its data in another way
        gate = DataGate.of(config["guards"], self.allowed) if config.get("guards") else None
        guards = None if gate is None else gate.settings
        nodes = [config["data"], config["task"], config["model"], config["seed"]["data"], guards]
        key = json.dumps([*nodes, held_out.fingerprint if held_out else None], sort_keys=True)
        if key not in self._prepared:
            self.sources.check_model(config["model"], source)
            data = self.sources.data(config["data"])
            self._prepared[key] = prepare(
                config={**config, "data": self.sources.named(config["data"])},
                source=WithoutHeldOut(data, task, held_out) if held_out else data,
                task=task,
                tokenizer=self.bases.tokenizer(source),
                tokenizer_fingerprint=source.fingerprint(),
                cache=cache,
                gate=gate,
            )
        task.check_schema(self._prepared[key].meta["schema"])
        return self._prepared[key]

    def general_of(self, parts: TrialParts, *, is_masked: bool = False) -> GeneralText | None:
        """The held-out general text of a configuration, masked for encoders; None when it names none."""
        is_masked = is_masked or parts.task.head == "masked_lm"
        return held_out_text(
            parts.config, parts.source, parts.tokenizer, parts.cache, self.sources, is_masked=is_masked
        )

    def lend_base(self, parts: TrialParts, *, as_twin: bool = False) -> BaseModel:
        """What the strategy may change, until it is put back or forgotten; `as_twin`: beside others on its tensors."""
        if parts.reference is not None:
            parts.reference.values()  # while the base is untouched: later it would have to be loaded once more
        schema, precision = parts.prepared.meta["schema"], parts.config["training"]["precision"]
        lend = self.bases.lend_twin if as_twin else self.bases.lend
        return lend(parts.base, parts.task, parts.strategy, schema, precision=precision)

    def check_beginning(self, parts: TrialParts) -> None:
        """Have the base loaded and the strategy put on it for once: what cannot be is refused before any trial.

        Raises:
            ModelError: the model cannot be loaded, or has no head for the task.
            ConfigError: the strategy finds nothing in the model that it could train.
            DataError: there are rows that this model cannot read.
        """
        schema, precision = parts.prepared.meta["schema"], parts.config["training"]["precision"]
        base = self.bases.lend(parts.base, parts.task, parts.strategy, schema, precision=precision)
        try:
            check_end_tokens(parts, base.model)
            model = parts.strategy.apply(base.model, parts.strategy.head_for(parts.task))
        except BaseException:
            self.bases.forget(base)
            raise
        self.bases.put_back(base, parts.strategy, model)

    def look_at_base(self, parts: TrialParts, *, untouched: bool = False) -> PreTrainedModel:
        """What the trial starts from, to be measured and not changed; `untouched`: by its stages neither."""
        schema, precision = parts.prepared.meta["schema"], parts.config["training"]["precision"]
        source = parts.source if untouched else parts.base
        return self.bases.look_at(source, parts.task, parts.strategy, schema, precision=precision).model

    def evaluator_of(self, parts: TrialParts) -> Evaluator:
        precision = parts.config["training"]["precision"]
        use_bfloat16 = precision == "bfloat16" or (precision == "auto" and self.device.type == "cuda")
        return Evaluator(
            task=parts.task,
            schema=parts.prepared.meta["schema"],
            pad_token_id=parts.tokenizer.pad_token_id,
            device=self.device,
            autocast_dtype=torch.bfloat16 if use_bfloat16 else None,
            tokens_per_batch=_TOKENS_PER_BATCH[self.device.type],
        )

    def answers_of(self, parts: TrialParts) -> AnswerMeter | None:
        """What has a trial's model answer; None where the task's answers are no text, or nothing asks for them."""
        answering = parts.task.answering(parts.config["objective"]["metric"])
        return None if answering is None else AnswerMeter(parts, answering, self.evaluator_of(parts))

    def begin_run(
        self,
        parts: TrialParts,
        base: BaseModel,
        folder: TrialFolder,
        *,
        start: Start | None = None,
        meter: ForgettingMeter | None = None,
        answers: AnswerMeter | None = None,
    ) -> Run:
        """The run of these parts on a base that was lent for it, from what the folder holds of it."""
        check_held_to_base(parts, base.model)
        torch.manual_seed(parts.config["seed"]["model"])
        model = parts.strategy.apply(base.model, parts.strategy.head_for(parts.task))
        if parts.config["training"]["gradient_checkpointing"]:
            start_checkpointing(model)
        return begin_run(
            RunStart(
                parts=parts,
                prepared=parts.prepared,
                model=model,
                evaluator=self.evaluator_of(parts),
                folder=folder,
                start=Start() if start is None else start,
                meter=meter,
                answers=answers,
            )
        )

    @contextmanager
    def restored(
        self, parts: TrialParts, best: Path, *, merged: bool = False, scale: float = 1.0
    ) -> Iterator[PreTrainedModel]:
        """A trial's kept weights, from its folder `best`, on the base, for the length of the block.

        `merged` gives one whole model, and the base is of no use afterwards. `scale` below 1 makes the trained change
        smaller; ConfigError where the strategy cannot.
        """
        if not best.is_dir():
            raise FtsweepError("no weights were kept of this trial", where=str(best))
        base = self.lend_base(parts)
        model = parts.strategy.apply(base.model, parts.strategy.head_for(parts.task))
        try:
            parts.strategy.restore(model, best)
            if scale != 1.0:
                self._rescale(parts, model, base, scale)
            yield parts.strategy.merged(model) if merged else model
        finally:
            if merged:
                self.bases.forget(base)
            else:
                self.bases.put_back(base, parts.strategy, model)

    @staticmethod
    def _rescale(parts: TrialParts, model: PreTrainedModel, base: BaseModel, scale: float) -> None:
        strategy = parts.strategy
        if not strategy.is_scalable:
            raise ConfigError(
                f"what {type(strategy).__name__} trained cannot be scaled between the base and the trial",
                where="strategy",
                remedy="Of full, top_layers, lora (without dora) and ia3 it can.",
            )
        strategy.rescale(model, strategy.head_for(parts.task), scale, base.pristine or {})
