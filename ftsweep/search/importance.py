"""Which parameters decided about the result."""

from __future__ import annotations

import warnings

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

MIN_TRIALS = 6


def importances(study: optuna.Study) -> dict[str, float]:
    """Each parameter's share in reaching the best values (PED-ANOVA), greatest first; `branch` is one of them.

    Empty with too few complete trials, when their values do not differ, or when nothing varies. The target is the best
    tenth of the trials, or more of them in small studies: at least five, up to half. A branch's own parameters count
    within their branch (conditional PED-ANOVA).
    """
    values = [trial.value for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))]
    if len(values) < MIN_TRIALS or len(set(values)) < 2:
        return {}
    evaluator = PedAnovaImportanceEvaluator(target_quantile=min(0.5, max(0.1, 5 / len(values))))
    with warnings.catch_warnings():
        # So many equal values that the best part is all of them: that all matter alike is then the right answer.
        warnings.filterwarnings("ignore", "Target and region quantiles")
        shares = get_param_importances(study, evaluator=evaluator)
    return dict(sorted(shares.items(), key=lambda item: -item[1]))
