"""Where the artifacts of a store's own MLflow database lie: beside it, wherever the store has been moved or copied to.

MLflow keeps the address of an artifact with each experiment, run and model. Absolute ones lead out of a moved store.
Its addresses `mlflow-artifacts:/...` name no place: a tracking server fills in its own, and what reads the database
without a server (`mlflow.pyfunc.load_model`, our recorder) asks this module, which the installed package names to
MLflow as an entry point.
"""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

SCHEME = "mlflow-artifacts"


def address(study: str) -> str:
    """What is kept in the database as the place of a study's artifacts."""
    return f"{SCHEME}:/{study}"


def artifact_repository(
    artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
) -> ArtifactRepository:
    """MLflow's way to artifacts at `mlflow-artifacts:/...`: the folder `artifacts` beside a SQLite database; of a
    server, its own way, as without this package.
    """
    import mlflow
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
    from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository

    database = _sqlite_file(tracking_uri or mlflow.get_tracking_uri()) or _sqlite_file(registry_uri or "")
    parts = urlsplit(artifact_uri)
    if database is None or parts.netloc:
        return MlflowArtifactsRepository(artifact_uri, tracking_uri=tracking_uri, registry_uri=registry_uri)
    root = (database.parent / "artifacts").resolve()  # without `..`, which a store's path may have as it was typed
    folder = Path(os.path.normpath(f"{root}/{unquote(parts.path)}"))
    if not folder.is_relative_to(root):
        raise mlflow.MlflowException(f"{artifact_uri} leads out of {root}")
    return LocalArtifactRepository(folder.as_uri(), tracking_uri=tracking_uri, registry_uri=registry_uri)


def register() -> None:
    """Tell the MLflow of this process, also where the installed package is older than its entry point."""
    from mlflow.store.artifact.artifact_repository_registry import get_registered_artifact_repositories

    get_registered_artifact_repositories()[SCHEME] = artifact_repository  # type: ignore[assignment]  # MLflow calls what it holds, a class or this


def _sqlite_file(uri: str) -> Path | None:
    """The file of a SQLite address as SQLAlchemy reads it."""
    if not uri.startswith("sqlite"):
        return None
    from sqlalchemy import make_url

    name: Any = make_url(uri).database
    return Path(name).absolute() if name else None
