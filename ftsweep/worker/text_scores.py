"""How well a trial's model predicts text: general text, and that of its stages; before, after the stages, and as kept.

Metric keys are `general/<metric>` and `<stage>/<metric>` for the model that is kept, with `_before` for the untouched
base (of a stage: for what it started from) and `_after` for what the stages left.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftsweep.domain.forgetting import FORGETTING, LOSS
from ftsweep.domain.trial import OutcomeKind
from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.store.atomic import read_json, write_json
from ftsweep.store.folders import TrialFolder
from ftsweep.tasks.causal import perplexity
from ftsweep.training.runs.base import Run
from ftsweep.worker.components import Components
from ftsweep.worker.drawn_heads import has_drawn_head
from ftsweep.worker.stages import StageChain, stage_configs

if TYPE_CHECKING:
    from transformers import PreTrainedModel

GENERAL_LOSS = LOSS

Scores = dict[str, float]


def stage_scores(results: Mapping[str, Mapping[str, Any]]) -> Scores:
    """What a trial's stages measured before and after, as metrics."""
    scores: Scores = {}
    for number, (name, facts) in enumerate(results.items()):
        for when in ("before", "after"):
            scores |= {f"{name}/{metric}_{when}": value for metric, value in facts[when]["own"].items()}
            if when == "after" or number == 0:  # before the first stage, after the last one
                general = facts[when].get("general", {})
                scores |= {f"general/{metric}_{when}": value for metric, value in general.items()}
    return scores


class TextScores:
    """Measures the models of one worker's trials; the untouched base once for each base and arithmetic."""

    def __init__(self, components: Components) -> None:
        self._components = components
        self._of_base: dict[str, Scores] = {}

    def measure_base(self, parts: TrialParts, model: PreTrainedModel) -> None:
        """Score the base before anything is done to it, but for one whose head is drawn: its scores tell nothing.

        Of a trial with stages the first stage has done that.
        """
        key = self._key(parts)
        if not parts.task.takes_text or parts.stage_result is not None or key in self._of_base:
            return
        if has_drawn_head(parts, model):
            return
        self._of_base[key] = _with_suffix(self._general(parts, model), "_before")

    def outcome_extra(self, parts: TrialParts, chain: StageChain, run: Run) -> dict[str, Any]:
        """What an outcome says of texts and stages: `metrics`, `stages`, and `train_seconds` with those of stages.

        A stage counts whole in the seconds of every trial that stands on it, whichever trial has made it.
        """
        assert run.outcome is not None
        scores = {**self._of_base.get(self._key(parts), {}), **stage_scores(chain.results)}
        measured = measured_forgetting(run)
        is_kept_text = parts.task.takes_text and run.outcome.kind is OutcomeKind.COMPLETE
        if measured:
            scores |= measured
        elif is_kept_text:
            scores |= self._general(parts, run.model)
        if is_kept_text:
            scores |= self._of_stages(parts, chain, run.model)
        extra: dict[str, Any] = {"metrics": _with_forgetting(scores)} if scores else {}
        if chain.results:
            own_seconds = run.train_seconds - read_paid_seconds(run.folder)
            seconds = own_seconds + sum(facts["train_seconds"] for facts in chain.results.values())
            kept = ("train_seconds", "num_steps", "num_trained_parameters", "micro_batch_size", "before", "after")
            stages = {name: {key: facts[key] for key in kept} for name, facts in chain.results.items()}
            extra |= {"train_seconds": round(seconds, 3), "stages": stages}
        return extra

    def _general(self, parts: TrialParts, model: PreTrainedModel) -> Scores:
        general = self._components.general_of(parts)
        if general is None:
            return {}
        values = general.score(model, self._components.evaluator_of(parts)).values
        return {f"general/{metric}": value for metric, value in values.items()}

    def _of_stages(self, parts: TrialParts, chain: StageChain, model: PreTrainedModel) -> Scores:
        scores: Scores = {}
        for name, stage in stage_configs(parts.config).items():
            own = chain.parts_of(stage)
            if own.task.head == parts.task.head:
                values = self._components.evaluator_of(own).measure(model, own.prepared.split("validation"))
                scores |= {f"{name}/{metric}": value for metric, value in values.items()}
        return scores

    def _key(self, parts: TrialParts) -> str:
        config, precision = parts.config, parts.config["training"]["precision"]
        return json.dumps([parts.source.fingerprint(), config["general"], config["seed"]["data"], precision])


def measured_forgetting(run: Run) -> Scores:
    """What `guards.forgetting` measured at the best rung, which is the model that is kept; {} when it is off."""
    best_rung = run.outcome.best_rung if run.outcome is not None else None
    best = next((each.values for each in run.folder.measurements() if each.rung == best_rung), {})
    if FORGETTING not in best:
        return {}
    loss = best[GENERAL_LOSS]
    return {
        GENERAL_LOSS: loss,
        "general/perplexity": perplexity(loss),
        f"{GENERAL_LOSS}_before": loss - best[FORGETTING],
        FORGETTING: best[FORGETTING],
    }


def _with_forgetting(scores: Scores) -> Scores:
    """The scores, and how much of general text was forgotten, where both losses are known."""
    before = scores.get(f"{GENERAL_LOSS}_before")
    if before is None or GENERAL_LOSS not in scores:
        return scores
    return {**scores, FORGETTING: scores[GENERAL_LOSS] - before}


def _with_suffix(scores: Scores, suffix: str) -> Scores:
    return {f"{key}{suffix}": value for key, value in scores.items()}


def add_paid_seconds(folder: TrialFolder, seconds: float) -> float:
    """Training time that a trial has spent on making stages, these seconds added; kept in its folder."""
    total = read_paid_seconds(folder) + seconds
    if seconds:
        write_json(_paid_file(folder), {"paid_seconds": total})
    return total


def read_paid_seconds(folder: TrialFolder) -> float:
    file = _paid_file(folder)
    return float(read_json(file)["paid_seconds"]) if file.exists() else 0.0


def _paid_file(folder: TrialFolder) -> Path:
    return folder.path / "stages.json"
