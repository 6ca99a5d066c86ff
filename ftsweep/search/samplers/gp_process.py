"""The Gaussian-process sampler behind a pipe, so that the control process never imports torch.

The helper holds no state: every request carries the trials, the space and the seed, so a restart changes nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

import ftsweep
from ftsweep.errors import StudyError
from ftsweep.search.study_view import INFEASIBLE

_MAX_HELPERS = 3  # for one request: it may be the request that kills them


class GpProcess:
    """One long-lived helper, started by the first request and ended by `close` or by this process's end."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed by close()

    def propose(self, request: dict[str, Any]) -> dict[str, Any]:
        """The setting that the helper's Gaussian process proposes. A helper that died is replaced a few times.

        Raises:
            StudyError: the helper could not be started, died again and again or failed, with the end of what it said.
        """
        for _ in range(_MAX_HELPERS):
            answer = self._answer(json.dumps(request))
            if answer is not None:
                break
            self._end()
        else:
            raise StudyError(
                f"the Gaussian-process sampler's helper process died {_MAX_HELPERS} times: {self._last_words()}",
                remedy="The same command goes on; sampler=tpe needs no helper, in a study of its own.",
            )
        reply = json.loads(answer)
        if "error" in reply:
            raise StudyError(f"the Gaussian-process sampler failed: {reply['error']}")
        params: dict[str, Any] = reply["params"]
        return params

    def close(self) -> None:
        self._end()
        self._errors.close()

    def _answer(self, request: str) -> str | None:
        """The helper's line to this one; None when it died over it."""
        if self._process is None:
            self._process = self._start()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(request + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            return None
        return answer if answer.endswith("\n") else None

    def _end(self) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.kill()  # it holds nothing; leaving by itself would take torch seconds
            self._process.wait()
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.stdout.close()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        package_parent = str(Path(ftsweep.__file__).parent.parent)
        environment = dict(os.environ)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package_parent, environment.get("PYTHONPATH")]))
        environment["CUDA_VISIBLE_DEVICES"] = ""  # a fit takes milliseconds on one core; the GPUs belong to workers
        environment["OMP_NUM_THREADS"] = "1"
        return subprocess.Popen(
            [sys.executable, "-m", "ftsweep.search.samplers.gp_fit"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the control process to handle; end of file ends the helper
        )

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return lines[-1] if lines else "it said nothing"


class RemoteGpSampler(BaseSampler):
    """Optuna's GPSampler, asked in the helper process."""

    def __init__(self, process: GpProcess, *, seed: int, startup_trials: int, deterministic: bool) -> None:
        self._process = process
        self._seed = seed
        self._startup_trials = startup_trials
        self._deterministic = deterministic
        self._random = RandomSampler(seed=seed)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        trials = study._get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.RUNNING))
        trials = [
            other for other in trials if other.number != trial.number and search_space.keys() <= other.params.keys()
        ]
        if sum(other.state == TrialState.COMPLETE for other in trials) < self._startup_trials:
            return {}
        constraints = _filled_constraints(trials)
        return self._process.propose(
            {
                "direction": study.direction.name.lower(),
                "space": {name: distribution_to_json(distribution) for name, distribution in search_space.items()},
                "seed": self._seed,
                "deterministic": self._deterministic,
                "trials": [
                    {
                        "params": {name: other.params[name] for name in search_space},
                        "value": other.value,
                        "constraints": constraints[other.number],
                    }
                    for other in trials
                ],
            }
        )

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._random.sample_independent(study, trial, param_name, param_distribution)


def _filled_constraints(trials: list[FrozenTrial]) -> dict[int, dict[str, float]]:
    """Every complete trial's constraints, each trial with all of them as GPSampler wants it.

    One that a trial did not live to measure gets the middle of the others' values. `infeasible` needs no model of its
    own: such trials already stand in with the worst value.
    """
    known: dict[str, list[float]] = {}
    for trial in trials:
        for name, value in trial.constraints.items():
            if name != INFEASIBLE and trial.state == TrialState.COMPLETE:
                known.setdefault(name, []).append(value)
    middle = {name: sorted(values)[len(values) // 2] for name, values in known.items()}
    return {
        trial.number: {name: trial.constraints.get(name, middle[name]) for name in middle}
        if trial.state == TrialState.COMPLETE
        else {}
        for trial in trials
    }
