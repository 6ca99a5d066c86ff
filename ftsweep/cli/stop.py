"""`ftsweep stop`: end a study's process cleanly, or one of its trials, from any terminal that sees the store."""

from __future__ import annotations

import time
from collections.abc import Callable

from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.errors import StudyError, StudyLockedError, UsageError, suggest
from ftsweep.store.atomic import remove_folder
from ftsweep.store.folders import StudyFolder
from ftsweep.store.requests import STOPPED, Requests

Say = Callable[[str], None]

_POLL_SECONDS = 0.1
_PATIENCE_SECONDS = 60.0
"""After this long without an end the process that runs the study does not heed: it hangs, or lies under a debugger."""


def stop_study(folder: StudyFolder, say: Say, *, patience_seconds: float = _PATIENCE_SECONDS) -> None:
    """Have the process that runs the study checkpoint and end, and wait for that.

    A study that nobody runs is left as it is.

    Raises:
        StudyError: the process does not end.
    """
    owner = _owner(folder)
    if not owner:
        say(f"Study {folder.name!r} is not running: nothing to stop.")
        return
    say(f"Asked {owner} to stop; its trials checkpoint.")
    requests = Requests(folder)
    requests.ask_to_stop(owner)
    deadline = time.monotonic() + patience_seconds
    while folder.is_running and _owner(folder) == owner:
        if time.monotonic() > deadline:
            raise StudyError(
                f"study {folder.name!r} still runs {patience_seconds:g} s after it was asked to stop",
                where=str(folder.control_log),
                remedy=f"The request stands. To end it now, kill {owner}; the same `ftsweep run` goes on.",
            )
        time.sleep(_POLL_SECONDS)
    requests.settle_stop()
    trials = folder.records()
    num_ended = sum(record.outcome is not None for record in trials)
    say(f"Stopped, with {num_ended} of {len(trials)} begun trials ended; the same `ftsweep run` goes on.")


def stop_trial(folder: StudyFolder, number: int, say: Say) -> None:
    """End one trial as pruned: a running one at its next step, one that waits to be continued at once.

    Raises:
        UsageError: there is no such trial, or it has ended.
    """
    known = {record.number: record for record in folder.records()}
    if number not in known:
        remedy = suggest(str(number), [str(each) for each in known])
        raise UsageError(f"study {folder.name!r} has no trial {number}", where="--trial", remedy=remedy)
    outcome = known[number].outcome
    if outcome is not None:
        raise UsageError(f"trial {number} has ended already: {outcome.kind}, {outcome.reason}", where="--trial")
    requests = Requests(folder)
    requests.ask_to_stop_trial(number)  # first: whoever takes the study up meanwhile finds it
    say(f"Asked for the end of trial {number}.")
    while not folder.trial(number).outcome_file.exists():
        try:
            with folder.locked():
                _end_trial(folder, number)
                requests.settle(number)
        except StudyLockedError:
            time.sleep(_POLL_SECONDS)
    outcome = folder.trial(number).outcome()
    assert outcome is not None
    say(f"Trial {number} has ended: {outcome.kind}, {outcome.reason}.")


def _end_trial(folder: StudyFolder, number: int) -> None:
    """End a trial of a study that nobody runs; the next run tells Optuna and MLflow."""
    trial = folder.trial(number)
    if trial.outcome() is None:
        remove_folder(trial.checkpoint)
        measured = trial.measurements()
        trial.write_outcome(Outcome(OutcomeKind.PRUNED, STOPPED, rung=measured[-1].rung if measured else None))


def _owner(folder: StudyFolder) -> str:
    """The process that runs the study; "" when none does."""
    while folder.is_running:
        if owner := folder.owner:
            return owner
        time.sleep(_POLL_SECONDS)  # it has locked the file and not signed it yet
    return ""
