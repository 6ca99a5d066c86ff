"""`ftsweep stop`: end a study's process cleanly, or one of its trials, from any terminal that sees the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ftsweep.cli.options import STORE_OPTION, changing, find_study

if TYPE_CHECKING:
    from ftsweep.store.folders import StudyFolder


@click.command()
@click.argument("study")
@click.option("--trial", type=click.IntRange(min=0), metavar="NUMBER", help="End this trial only, as pruned.")
@STORE_OPTION
def stop(study: str, trial: int | None, store: str) -> None:
    """Finish a running study cleanly now, from any terminal; or end one trial.

    Trials checkpoint, and the same `ftsweep run` goes on with them. A trial ended with --trial is not continued; it may
    also be one of a stopped study. Waits until it is done.
    """
    folder = find_study(store, study)
    if trial is None:
        _stop_study(folder)
    else:
        _stop_trial(folder, trial)


def _stop_study(folder: StudyFolder) -> None:
    from ftsweep.errors import UsageError
    from ftsweep.store.address.visiting import owner_elsewhere
    from ftsweep.store.requests import ask_to_stop, wait_until_stopped

    owner = ask_to_stop(folder)
    if not owner and (elsewhere := owner_elsewhere(folder)):
        what, where = f"study {folder.name!r} is run by {elsewhere}", str(folder.store.name)
        raise UsageError(what, where=where, remedy="Stop it on that machine: with Ctrl-C, or this command.")
    if not owner:
        click.echo(f"Study {folder.name!r} is not running: nothing to stop.")
        return
    click.echo(f"Asked {owner} to stop; its trials checkpoint.")
    wait_until_stopped(folder, owner)
    trials = folder.records()
    num_ended = sum(record.outcome is not None for record in trials)
    click.echo(f"Stopped, with {num_ended} of {len(trials)} begun trials ended; the same `ftsweep run` goes on.")


def _stop_trial(folder: StudyFolder, number: int) -> None:
    from ftsweep.store.requests import ask_to_stop_trial, wait_until_trial_ended

    with changing(folder):
        ask_to_stop_trial(folder, number)
        click.echo(f"Asked for the end of trial {number}.")
        outcome = wait_until_trial_ended(folder, number)
    click.echo(f"Trial {number} has ended: {outcome.kind}, {outcome.reason}.")
