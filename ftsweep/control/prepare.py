"""What a study stands on before its first trial: data that every guard has seen, and the untouched bases' scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftsweep.analysis.time_left import BASE_PHASE
from ftsweep.config.schema import SweepConfig
from ftsweep.control.continuity import changed_data
from ftsweep.control.data_findings import collect, refuse, write_findings
from ftsweep.control.jobs import Jobs
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch
from ftsweep.errors import ConfigError, DataError
from ftsweep.store.atomic import read_json, write_json
from ftsweep.store.folders import StudyFolder


def prepare_data(config: SweepConfig, jobs: Jobs) -> dict[str, Any]:
    """Have the data of every branch prepared and looked at by every guard; facts by branch label.

    Raises:
        DataError: the data cannot be prepared.
        ConfigError: models whose tokens differ would be compared by a metric of tokens.
    """
    data = {
        branch.label: jobs.call(jobs.make.prepare(branch), f"preparing data of {branch.label}")
        for branch in config.branches
    }
    _check_same_tokens(config.objective, data)
    return data


def check_data(config: SweepConfig, folder: StudyFolder, data: Mapping[str, Any]) -> None:
    """Write down what the guards found in a study's data.

    Raises:
        RefusedDataError: a guard refuses what it found.
        DataError: the data is not what the study's trials were made with.
    """
    _check_same_data(config.study.name, folder, data)
    findings = collect(data)
    write_findings(folder, findings)
    refuse(list(findings), config.study.name)


def measured_baseline(branch: Branch, folder: StudyFolder, jobs: Jobs) -> dict[str, float]:
    """The untouched base of a branch on validation, measured once per study."""
    trial = folder.baseline(branch.label)
    file = trial.path / "baseline.json"
    if not file.exists():
        job = jobs.make.baseline(branch)
        write_json(trial.spec_file, job["spec"])
        phase = f"{BASE_PHASE} {branch.label}"
        write_json(file, jobs.call(job, phase)["validation"])
    values: dict[str, float] = read_json(file)
    return values


def _check_same_tokens(objective: Objective, data: Mapping[str, Any]) -> None:
    """Refuse to compare models by a metric of tokens that they do not share."""
    if not objective.is_per_token or len(data) == 1:
        return
    tokens = {label: facts["tokens"] for label, facts in data.items()}
    first = next(iter(tokens))
    other = next((label for label in tokens if tokens[label] != tokens[first]), None)
    if other is None:
        return
    better = next((name for name, metric in objective.metrics.items() if not metric.is_per_token), None)
    raise ConfigError(
        f"{objective.key} is an average over tokens, and the models of branches {first!r} and {other!r} split text "
        "into different ones: it does not say which is better",
        where="objective.metric",
        remedy="Give each model a study of its own." if better is None else f"Use objective.metric={better}.",
    )


def _check_same_data(name: str, folder: StudyFolder, data: Mapping[str, Any]) -> None:
    """Refuse to go on with a study whose data has changed: its trials could not be compared."""
    found = {label: facts["fingerprint"] for label, facts in data.items()}
    for label, facts in data.items():
        found |= {f"{label}: {key}": fingerprint for key, fingerprint in facts.get("texts", {}).items()}
    if not folder.data_file.exists():
        write_json(folder.data_file, found)
    elif (known := read_json(folder.data_file)) != found and not folder.has_trials:
        folder.forget_baselines()
        write_json(folder.data_file, found)
    elif known != found:
        changed = changed_data(known, found)
        if not changed:  # but for branches that are new
            write_json(folder.data_file, {**known, **found})
            return
        what = "base model" if all(label.endswith(": model") for label in changed) else "data"
        raise DataError(
            f"the {what} of study {name!r} is not what its trials were made with ({', '.join(changed)})",
            where=str(folder.data_file),
            remedy="Put it back, or give this run a name of its own with study.name=...",
        )
