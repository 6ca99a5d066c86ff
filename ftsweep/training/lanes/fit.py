"""Whether a trial can be a lane, as far as its configuration and its model tell; its first steps tell the rest."""

from __future__ import annotations

import torch

from ftsweep.config.schema import TrainingSettings
from ftsweep.evaluation.evaluate import Evaluator
from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.strategies.adapters import lora_layers
from ftsweep.strategies.lean import LeanLinear
from ftsweep.strategies.lora import Lora
from ftsweep.training.runs.base import Run
from ftsweep.training.step import Stepper
from ftsweep.training.trial import TrialRun


def refusal(parts: TrialParts, evaluator: Evaluator, *, is_exact: bool) -> str | None:
    """Why a trial of these parts takes its steps alone; None where it may be a lane.

    `is_exact`: of passes in which every bit is that alone.
    """
    strategy, training = parts.strategy, TrainingSettings(**parts.config["training"])
    if not isinstance(strategy, Lora):
        return f"lanes share a pass for LoRA adapters, not for {type(strategy).__name__}"
    reasons = {
        "products are the same to the last bit with executor.threads=1 only": is_exact and torch.get_num_threads() > 1,
        "strategy.dora rescales whole weights": strategy.dora,
        "strategy.init=pissa changes what its layers start from": strategy.init == "pissa",
        "its base is quantised": strategy.quantisation is not None,
        "it computes in bfloat16": is_exact and evaluator.autocast_dtype is not None,
        "training.gradient_checkpointing computes layers twice": training.gradient_checkpointing,
        "training.compile is of one trial's passes": training.compile,
        "training.kl_to_base asks the base as well": training.kl_to_base > 0,
    }
    return next((reason for reason, is_so in reasons.items() if is_so), None)


def run_refusal(run: Run, *, is_exact: bool) -> str | None:
    """The same of a run that has been made."""
    if type(run) is not TrialRun or type(run.stepper) is not Stepper:
        return f"{type(run).__name__} trains in its own way"
    layers = lora_layers(run.model)
    other = [layer for layer in layers.values() if type(layer) is not LeanLinear]
    if other or not layers:
        return "it adapts layers that are no plain linear ones"
    types = {weight.dtype for layer in layers.values() for weight in layer.parameters()}
    if is_exact and types != {torch.float32}:
        return "its weights are not all held in float32"
    return None
