"""What a worker builds trials and measurements from, and keeps between them: bases, prepared data, tokenizers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ftsweep.config.build import build
from ftsweep.config.schema import TrainingSettings
from ftsweep.data.prepared import PreparedSet, prepare
from ftsweep.data.splitting.held_out import HeldOutTexts, WithoutHeldOut
from ftsweep.errors import ConfigError, FtsweepError
from ftsweep.evaluation.evaluate import Evaluator
from ftsweep.evaluation.general_text import GeneralText, held_out_text, replay_text
from ftsweep.evaluation.parts import Parts
from ftsweep.guards.gate import DataGate
from ftsweep.models.device import describe_device, find_device
from ftsweep.strategies.base import check_length
from ftsweep.worker.base_models import BaseModel, BaseModels

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_TOKENS_PER_BATCH = {"cpu": 1024, "cuda": 32768}  # of an evaluation: what fits a CPU's cache, what fills a GPU


class Workbench:
    """The device of one worker, and what its jobs share."""

    def __init__(self, allowed_packages: Sequence[str] = ()) -> None:
        self.device = find_device()
        self.allowed = tuple(allowed_packages)
        memory = describe_device(self.device)["memory_gib"]
        self.bases = BaseModels(self.device, memory_bytes=int(memory * 2**30))
        self._prepared: dict[str, PreparedSet] = {}

    def parts_of(self, config: Mapping[str, Any], cache: Path, *, held_out: HeldOutTexts | None = None) -> Parts:
        """The parts of a configuration, from the untouched base; its data without rows that tell what is held out."""
        source = build(config["model"], allowed=self.allowed)
        task = build(config["task"], allowed=self.allowed)
        strategy = build(config["strategy"], allowed=self.allowed)
        strategy.check_task(task)
        strategy.check_training(task, TrainingSettings(**config["training"]))
        strategy.check_machine()
        check_length(strategy, task, self.bases.tokenizer(source))
        # a stage has no guards: what a trial holds out is kept from its data in another way
        gate = DataGate.of(config["guards"], self.allowed) if config.get("guards") else None
        guards = None if gate is None else gate.settings
        nodes = [config["data"], config["task"], config["model"], config["seed"]["data"], guards]
        key = json.dumps([*nodes, held_out.fingerprint if held_out else None], sort_keys=True)
        if key not in self._prepared:
            data = build(config["data"], allowed=self.allowed)
            self._prepared[key] = prepare(
                config=config,
                source=WithoutHeldOut(data, task, held_out) if held_out else data,
                task=task,
                tokenizer=self.bases.tokenizer(source),
                tokenizer_fingerprint=source.fingerprint(),
                cache=cache,
                gate=gate,
            )
        task.check_schema(self._prepared[key].meta["schema"])
        return Parts(
            source=source,
            tokenizer=self.bases.tokenizer(source),
            task=task,
            strategy=strategy,
            prepared=self._prepared[key],
            replay=replay_text(config, task, source, self.bases.tokenizer(source), cache, self.allowed),
        )

    def general_of(self, config: Mapping[str, Any], cache: Path) -> GeneralText | None:
        """The held-out general text of a configuration; None when it names none."""
        source = build(config["model"], allowed=self.allowed)
        return held_out_text(config, source, self.bases.tokenizer(source), cache, self.allowed)

    def take_base(self, parts: Parts, config: Mapping[str, Any]) -> BaseModel:
        schema = parts.prepared.meta["schema"]
        precision = config["training"]["precision"]
        return self.bases.take(parts.base, parts.task, parts.strategy, schema, precision=precision)

    def evaluator_of(self, parts: Parts, config: Mapping[str, Any]) -> Evaluator:
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

    @contextmanager
    def restored(
        self, parts: Parts, config: Mapping[str, Any], best: Path, *, merged: bool = False, scale: float = 1.0
    ) -> Iterator[PreTrainedModel]:
        """A trial's kept weights, from its folder `best`, on the base, for the length of the block.

        `merged` gives one whole model, and the base is of no use afterwards. `scale` below 1 makes the trained change
        smaller; ConfigError where the strategy cannot.
        """
        if not best.is_dir():
            raise FtsweepError("no weights were kept of this trial", where=str(best))
        base = self.take_base(parts, config)
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
    def _rescale(parts: Parts, model: PreTrainedModel, base: BaseModel, scale: float) -> None:
        strategy = parts.strategy
        if not strategy.is_scalable:
            raise ConfigError(
                f"what {type(strategy).__name__} trained cannot be scaled between the base and the trial",
                where="strategy",
                remedy="Of full, top_layers, lora (without dora) and ia3 it can.",
            )
        strategy.rescale(model, strategy.head_for(parts.task), scale, base.pristine or {})
