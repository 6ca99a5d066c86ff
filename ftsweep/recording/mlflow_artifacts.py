"""Artifacts of a study's runs, each content sent once: the ledger knows what has arrived."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ftsweep.recording.content import content_hash, text_hash
from ftsweep.recording.mlflow_run import MlflowRun, reaching
from ftsweep.recording.mlflow_study import MlflowStudy


def keep_text(study: MlflowStudy, run: MlflowRun, text: str, name: str, *, key: str) -> bool:
    """Write the text over the run's artifact `name`; whether it was another one. `key` is its name in the ledger."""
    content = text_hash(text)
    if study.ledger.artifacts.get(key) == content:
        return False
    study.client.log_text(run.run_id, text, name)
    study.ledger.artifacts[key] = content
    return True


def keep_files(study: MlflowStudy, files: Sequence[Path]) -> None:
    """Files and folders as artifacts of the whole study, those of other content than before.

    Raises:
        RecorderAwayError: MLflow cannot be reached; OSError: a file cannot be read, which waiting does not mend.
    """
    for file in files:
        content = content_hash(file)
        if study.ledger.artifacts.get(file.name) == content:
            continue
        with reaching(study.uri):
            if file.is_dir():
                study.client.log_artifacts(study.parent.run_id, str(file), file.name)
            else:
                study.client.log_artifact(study.parent.run_id, str(file))
        study.ledger.artifacts[file.name] = content
        study.ledger.save()
