"""What a conclusion rests on: intervals of test scores, runs on resampled rows, and paired differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ftsweep.domain.messages import Resample
from ftsweep.errors import ConfigError, DataError
from ftsweep.evaluation.answers import AnswerMeter
from ftsweep.evaluation.drawn_scores import as_split_scores, read_drawn
from ftsweep.evaluation.evaluate import SplitScores, as_numbers
from ftsweep.evaluation.resampling import cluster_codes, intervals, paired_difference, resampled, row_weights
from ftsweep.store.row_scores import RowEvidence, read_losses
from ftsweep.tasks.base import Task

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_NUM_PRIOR_RESAMPLES = 200
_MAX_PRIOR_ROWS = 20_000  # above, a prior's interval is too narrow to matter and takes seconds


def scored(task: Task, scores: SplitScores) -> dict[str, Any]:
    """The answer to a test job: `test`, `intervals` (by metric) and `details`."""
    found = {name: each.to_dict() for name, each in intervals(task, *scores.evidence).items() if name in scores.values}
    return {"test": scores.values, "intervals": found, "details": scores.details}


def scored_answers(task: Task, answers: AnswerMeter, model: PreTrainedModel) -> dict[str, Any]:
    """What a chosen model's answers score on validation: `num_rows`, `values` and `intervals` by metric."""
    found = answers.of_chosen(model, "validation")
    nothing = np.zeros(len(found.scores), np.float32)
    columns = np.column_stack([found.scores, nothing]) if task.counts_bytes else found.scores
    sure = intervals(task, RowEvidence(nothing, nothing.astype(np.int32), columns, found.clusters))
    return {
        "num_rows": len(found.samples),
        "values": dict(found.values),
        "intervals": {name: sure[name].to_dict() for name in found.values if name in sure},
    }


def check_told(task: Task, metric: str, values: Mapping[str, float], problem: str = "") -> None:
    """Refuse an objective that the untouched base's scores lack. problem: why, where a judge has told.

    Raises:
        DataError: no answered row tells it.
        ConfigError: a task of the user's own names it among its `metrics`, and does not score the base by it.
    """
    if metric in values:
        return
    if metric in task.metrics and not task.metrics[metric].is_generated:  # a judge's are not among them
        by = "prior_scores" if task.has_new_head else "tally"
        raise ConfigError(
            f"`{type(task).__name__}.{by}` does not give {metric}, which its `metrics` names: the untouched base has "
            f"{', '.join(values)}",
            where="objective.metric",
            remedy="Give it there, too, or choose another metric.",
        )
    what = f"{metric} tells nothing: no row of validation that was answered has such a score"
    if problem:
        remedy = "Have the judge answer, and give the command again; or choose another metric, such as rouge_l."
        raise DataError(f"{what}, for {problem}", where="objective.metric", remedy=remedy)
    needs = "json_match needs expected answers that are JSON" if metric == "json_match" else "Its judge gave no number"
    remedy = f"{needs}. Or choose another metric, such as rouge_l."
    raise DataError(what, where="objective.metric", remedy=remedy)


def scored_prior(
    task: Task, schema: Mapping[str, Any], labels: Sequence[Sequence[Any]], clusters: np.ndarray
) -> dict[str, Any] | None:
    """The same for the prior of a new head; None for a task that has no prior."""
    scores = task.prior_scores(schema, labels)
    if scores is None:
        return None
    scores = as_numbers(task, scores)
    found: dict[str, Any] = {}
    if 1 < len(labels) <= _MAX_PRIOR_ROWS:
        drawn = [
            task.prior_scores(schema, [labels[row] for row in rows]) or {}
            for rows in _resampled_rows(len(labels), clusters)
        ]
        for name in scores:
            values = np.array([each[name] for each in drawn])
            low, high = np.quantile(values, [0.025, 0.975])
            found[name] = {"standard_error": float(values.std(ddof=1)), "low": float(low), "high": float(high)}
    return {"test": scores, "intervals": found, "details": {}}


def _resampled_rows(num_rows: int, clusters: np.ndarray) -> Iterator[np.ndarray]:
    """The rows of each resample of a prior."""
    for block in row_weights(cluster_codes(num_rows, clusters), _NUM_PRIOR_RESAMPLES):
        for weights in block:
            yield np.repeat(np.arange(num_rows), weights.astype(np.int64))


def compared(task: Task, job: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a `compare` job: `difference` (left - right) of a metric and its `standard_error`; {} if unknown.

    `left` and `right` list the runs of two trials as [folder, rung].
    """
    sides = [[evidence_of(Path(folder), rung) for folder, rung in job[side]] for side in ("left", "right")]
    if not all(runs for side in sides for runs in side) or not all(sides):
        return {}
    left, right = ([each for runs in side for each in runs] for side in sides)
    found = paired_difference(task, left, right, job["metric"])
    return {} if found is None else {"difference": found.middle, "standard_error": found.standard_error}


def resampled_objective(task: Task, job: Resample) -> dict[str, Any]:
    """The answer to a `resample` job: `values`, a run's metric at a rung on every resample; [] where rows do not tell.

    The draws are the same for every run of a study, so runs are paired by them.
    """
    runs = evidence_of(Path(job["folder"]), job["rung"])
    found = resampled(task, runs) if runs else {}
    return {"values": found[job["metric"]].tolist() if job["metric"] in found else []}


def evidence_of(folder: Path, rung: int) -> list[RowEvidence]:
    """What a trial did on validation at a rung: once, or once per draw of its examples; [] if that is unknown."""
    drawn = read_drawn(folder)
    if drawn:
        return [each for scores in drawn.values() for each in as_split_scores(scores).evidence]
    losses = read_losses(folder, rung)
    return [] if losses is None or not len(losses.validation) else [losses.evidence]
