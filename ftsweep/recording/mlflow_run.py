"""One MLflow run: what the server knows of it, so that only what is new is sent. MLflow is imported in functions."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeVar

from ftsweep.domain.measurement import Measurement
from ftsweep.recording.base import RecorderAwayError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run
    from mlflow.exceptions import MlflowException

PARAM_LIMIT = 6000  # characters of a parameter's value
TAG_LIMIT = 8000
_METRICS_PER_BATCH = 800  # MLflow takes 1,000 entities per call: these, 100 parameters and 100 tags
_PARAMS_PER_BATCH = _TAGS_PER_BATCH = 100
_REFUSALS = {
    "BAD_REQUEST",
    "ENDPOINT_NOT_FOUND",
    "INVALID_PARAMETER_VALUE",
    "INVALID_STATE",
    "MALFORMED_REQUEST",
    "NOT_FOUND",
    "NOT_IMPLEMENTED",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
}
_TAGS = {"description": "mlflow.note.content"}
"""What MLflow has a place of its own for, in Markdown."""
_Item = TypeVar("_Item")


class MlflowRun:
    """Sends parameters, tags, metrics and the status of one run; what MLflow has already is not sent again."""

    def __init__(self, client: MlflowClient, run: Run) -> None:
        self._client = client
        self.run_id: str = run.info.run_id
        self.name: str = run.info.run_name
        self.status: str = run.info.status
        self.is_deleted: bool = run.info.lifecycle_stage != "active"
        self.tags: dict[str, str] = dict(run.data.tags)
        self.has_dataset = bool(run.inputs and run.inputs.dataset_inputs)
        self.params: dict[str, str] = dict(run.data.params)
        self._metrics: dict[str, float] = dict(run.data.metrics)

    def send(
        self,
        *,
        tags: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        history: Sequence[Measurement] = (),
        timestamp: float = 0.0,
    ) -> None:
        """Log in as few batches as the limits allow.

        A parameter that is there keeps its value: MLflow's are immutable. Metrics are sent when their value differs
        from the last; measurements always, at step = rung and with their own time: MLflow keeps one of equal ones.
        """
        from mlflow.entities import Metric, Param, RunTag

        new_tags = {_TAGS.get(key, key): cut(value, TAG_LIMIT) for key, value in (tags or {}).items()}
        new_tags = {key: value for key, value in new_tags.items() if self.tags.get(key) != value}
        new_params = {_name(key): _spell(value) for key, value in (params or {}).items()}
        new_params = {key: value for key, value in new_params.items() if key not in self.params}
        new_metrics = {_name(key): float(value) for key, value in (metrics or {}).items()}
        new_metrics = {key: value for key, value in new_metrics.items() if not self._has(key, value)}
        points = [Metric(key, value, _milliseconds(timestamp), 0) for key, value in new_metrics.items()]
        points += [point for measurement in history for point in _points(measurement)]
        batches: Iterator[Any] = zip_longest(
            _chunks(points, _METRICS_PER_BATCH),
            _chunks([Param(key, value) for key, value in new_params.items()], _PARAMS_PER_BATCH),
            _chunks([RunTag(key, value) for key, value in new_tags.items()], _TAGS_PER_BATCH),
            fillvalue=[],
        )
        for batch_metrics, batch_params, batch_tags in batches:
            self._client.log_batch(self.run_id, batch_metrics, batch_params, batch_tags)
        self.tags.update(new_tags)
        self.params.update(new_params)
        self._metrics.update(new_metrics)

    def send_model_metrics(self, metrics: Mapping[str, float], model_id: str, timestamp: float) -> None:
        """Metrics of the run that are those of a logged model too."""
        from mlflow.entities import Metric

        points = [
            Metric(_name(key), float(value), _milliseconds(timestamp), 0, model_id=model_id)
            for key, value in metrics.items()
        ]
        self._client.log_batch(self.run_id, points)

    def set_running(self) -> None:
        if self.status != "RUNNING":
            self._client.update_run(self.run_id, status="RUNNING")
            self.status = "RUNNING"

    def end(self, status: str, timestamp: float) -> None:
        if self.status != status:
            self._client.set_terminated(self.run_id, status, _milliseconds(timestamp))
            self.status = status

    def _has(self, key: str, value: float) -> bool:
        """Whether this is the metric's last value, in the way MLflow stores numbers."""
        if key not in self._metrics:
            return False
        known = self._metrics[key]
        if math.isinf(value):
            value = math.copysign(sys.float_info.max, value)
        return known == value or (math.isnan(known) and math.isnan(value))


def is_refusal(error: MlflowException) -> bool:
    """Whether MLflow was reached and says no; anything else may be tried again."""
    return error.error_code in _REFUSALS


@contextmanager
def reaching(place: str) -> Iterator[None]:
    """Turn the many ways in which MLflow says that it cannot be reached into RecorderAwayError."""
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, RequestException, SQLAlchemyError, OSError) as error:
        if isinstance(error, MlflowException) and is_refusal(error):
            raise
        raise RecorderAwayError(f"MLflow at {place} does not take the record: {_root(error)}") from error


def _root(error: BaseException) -> str:
    """The first cause of a chain of exceptions, on one line."""
    while (cause := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
        error = cause
    text = " ".join(str(error).split()) or type(error).__name__
    return cut(text.rpartition(" object at 0x")[0] or text, 300)


def _points(measurement: Measurement) -> Iterator[Metric]:
    from mlflow.entities import Metric

    for key, value in measurement.values.items():
        yield Metric(_name(key), float(value), _milliseconds(measurement.timestamp), measurement.rung)


def _chunks(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _milliseconds(timestamp: float) -> int:
    return round(timestamp * 1000)


def _name(key: str) -> str:
    """The key with what MLflow does not take in names replaced."""
    return re.sub(r"[^/\w.\- :]", "_", key)


def _spell(value: Any) -> str:
    """Text as it is, everything else as JSON, cut to what MLflow takes."""
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return cut(text, PARAM_LIMIT)


def cut(value: Any, limit: int) -> str:
    text = str(value)
    if len(text) <= limit:
        return text
    note = f" ... ({len(text)} characters)"
    return text[: limit - len(note)] + note
