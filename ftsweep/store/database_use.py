"""`database.json` in a study's folder: what its database on a server costs. Nothing depends on it."""

from __future__ import annotations

from ftsweep.domain.database_use import DatabaseUse
from ftsweep.store.atomic import read_json, write_json
from ftsweep.store.folders import StudyFolder

FILE = "database.json"


def write_database_use(folder: StudyFolder, use: DatabaseUse) -> None:
    write_json(folder.path / FILE, use.to_dict())


def read_database_use(folder: StudyFolder) -> DatabaseUse | None:
    """What the last run wrote; None where the study's database is the store's own file."""
    try:
        return DatabaseUse.from_dict(read_json(folder.path / FILE))
    except (OSError, ValueError, KeyError, TypeError):
        return None
