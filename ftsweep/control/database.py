"""Which database has a study's trials for Optuna, the store's own file or the one that the sweep names; its costs."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ftsweep.config.schema import SweepConfig
from ftsweep.search.storage.database import Database
from ftsweep.search.storage.postgres import Postgres
from ftsweep.search.study import Study
from ftsweep.store.address.capture import DATABASE
from ftsweep.store.address.place import address_of
from ftsweep.store.database_use import write_database_use
from ftsweep.store.folders import StudyFolder
from ftsweep.store.identity import store_identity

_NOTE_SECONDS = 20.0


def study_database(config: SweepConfig, folder: StudyFolder) -> Database:
    """Of the study in this folder, whose store is there."""
    if config.store.database is None:
        # at an address, where studies of one store may run on several machines, each has its own
        return folder.path / DATABASE if address_of(folder.store) else folder.store.optuna_database
    return Postgres(config.store.database, store_identity(folder.store))


@dataclass
class DatabaseNotes:
    """Writes down now and then what a study's database on a server costs; of a file nothing."""

    study: Study
    folder: StudyFolder
    _next: float = 0.0

    def note(self, *, is_last: bool = False) -> None:
        now = time.monotonic()
        use = self.study.database_use if is_last or now >= self._next else None
        self._next = now + _NOTE_SECONDS if now >= self._next else self._next
        if use is not None:
            write_database_use(self.folder, use)
