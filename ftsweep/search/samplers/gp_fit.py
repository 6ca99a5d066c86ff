"""The helper process of the Gaussian-process sampler: a line of JSON in, a line of JSON out, until end of file.

The only module of the search that leads to torch. Run as `python -m ftsweep.search.samplers.gp_fit`.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import optuna
from optuna.distributions import json_to_distribution
from optuna.trial import TrialState, create_trial


def propose(request: dict[str, Any]) -> dict[str, Any]:
    """The proposal of a Gaussian process fitted to the request's trials: a pure function of the request."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.GPSampler(
            seed=request["seed"],
            n_startup_trials=1,
            deterministic_objective=request["deterministic"],
            warn_independent_sampling=False,
        )
    study = optuna.create_study(direction=request["direction"], sampler=sampler)
    space = {name: json_to_distribution(text) for name, text in request["space"].items()}
    for told in request["trials"]:
        trial = create_trial(
            state=TrialState.RUNNING if told["value"] is None else TrialState.COMPLETE,
            value=told["value"],
            params=told["params"],
            distributions=space,
        )
        for name, value in told["constraints"].items():
            trial.set_constraint(name, value)
        study.add_trial(trial)
    return dict(study.ask(fixed_distributions=space).params)


def main() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    answers = sys.stdout
    sys.stdout = sys.stderr  # nothing that a library prints may get between the answers
    for line in sys.stdin:
        try:
            reply: dict[str, Any] = {"params": propose(json.loads(line))}
        except Exception as error:  # noqa: BLE001 - whatever it is, the control process is told
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=answers, flush=True)


if __name__ == "__main__":
    main()
