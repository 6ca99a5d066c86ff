"""A new trial and a new value as rows of Optuna's tables, a statement per table.

Optuna writes each parameter and value with a session of its own and reads before it writes: 10 ms for a trial and
1.2 ms for a value when measured, against 1 ms and 0.2 ms. Its own tables are used, so a release that changes them is
found by the tests, which read back with Optuna.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from optuna.distributions import distribution_to_json
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial
from sqlalchemy import insert, select
from sqlalchemy.engine import Engine


def insert_trial(engine: Engine, study_id: int, number: int, trial: FrozenTrial) -> int:
    """The id of a new trial with its parameters and attributes: all of it in one transaction."""
    began = datetime.now(UTC).replace(tzinfo=None)  # as Optuna keeps it
    facts = {"number": number, "study_id": study_id, "state": trial.state, "datetime_start": began}
    params = [
        {
            "param_name": name,
            "param_value": trial.distributions[name].to_internal_repr(value),
            "distribution_json": distribution_to_json(trial.distributions[name]),
        }
        for name, value in trial.params.items()
    ]
    tables: dict[Any, list[dict[str, Any]]] = {
        models.TrialParamModel: params,
        models.TrialUserAttributeModel: _attributes(trial.user_attrs),
        models.TrialSystemAttributeModel: _attributes(trial.system_attrs),
    }
    with engine.begin() as connection:
        key = connection.execute(insert(models.TrialModel.__table__).values(facts)).inserted_primary_key
        assert key is not None
        trial_id = int(key[0])
        for model, rows in tables.items():
            if rows:
                connection.execute(insert(model.__table__), [{"trial_id": trial_id, **row} for row in rows])
    return trial_id


def find_trial(engine: Engine, study_id: int, number: int) -> int | None:
    """The id of the trial with this number, which `insert_trial` has written whole; None where there is none."""
    table = models.TrialModel.__table__
    wanted = select(table.c.trial_id).where(table.c.study_id == study_id, table.c.number == number)
    with engine.begin() as connection:
        found = connection.execute(wanted).scalar()
    return None if found is None else int(found)


def insert_value(engine: Engine, trial_id: int, step: int, value: float) -> None:
    """A finite value that the trial has not had at this step."""
    kind = models.TrialIntermediateValueModel.TrialIntermediateValueType.FINITE
    row = {"trial_id": trial_id, "step": step, "intermediate_value": value, "intermediate_value_type": kind}
    with engine.begin() as connection:
        connection.execute(insert(models.TrialIntermediateValueModel.__table__).values(row))


def insert_attribute(engine: Engine, trial_id: int, key: str, value: object) -> None:
    """A user attribute that the trial has not had."""
    with engine.begin() as connection:
        (row,) = _attributes({key: value})
        connection.execute(insert(models.TrialUserAttributeModel.__table__).values({"trial_id": trial_id, **row}))


def _attributes(values: Mapping[str, object]) -> list[dict[str, Any]]:
    return [{"key": key, "value_json": json.dumps(value)} for key, value in values.items()]
