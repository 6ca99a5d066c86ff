"""`ftsweep logs`: what the worker wrote while it ran a trial."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from ftsweep.cli.options import STORE_OPTION, find_study

_LOOK_SECONDS = 0.5


@click.command()
@click.argument("study")
@click.argument("trial", type=click.IntRange(min=0))
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of its run with the fresh seed of this number.")
@click.option("--lines", type=click.IntRange(min=1), help="Only so many of the last lines.")
@click.option("--follow", is_flag=True, help="Go on as it grows, until the run is over or nobody runs the study.")
@STORE_OPTION
def logs(study: str, trial: int, seed: int, lines: int | None, follow: bool, store: str) -> None:
    """Print what the worker logged over a trial, running or done.

    Of a trial on another machine (executor: ray) it comes every five seconds, the last 64 KiB of what is new; with each
    rung all of it comes.
    """
    from ftsweep.domain.commands import study_command
    from ftsweep.errors import UsageError
    from ftsweep.redaction import without_secrets

    folder = find_study(store, study)
    run = folder.run(trial, seed)
    if not run.spec_file.exists():
        which = f"trial {trial}" + (f" with fresh seed {seed}" if seed else "")
        remedy = f"Its trials: {study_command('status', study, store=folder.store.name)}"
        raise UsageError(f"study {study!r} has run no {which}", where="TRIAL", remedy=remedy)
    if not follow and not run.log_file.exists():
        click.echo(f"Trial {trial} has logged nothing yet.", err=True)
    is_over = (lambda: run.outcome_file.exists() or not folder.is_running) if follow else None
    for look, added in enumerate(added_lines(run.log_file, is_over)):
        for line in added[-lines:] if lines is not None and look == 0 else added:
            click.echo(without_secrets(line), nl=False)


def added_lines(file: Path, is_over: Callable[[], bool] | None) -> Iterator[list[str]]:
    """What is new in it, look by look, until it is over; None looks once. The file need not be there yet."""
    at, is_last = 0, is_over is None
    while True:
        added = _read(file, at)
        shown = added if is_last else added[: added.rfind(b"\n") + 1]
        at += len(shown)
        yield shown.decode("utf-8", "replace").splitlines(keepends=True)
        if is_last or is_over is None:
            return
        is_last = is_over()
        time.sleep(_LOOK_SECONDS)  # a worker's last words come behind the outcome


def _read(file: Path, at: int) -> bytes:
    if not file.exists():
        return b""
    with file.open("rb") as opened:
        opened.seek(at)
        return opened.read()
