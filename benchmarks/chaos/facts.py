"""What a study came to, read from everything that it left: what no kill may change, and what no kill may leave."""

from __future__ import annotations

import fcntl
import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from place import NUM_TRIALS, Place

from ftsweep.recording.base import run_name
from ftsweep.store.folders import StudyFolder, TrialFolder

_STATUSES = {"complete": "FINISHED", "pruned": "KILLED"}
_TOLD = ("model", "setting", "test", "intervals", "baseline", "num_trials", "test_looks")


def results(place: Place) -> dict[str, Any]:
    """Settings, every measured value, both answers, test scores, whose weights are kept, the bytes of the model."""
    folder = StudyFolder(place.study)
    result = json.loads((place.study / "result.json").read_text(encoding="utf-8"))
    model = sorted((place.study / "model").glob("*.safetensors"))
    return {
        "trials": {
            str(record.number): [dict(record.proposal.params), *_measured(folder.trial(record.number))]
            for record in folder.records()
        },
        "confirmations": {
            path.name: _measured(TrialFolder(path)) for path in sorted(folder.confirmations.glob("[0-9]*"))
        },
        "weights": sorted(str(path.parent.relative_to(place.study)) for path in place.study.glob("*/[0-9]*/best")),
        "result": _timeless({key: result[key] for key in _TOLD}),
        "model": [hashlib.sha256(file.read_bytes()).hexdigest() for file in model],
    }


def _timeless(value: Any) -> Any:
    """Without what a clock said."""
    if isinstance(value, dict):
        return {key: _timeless(part) for key, part in value.items() if not key.endswith("_seconds")}
    return [_timeless(part) for part in value] if isinstance(value, list) else value


def _measured(folder: TrialFolder) -> list[Any]:
    outcome = folder.outcome()
    values = [[measurement.rung, dict(measurement.values)] for measurement in folder.measurements()]
    return [values, str(outcome.kind) if outcome else None]


class Databases:
    """What Optuna's and MLflow's databases say of the study: two files in the store."""

    def __init__(self, place: Place) -> None:
        self._store = place.store

    def damage(self) -> list[str]:
        """What is wrong with their files."""
        found = []
        for name in ("optuna.db", "mlflow.db"):
            rows = _rows(self._store / name, "PRAGMA integrity_check") if (self._store / name).exists() else []
            found += [f"{name} is damaged: {row}" for (row,) in rows if row != "ok"]
        return found

    def optuna_states(self) -> list[str]:
        """Of all trials, by number."""
        rows = _rows(self._store / "optuna.db", "SELECT state FROM trials ORDER BY number")
        return [state for (state,) in rows]

    def mlflow(self, question: str) -> list[Any]:
        """Rows of MLflow's tables, as far as they are this study's."""
        return _rows(self._store / "mlflow.db", question)


def faults(place: Place, databases: Databases | None = None) -> list[str]:
    """Everything that a study which ended may not have: what is lost, double, left over or still said to run."""
    asked = databases or Databases(place)
    return [
        *_faults_of_files(place),
        *asked.damage(),
        *_faults_of_optuna(asked),
        *_faults_of_mlflow(place, asked.mlflow),
    ]


def _faults_of_files(place: Place) -> list[str]:
    found = []
    folder = StudyFolder(place.study)
    numbers = [record.number for record in folder.records()]
    if numbers != list(range(NUM_TRIALS)):
        found.append(f"trials in folders: {numbers}")
    for trial in folder.trials():
        lines = trial.measurements_file.read_bytes().splitlines()
        rungs = [measurement.rung for measurement in trial.measurements()]
        if len(_whole(lines)) != len(rungs):
            found.append(f"{trial.path.name}: a rung was measured twice: {len(lines)} lines, {len(rungs)} rungs")
        if trial.outcome() is None or trial.checkpoint.exists():
            found.append(f"{trial.path.name} has no outcome, or still a checkpoint")
    torn = [str(path.relative_to(place.store)) for path in place.store.rglob("*") if _is_torn(path)]
    if torn:
        found.append(f"left over: {', '.join(torn[:5])}")
    lock = place.study / "lock"
    with open(lock, encoding="utf-8") as file:
        if file.read():
            found.append("the lock names an owner")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found.append("the lock is held")
    return found


def _whole(lines: list[bytes]) -> list[bytes]:
    return [line for line in lines if line.startswith(b"{") and b"\t" in line and len(line.rpartition(b"\t")[2]) == 8]


def _is_torn(path: Path) -> bool:
    return path.name.endswith((".tmp", ".old", "-journal")) or path.name.startswith((".mlflow-", ".model-"))


def _rows(file: Path, question: str) -> list[Any]:
    connection = sqlite3.connect(file)
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()


def _faults_of_optuna(databases: Databases) -> list[str]:
    states = databases.optuna_states()
    if len(states) != NUM_TRIALS or not set(states) <= {"COMPLETE", "PRUNED"}:
        return [f"Optuna has {len(states)} trials: {states}"]
    return []


def _faults_of_mlflow(place: Place, rows: Callable[[str], list[Any]]) -> list[str]:
    found = []
    runs = dict(rows("SELECT name, status FROM runs WHERE lifecycle_stage = 'active'"))
    count = rows("SELECT count(*) FROM runs")[0][0]
    folder = StudyFolder(place.study)
    records = [*folder.records(), *folder.confirmed()]
    wanted = {run_name(record.proposal): _status(record.outcome) for record in records}
    wanted |= {"sweep": "FINISHED", "baseline-main": "FINISHED"}
    if runs != wanted or count != len(wanted):
        found.append(f"MLflow has {count} runs: {runs}")
    # MLflow keeps the registered model's metrics beside those of its run: value/ and test/ are there twice on purpose
    question = "SELECT run_uuid, key, step FROM metrics WHERE key LIKE 'validation/%' OR key LIKE 'train/%' "
    twice = rows(question + "GROUP BY run_uuid, key, step HAVING count(*) > 1")
    if twice:
        found.append(f"MLflow has {len(twice)} metrics twice, as {twice[0]}")
    question = (
        "SELECT runs.name, metrics.step, metrics.value FROM metrics JOIN runs USING (run_uuid) "
        "WHERE metrics.key = 'validation/loss' AND (runs.name LIKE 'trial-%' OR runs.name LIKE 'seed-%')"
    )
    told = {(name, step): value for name, step, value in rows(question)}
    measured = {
        (run_name(record.proposal), entry.rung): entry.values["validation/loss"]
        for record in records
        for entry in record.measurements
    }
    if told != measured:
        found.append(f"MLflow's values are others: {sorted(set(told.items()) ^ set(measured.items()))[:4]}")
    versions = rows("SELECT name, version FROM model_versions")
    if len(versions) != 1:
        found.append(f"registered versions: {versions}")
    pending = rows("SELECT count(*) FROM logged_models WHERE status = 1")[0][0]
    if pending:
        found.append(f"{pending} models are still being logged")
    return found


def _status(outcome: Any) -> str:
    return _STATUSES.get(str(outcome.kind) if outcome else "", "?")
