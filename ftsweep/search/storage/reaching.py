"""How a write reaches Optuna's database: at once or not at all, or, on a server, after waiting for it, once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from optuna.exceptions import StorageInternalError
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from ftsweep.domain.database_use import DatabaseUse
from ftsweep.errors import StudyError

_LOGGER = logging.getLogger(__name__)
_Result = TypeVar("_Result")

WAIT_SECONDS = 600.0
"""A server that is away is waited for so long."""
_FIRST_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 0.1, 5.0
_SLICE_SECONDS = 0.5  # whoever wants to stop waits no longer
_READ_ONLY = "25006"  # a replica that is not the primary yet


def ignore(text: str) -> None:
    """Nobody watches."""


@dataclass
class Reaching:
    """Makes calls of the database at `place`; what fails is a StudyError."""

    place: str
    name: str
    """For a sentence about the study."""
    busy_seconds: float = 0.0
    """How long a locked database was waited for by its own driver; told with that error."""
    on_wait: Callable[[str], None] = ignore
    """Told twice a second that and why a server is waited for, "" when it is back. May raise, which ends the wait."""

    @property
    def use(self) -> DatabaseUse | None:
        """How often and for how long a server was waited for; None of a file."""
        return None

    def reach(self, do: Callable[[], _Result], again: Callable[[], _Result] | None = None) -> _Result:
        """What the call gives. `again`, where given, is the call to make after one that may have arrived."""
        try:
            return do()
        except (StorageInternalError, SQLAlchemyError) as error:
            raise self._told(error) from error

    def _told(self, error: Exception) -> StudyError:
        cause = cause_of(error)
        waited = f" (for {self.busy_seconds:g} seconds)" if "locked" in cause else ""
        return StudyError(
            f"Optuna's database does not take what the study has to write: {cause}{waited}",
            where=self.place,
            remedy="Let go of it, or make it writable, and run the same command again: trials go on from their "
            "folders, nothing is lost.",
        )


@dataclass
class PatientReaching(Reaching):
    """The same on a server, which may go away and come back: waits for it, and makes every write once."""

    engine: Engine | None = None
    _waited_seconds: float = 0.0
    _num_waits: int = 0

    @property
    def use(self) -> DatabaseUse | None:
        return DatabaseUse(self.place, num_waits=self._num_waits, waited_seconds=self._waited_seconds)

    def reach(self, do: Callable[[], _Result], again: Callable[[], _Result] | None = None) -> _Result:
        try:
            return do()
        except (StorageInternalError, SQLAlchemyError) as error:
            if not is_away(error):
                raise self._told(error) from error
            first = error
        began = time.monotonic()
        self._num_waits += 1
        _LOGGER.warning("Optuna's database %s is away, waiting for it: %s", self.place, cause_of(first))
        try:
            result = self._reach_again(again or do, first, began)
        finally:
            self._waited_seconds += time.monotonic() - began
        _LOGGER.warning("Optuna's database is back after %.1f s", time.monotonic() - began)
        self.on_wait("")
        return result

    def _reach_again(self, do: Callable[[], _Result], error: Exception, began: float) -> _Result:
        pause = _FIRST_PAUSE_SECONDS
        while time.monotonic() - began < WAIT_SECONDS:
            self._wait(pause, error, began)
            pause = min(2 * pause, _MAX_PAUSE_SECONDS)
            if self.engine is not None:
                self.engine.dispose()  # a session that is left may lead to a replica
            try:
                return do()
            except (StorageInternalError, SQLAlchemyError) as another:
                if not is_away(another):
                    raise self._told(another) from another
                error = another
        raise StudyError(
            f"Optuna's database has been away for {WAIT_SECONDS / 60:g} minutes: {cause_of(error)}",
            where=self.place,
            remedy="Bring it back and run the same command again: trials go on from their folders, nothing is lost.",
        ) from error

    def _wait(self, seconds: float, error: Exception, began: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            away = time.monotonic() - began
            self.on_wait(f"Optuna's database is away for {away:.0f} s, waiting for it: {cause_of(error)}")
            time.sleep(min(_SLICE_SECONDS, left))


def cause_of(error: Exception) -> str:
    """What the driver says, in one line."""
    cause: Any = error.__cause__ or error
    return " ".join(str(getattr(cause, "orig", None) or cause).split()).partition(" [SQL:")[0]


def is_away(error: Exception) -> bool:
    """Whether the same call may succeed when the server is back."""
    cause: Any = error.__cause__ if isinstance(error, StorageInternalError) else error
    if not isinstance(cause, DBAPIError):
        return False
    is_read_only = getattr(cause.orig, "sqlstate", None) == _READ_ONLY
    return cause.connection_invalidated or is_read_only or isinstance(cause, OperationalError | InterfaceError)
