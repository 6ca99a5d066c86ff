"""Which parameters decided about the result. Computed in a process of its own: it loads libraries the control process
would carry from then on (scikit-learn, 74 MiB when measured).
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path

from ftsweep.executors.parent_death import end_with_parent

if __name__ == "__main__":  # the imports below take longer than the work
    end_with_parent(int(sys.argv[4]))

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from ftsweep.domain.importance import Importances
from ftsweep.search.storage.database import Database, open_database
from ftsweep.search.storage.postgres import Postgres
from ftsweep.search.storage.sqlite import close_storage

_LOGGER = logging.getLogger(__name__)

Computing = AbstractContextManager[Callable[[], Importances]]
"""Importances that are computed meanwhile; what it gives waits for them."""

MIN_TRIALS = 6
MIN_DRAWS, MAX_DRAWS, MAX_DRAWN = 10, 100, 20_000
"""Draws of the bootstrap, and of trials in all: 0.5 ms of CPU time for a draw of ten, a second for one of 10,000."""
_TIMEOUT_SECONDS = 120


@contextmanager
def computing_importances(database: Database, study: optuna.Study) -> Iterator[Callable[[], Importances]]:
    """Begin to compute each parameter's share in reaching the best values (PED-ANOVA); what is given waits for it.

    Greatest first; `branch` is one of them. Empty with too few complete trials, when their values do not differ, or
    when nothing varies; also when they cannot be computed, which is logged: no study fails for a figure. `database` is
    the study's.
    """
    values = [trial.value for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))]
    if len(values) < MIN_TRIALS or len(set(values)) < 2:
        yield Importances
        return
    place = [str(database), ""] if isinstance(database, Path) else [database.address, database.store]
    command = [sys.executable, "-m", __name__, study.study_name, *place, str(os.getpid())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield cache(lambda: _answer(process))
        finally:
            process.kill()  # of no account where it has ended


def _answer(process: subprocess.Popen[str]) -> Importances:
    try:
        answer, said = process.communicate(timeout=_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        _LOGGER.warning("importances could not be computed: %s", error)
        return Importances()
    if process.returncode != 0:
        _LOGGER.warning("importances could not be computed: %s", said)
        return Importances()
    found = json.loads(answer)
    return Importances(found["shares"], {name: (low, high) for name, (low, high) in found["ranges"].items()})


def compute(study: optuna.Study) -> Importances:
    """The shares, greatest first, and by the bootstrap over trials how sure they are.

    It draws trials as if they did not depend on each other, which those of a sampler that learns do: a hint.
    """
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    shares = _shares(study)
    source, num_draws = np.random.default_rng(0), max(MIN_DRAWS, min(MAX_DRAWS, MAX_DRAWN // len(trials)))
    found: list[dict[str, float]] = []
    for _ in range(num_draws):
        drawn = [trials[index] for index in source.integers(0, len(trials), len(trials))]
        if len({trial.value for trial in drawn}) > 1:
            found.append(_shares(_study_of(study, drawn)))
    return Importances(shares, {name: _middle([each.get(name, 0.0) for each in found]) for name in shares if found})


def _study_of(study: optuna.Study, trials: Sequence[FrozenTrial]) -> optuna.Study:
    """A study in memory of trials with these values; what they measured on the way is left out."""
    made = optuna.create_study(direction=study.direction)
    made.add_trials(
        optuna.trial.create_trial(params=trial.params, distributions=trial.distributions, value=trial.value)
        for trial in trials
    )
    return made


def _middle(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.quantile(values, [0.1, 0.9])
    return float(low), float(high)


def _shares(study: optuna.Study) -> dict[str, float]:
    """PED-ANOVA's shares, greatest first.

    The target is the best tenth of the trials, or more of them in small studies: at least five, up to half. A branch's
    own parameters count within their branch (conditional PED-ANOVA).
    """
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    num_values = len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))
    evaluator = PedAnovaImportanceEvaluator(target_quantile=min(0.5, max(0.1, 5 / num_values)))
    with warnings.catch_warnings():
        # So many equal values that the best part is all of them: that all matter alike is then the right answer.
        warnings.filterwarnings("ignore", "Target and region quantiles")
        shares = get_param_importances(study, evaluator=evaluator)
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def main() -> None:
    name, place, store = sys.argv[1:4]
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = open_database(Postgres(place, store) if store else Path(place))
    try:
        answer = compute(optuna.load_study(study_name=name, storage=storage))
    finally:
        close_storage(storage)
    sys.stdout.write(json.dumps(asdict(answer)))


if __name__ == "__main__":
    main()
