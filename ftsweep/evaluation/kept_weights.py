"""What the weights that a trial kept score on a split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ftsweep.evaluation.drawn_scores import mean_scores
from ftsweep.evaluation.evaluate import Evaluator, SplitScores
from ftsweep.evaluation.prompt_scores import PromptScorer, rows_of
from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.strategies.few_shot import FewShot
from ftsweep.strategies.few_shot_tuned import FewShotTuned, draw_folders

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def score_kept(
    parts: TrialParts, *, model: PreTrainedModel, evaluator: Evaluator, folder: Path, split_name: str
) -> SplitScores:
    """Scores of a model that the strategy restored from `folder`; of several draws their mean, as in the trial."""
    strategy, split = parts.strategy, parts.prepared.split(split_name)
    if isinstance(strategy, FewShot):
        scorer = PromptScorer(parts, strategy, model, evaluator)
        rows = rows_of(parts.prepared, split_name, parts.task)
        return mean_scores([scorer.score(prompt, rows)[0] for prompt in strategy.prompts])
    if isinstance(strategy, FewShotTuned):
        found = []
        for draw in draw_folders(folder):
            strategy.inner.restore(model, draw)
            found.append(evaluator.score(model, split))
        return mean_scores(found)
    return evaluator.score(model, split)
