"""A study's result on disk: `result.json`, and the files beside it that are made from it."""

from __future__ import annotations

from pathlib import Path

from ftsweep.domain.result import StudyResult
from ftsweep.store.atomic import read_json, understood, write_json
from ftsweep.store.folders import StudyFolder


def result_file(folder: StudyFolder) -> Path:
    return folder.path / "result.json"


def read_result(folder: StudyFolder) -> StudyResult | None:
    """The result of a study; None while it has none.

    Raises:
        DamagedFileError: the file holds something else.
    """
    file = result_file(folder)
    if not file.exists():
        return None
    with understood(file):
        return StudyResult.from_dict(read_json(file))


def write_result(folder: StudyFolder, result: StudyResult) -> None:
    """Write the result: the last thing of a conclusion, so its existence means that the study came to its end once."""
    write_json(result_file(folder), result.to_dict())


def model_folder(folder: StudyFolder) -> Path:
    """Where the chosen model of a study lies, ready to predict."""
    return folder.path / "model"


def scaling_file(folder: StudyFolder) -> Path:
    """What trials score and forget with their trained change made smaller, as a table."""
    return folder.path / "scaling.csv"


def approaches_file(folder: StudyFolder) -> Path:
    """The comparison of approaches as a table, which MLflow shows."""
    return folder.path / "approaches.csv"
