"""What is recorded of a study's result beside its models: tags in words, and metrics. Pure functions of the result."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ftsweep.analysis.flagged_rows import said_of_flagged
from ftsweep.domain.answers import model_name
from ftsweep.domain.approach import Approach
from ftsweep.domain.data_scaling import DataScaling
from ftsweep.domain.forgetting import ForgettingResult
from ftsweep.domain.metric import Metrics
from ftsweep.domain.objective import Objective
from ftsweep.domain.result import StudyResult
from ftsweep.domain.scores import Flagged, PartScores


def result_tags(result: StudyResult, objective: Objective) -> dict[str, str]:
    """Both answers and why, how often models were measured on test, and every sentence that the result has."""
    tags = {"sentence": result.sentence}
    if result.model is not None:
        tags |= {"winner": result.model.name, "chosen_because": result.model.reason}
    if result.setting is not None:
        setting = result.setting
        tags |= {"setting": model_name(setting.number), "setting_because": setting.reason}
        tags |= {"setting_standing": setting.chosen.standing, "race_ended_because": setting.ended}
    if result.test:
        tags["test_looks"] = str(result.test_looks)
    for approach in result.approaches:
        tags |= _approach_tags(approach)
    said = {
        "ended_because": result.note,
        "flagged_rows": said_of_flagged(result.flagged, objective),
        "quantity": result.quantity.sentence if result.quantity else "",
        "advice": result.advice,
    }
    return tags | {name: text for name, text in said.items() if text}


def result_metrics(result: StudyResult, known: Metrics) -> dict[str, float]:
    """Importances, the evidence for both answers, and the scores of everything it is held against.

    known: what is known of metrics by name; of rows that guards flagged only those are kept that compare parts.
    """
    metrics = {f"importance/{name}": value for name, value in result.importances.items()}
    metrics |= _evidence_metrics(result) | _flagged_metrics(result.flagged, known) | _quantity_metrics(result.quantity)
    for approach in result.approaches:
        metrics |= _approach_metrics(approach)
    return metrics


def forgetting_metrics(found: ForgettingResult) -> dict[str, float]:
    """`forgetting/cost`, `forgetting/chosen_value`, ... as far as there is such a thing."""
    metrics: dict[str, float | None] = {"num_violating": found.num_violating, "limit": found.limit, "cost": found.cost}
    for name, trial in (("chosen", found.chosen), ("unconstrained", found.unconstrained)):
        if trial is not None:
            metrics |= {f"{name}_value": trial.value, f"{name}_forgetting": trial.forgetting}
    if (point := found.suggestion) is not None:
        names: Mapping[str, float] = {"value": point.value, "forgetting": point.forgetting, "scale": point.scale}
        metrics |= {f"suggestion_{name}": value for name, value in names.items()}
    return {f"forgetting/{name}": float(value) for name, value in metrics.items() if value is not None}


def _evidence_metrics(result: StudyResult) -> dict[str, float]:
    """Of the model: the validation value without the choice's optimism, and the 95 % intervals of its test scores.
    Of the setting: its mean over fresh seeds, that mean's standard error, and the spread of seeds.
    """
    found: dict[str, float | None] = {}
    if (model := result.model) is not None:
        found |= {"model/value": model.value, "model/optimism": model.optimism, "model/corrected": model.corrected}
        for metric, interval in result.intervals.get(model.name, {}).items():
            found |= {f"test/{metric}_low": interval.low, f"test/{metric}_high": interval.high}
    if (setting := result.setting) is not None:
        chosen = setting.chosen
        found |= {"setting/mean": chosen.mean, "setting/standard_error": chosen.standard_error}
        found |= {"setting/seed_spread": setting.spread, "setting/num_fresh_runs": setting.num_runs}
    return {key: float(value) for key, value in found.items() if value is not None}


def _flagged_metrics(flagged: Flagged, known: Metrics) -> dict[str, float]:
    """`clean/test/loss`, `flagged/test/loss`, `flagged/test/num_rows`."""
    metrics: dict[str, float] = {}
    for split, parts in flagged.items():
        for name in ("clean", "flagged"):
            part = parts.get(name, PartScores(0, {}))
            metrics[f"{name}/{split}/num_rows"] = part.num_rows
            told = [metric for metric in part.values if metric not in known or known[metric].compares_parts]
            metrics |= {f"{name}/{split}/{metric}": part.values[metric] for metric in told}
    return metrics


def _quantity_metrics(quantity: DataScaling | None) -> dict[str, float]:
    """`quantity/025`: the objective on 25 % of train."""
    points = quantity.points if quantity else ()
    return {f"quantity/{round(100 * point.share):03d}": point.mean for point in points if not math.isnan(point.mean)}


def _approach_tags(approach: Approach) -> dict[str, str]:
    """Which trial stands for a branch, or what became of its trials: `branch/lora`; {} of a base."""
    if approach.is_base:
        return {}
    return {f"branch/{approach.name}": approach.fate if approach.trial is None else model_name(approach.trial)}


def _approach_metrics(approach: Approach) -> dict[str, float]:
    """`branch/lora/test/accuracy`, `branch/lora/train_seconds`.

    Of a base its scores alone, as `base/<branch>/...` for each branch that starts from it.
    """
    if approach.is_base:
        scores = approach.scores()
        return {f"base/{label}/{key}": value for label in approach.branches for key, value in scores.items()}
    names = ("num_trials", "trained_parameters", "train_seconds", "branch_seconds", "forgetting")
    costs = {name: getattr(approach, name) for name in names if getattr(approach, name) is not None}
    return {f"branch/{approach.name}/{key}": value for key, value in {**approach.scores(), **costs}.items()}
