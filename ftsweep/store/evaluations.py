"""What the tasks of lm-evaluation-harness say of a study's models: `evaluations/trial-0007.json`, a file per model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ftsweep.errors import DamagedFileError
from ftsweep.store.atomic import read_json, write_json
from ftsweep.store.folders import StudyFolder


@dataclass(frozen=True)
class TaskScores:
    """One task, asked once."""

    values: Mapping[str, float]
    """By metric."""
    errors: Mapping[str, float]
    """Standard errors, of those metrics that have one."""
    num_rows: int
    num_fewshot: int
    version: str
    """Of the task, and of lm-eval: scores of other versions do not compare."""
    is_chat: bool
    """Whether the model's chat template stood around the prompts."""
    timestamp: float


Scores = dict[str, TaskScores]
"""By task."""


def evaluation_file(folder: StudyFolder, model: str) -> Path:
    """Where a model's scores lie; its name is that on test: `trial-0007`, or `trial-0007-2` of its fresh seed 2."""
    return folder.path / "evaluations" / f"{model}.json"


def read_evaluation(folder: StudyFolder, model: str) -> Scores:
    """A model's scores; {} where there are none, or none that can be read."""
    try:
        found = read_json(evaluation_file(folder, model))
        return {str(task): TaskScores(**scores) for task, scores in found.items()}
    except (OSError, DamagedFileError, TypeError, AttributeError):
        return {}


def keep_evaluation(folder: StudyFolder, model: str, scores: Scores) -> Scores:
    """Keep these beside the scores of other tasks, in the place of earlier ones of the same; all that is kept."""
    kept = {**read_evaluation(folder, model), **scores}
    file = evaluation_file(folder, model)
    file.parent.mkdir(exist_ok=True)
    write_json(file, {task: asdict(each) for task, each in sorted(kept.items())})
    return kept


def flat_scores(scores: Scores) -> dict[str, float]:
    """All of them by `<task>/<metric>`."""
    return {f"{task}/{metric}": value for task, each in scores.items() for metric, value in each.values.items()}
