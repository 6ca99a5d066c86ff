"""The chosen model in MLflow's registry, as code that loads it: this process never imports torch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import ftsweep
from ftsweep.recording.base import ChosenModel
from ftsweep.recording.content import content_hash
from ftsweep.recording.mlflow_owner import OWNER, STUDY, check_study, owned
from ftsweep.recording.mlflow_run import MlflowRun
from ftsweep.recording.mlflow_study import MlflowStudy
from ftsweep.store.atomic import read_json, remove

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel
    from mlflow.models import ModelSignature

ALIAS = "champion"
_TEMPORARY = ".model-"
_REQUIRED = ("torch", "transformers", "peft", "safetensors", "pandas")


def register_model(study: MlflowStudy, run: MlflowRun, model: ChosenModel) -> str:
    """Log and register the model under the study's name, alias `champion`; a model that is there is not sent again.

    Every step first looks for what an earlier, interrupted call left, so the call may be repeated at any point.
    """
    client, name = study.client, registered_name(study)
    content = content_hash(model.folder)
    for torn in study.facts.folder.path.glob(f"{_TEMPORARY}*"):  # of a process that was killed in `_log_model`
        remove(torn)
    uri = f"models:/{name}@{ALIAS}"
    _make_registered_model(study, name)
    tags = {**model.tags, "ftsweep.trial": str(model.number), "ftsweep.content": content}
    version = _find_version(study, name, tags)
    if version is None:
        logged = _find_logged_model(study, tags) or _log_model(study, run, model, tags)
        run.send_model_metrics(model.metrics, logged.model_id, time.time())
        with _global_uri(study.uri):
            version = client.create_model_version(
                name, f"models:/{logged.model_id}", run.run_id, tags, model_id=logged.model_id
            )
    if (version.description or "") != model.description:
        client.update_model_version(name, version.version, model.description)
    if client.get_registered_model(name).aliases.get(ALIAS) != str(version.version):
        client.set_registered_model_alias(name, ALIAS, version.version)
    return uri


@contextmanager
def _global_uri(uri: str) -> Iterator[None]:
    """Set MLflow's global tracking URI for one call: its own database looks a version's source up there."""
    import mlflow

    former = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(former)  # type: ignore[arg-type]  # None unsets it


def registered_name(study: MlflowStudy) -> str:
    """The wanted name, or with the store's behind it where the registry has a model of that name from elsewhere."""
    wanted, own_study = study.wanted.model, study.facts.folder.name
    from mlflow.exceptions import MlflowException

    def find(name: str) -> RegisteredModel | None:
        try:
            return study.client.get_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None

    if study.has_own_database:
        if (known := find(wanted)) is not None:
            check_study(wanted, own_study, known.tags)
        return wanted
    return owned(wanted, own_study, study.owner, find)[0]


def _make_registered_model(study: MlflowStudy, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        own = study.facts.folder.name
        tags = {STUDY: own, OWNER: study.owner}
        study.client.create_registered_model(name, tags, f"The best model of the study {own!r}.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _find_version(study: MlflowStudy, name: str, tags: dict[str, str]) -> ModelVersion | None:
    """The version with the same trial and content, if there is one."""
    versions = study.client.search_model_versions(f"name = '{name}'")
    return next((version for version in versions if _is_same(version.tags, tags)), None)


def _find_logged_model(study: MlflowStudy, tags: dict[str, str]) -> LoggedModel | None:
    """A logged model with the same trial and content that no call came to register; torn ones are marked so."""
    models = study.client.search_logged_models(
        [study.experiment_id], f"tags.`ftsweep.trial` = '{tags['ftsweep.trial']}'"
    )
    for model in models:
        if model.status == "PENDING":
            study.client.finalize_logged_model(model.model_id, "FAILED")
    return next((model for model in models if model.status == "READY" and _is_same(model.tags, tags)), None)


def _is_same(tags: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(tags.get(key) == wanted[key] for key in ("ftsweep.trial", "ftsweep.content"))


def _log_model(study: MlflowStudy, run: MlflowRun, model: ChosenModel, tags: dict[str, str]) -> LoggedModel:
    import pandas as pd
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model, infer_signature
    from mlflow.pyfunc import save_model

    client = study.client
    inputs, outputs = (pd.DataFrame(list(rows)) for rows in (model.input_example, model.output_example))
    inputs.columns = inputs.columns.astype(
        object
    )  # MLflow compares them with a range, which pandas' text type warns of
    logged = client.create_logged_model(
        study.experiment_id, run.name, run.run_id, tags=tags, params=run.params, model_type="ftsweep"
    )
    try:
        with TemporaryDirectory(prefix=_TEMPORARY, dir=study.facts.folder.path) as temporary:
            path = Path(temporary) / "model"
            save_model(
                path,
                mlflow_model=Model(
                    artifact_path=logged.artifact_location,
                    model_uuid=logged.model_id,
                    model_id=logged.model_id,
                    run_id=run.run_id,
                ),
                python_model=_served_file(),
                artifacts={"model": str(model.folder)},
                signature=_with_study_names(infer_signature(inputs, outputs), model.folder),
                input_example=inputs,
                pip_requirements=_requirements(),
            )
            client.log_model_artifacts(logged.model_id, str(path))
        client.log_outputs(run.run_id, [LoggedModelOutput(logged.model_id, step=0)])
        return client.finalize_logged_model(logged.model_id, "READY")
    except BaseException:
        with suppress(Exception):  # the first error is the one to tell
            client.finalize_logged_model(logged.model_id, "FAILED")
        raise


def _with_study_names(signature: ModelSignature, folder: Path) -> ModelSignature:
    """The signature with the columns' names in the study's files beside the task's own; either may be left out."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    manifest = dict(read_json(folder / "ftsweep.json"))
    mapping = (manifest.get("data") or {}).get("columns") or {}
    specs = signature.inputs.inputs
    named = {spec.name: mapping[spec.name] for spec in specs if isinstance(mapping.get(spec.name), str)}
    named = {name: other for name, other in named.items() if other not in {spec.name for spec in specs}}
    if not named:
        return signature
    either = [ColSpec(spec.type, spec.name, spec.required and spec.name not in named) for spec in specs]
    more = [ColSpec(spec.type, named[spec.name], required=False) for spec in specs if spec.name in named]
    return ModelSignature(Schema([*either, *more]), signature.outputs, signature.params)


def _served_file() -> str:
    """The file with the model's code, found without running it: it belongs to a higher floor."""
    spec = find_spec("ftsweep.serving.mlflow_model")
    if spec is None or spec.origin is None:
        raise RuntimeError("ftsweep.serving.mlflow_model is missing from this installation")
    return spec.origin


def _requirements() -> list[str]:
    """What loading the model needs, at the versions installed here; given, because MLflow infers them by loading."""
    pins = [f"ftsweep=={ftsweep.__version__}"]
    for package in _REQUIRED:
        with suppress(metadata.PackageNotFoundError):
            pins.append(f"{package}=={metadata.version(package).partition('+')[0]}")
    return pins
