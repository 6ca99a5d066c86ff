"""The forgetting meters of one worker: whose head a body borrows, and what the untouched base scores."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from ftsweep.config.build import build
from ftsweep.domain.forgetting import NAME
from ftsweep.errors import ConfigError, ModelError
from ftsweep.evaluation.forgetting import ForgettingMeter, Lender
from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.guards.forgetting import Forgetting
from ftsweep.models.base import LANGUAGE_HEADS
from ftsweep.models.device import describe_device
from ftsweep.store.atomic import read_json, write_json
from ftsweep.strategies.base import fresh_modules
from ftsweep.worker.components import Components

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class ForgettingMeters:
    """The meters of one worker: each base is measured once for each arithmetic, and the result kept in the cache."""

    def __init__(self, components: Components) -> None:
        self._components = components
        self._lenders: dict[str, Lender] = {}

    def meter_of(self, parts: TrialParts) -> ForgettingMeter | None:
        """How the models of this trial are measured; None when `guards.forgetting` is off.

        Raises:
            ConfigError, ModelError: this strategy or model cannot be measured.
        """
        guard = forgetting_guard(parts.config, self._components.allowed)
        if guard is None:
            return None
        head = parts.strategy.head_for(parts.task)
        lender = None if head in LANGUAGE_HEADS else self._lender(parts)
        if lender is None and fresh_modules(self._components.look_at_base(parts, untouched=True), head):
            raise _of_drawn_head()
        text = self._components.general_of(parts, is_masked=lender is not None and lender.is_masked)
        if text is None:
            raise ConfigError(
                "there is no general text to measure forgetting on",
                where="guards.forgetting",
                remedy="Choose data@general=topics, or set guards.forgetting=off.",
            )
        strategy = parts.strategy
        meter = ForgettingMeter(
            replace(text, num_tokens=guard.tokens),
            self._components.evaluator_of(parts),
            math.nan,
            guard.limit,
            lender,
            is_unchanged=strategy.has_frozen_body or not strategy.trains,
        )
        meter = replace(meter, base_loss=self._base_loss(meter, parts))
        if lender is not None and lender.has_body:
            lender.drop_body()
        return meter

    def _base_loss(self, meter: ForgettingMeter, parts: TrialParts) -> float:
        """Of the untouched base, whatever stages the trial has: from the cache, or measured now."""
        lender = meter.lender
        base = self._components.look_at_base(parts, untouched=True) if lender is None else lender.model
        file = parts.cache / "forgetting" / f"{self._key(meter, parts, base)}.json"
        if not file.exists():
            if lender is not None and not lender.has_body:
                base = self._loaded(parts, base.dtype).model
            loss = meter.text.score(base, meter.evaluator).values["loss"]
            write_json(file, {"loss": loss, "tokens": meter.text.num_tokens, "model": dict(parts.source.reference())})
        return float(read_json(file)["loss"])

    def _key(self, meter: ForgettingMeter, parts: TrialParts, base: PreTrainedModel) -> str:
        """Of everything that decides what the base scores."""
        facts = [
            parts.source.fingerprint(),
            meter.text.prepared.meta["hash"],  # its fingerprint knows nothing of how it was split
            meter.text.num_tokens,
            type(base).__name__,
            str(base.dtype),
            str(meter.evaluator.autocast_dtype),
            parts.strategy.quantisation,
            str(describe_device(self._components.device)["device"]),
            torch.__version__,
        ]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]

    def _lender(self, parts: TrialParts) -> Lender:
        """In the type of the trial's body."""
        if parts.strategy.num_virtual_tokens or parts.strategy.quantisation is not None:
            raise ConfigError(
                "forgetting cannot be measured: virtual tokens and quantised bodies do not fit another head",
                where="guards.forgetting",
                remedy="Set it off, or choose strategy=lora, top_layers or full.",
            )
        dtype = self._components.look_at_base(parts).dtype
        key = f"{parts.source.fingerprint()} {dtype}"
        if key not in self._lenders:
            self._lenders.clear()  # one model at a time beside the one that trains
            self._lenders[key] = self._loaded(parts, dtype)
        return self._lenders[key]

    def _loaded(self, parts: TrialParts, dtype: torch.dtype) -> Lender:
        device = self._components.device
        try:
            model = parts.source.load("causal_lm", labels=None, dtype=dtype, device=device)
            return Lender(model.requires_grad_(False), is_masked=False)
        except ModelError as of_decoder:
            try:
                model = parts.source.load("masked_lm", labels=None, dtype=dtype, device=device)
            except ModelError as of_encoder:
                raise ModelError(
                    "forgetting cannot be measured on this model, it has neither the head of a language model "
                    f"({of_decoder.what}) nor one for masked words ({of_encoder.what})",
                    where="guards.forgetting",
                    remedy="Set guards.forgetting=off, or choose another model.",
                ) from of_encoder
            if fresh_modules(model, "masked_lm"):
                raise _of_drawn_head() from of_decoder
            return Lender(model.requires_grad_(False), is_masked=True)


def _of_drawn_head() -> ModelError:
    return ModelError(
        "forgetting cannot be measured on this model: its files lack a head for masked words, and one that is drawn "
        "tells none",
        where="guards.forgetting",
        remedy="Set guards.forgetting=off, or choose another model.",
    )


def forgetting_guard(config: Mapping[str, Any], allowed: tuple[str, ...] = ()) -> Forgetting | None:
    """The guard of a trial's configuration; None when it is off. A stage has none."""
    node = (config.get("guards") or {}).get(NAME)
    guard = build(node, allowed=allowed, where=f"guards.{NAME}") if node else None
    return guard if isinstance(guard, Forgetting) and guard.is_on else None
