"""`ftsweep logs`: what the worker wrote while it ran a trial."""

from __future__ import annotations

import click

from ftsweep.cli.options import STORE_OPTION, find_study


@click.command()
@click.argument("study")
@click.argument("trial", type=click.IntRange(min=0))
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of its run with the fresh seed of this number.")
@click.option("--lines", type=click.IntRange(min=1), help="Only so many of the last lines.")
@STORE_OPTION
def logs(study: str, trial: int, seed: int, lines: int | None, store: str) -> None:
    """Print what the worker logged over a trial, running or done.

    Of a trial on another machine (executor: ray) that is what has come with its last rung.
    """
    from ftsweep.errors import UsageError
    from ftsweep.redaction import without_secrets

    run = find_study(store, study).run(trial, seed)
    if not run.spec_file.exists():
        which = f"trial {trial}" + (f" with fresh seed {seed}" if seed else "")
        remedy = f"`ftsweep status {study}` lists its trials."
        raise UsageError(f"study {study!r} has run no {which}", where="TRIAL", remedy=remedy)
    if not run.log_file.exists():
        click.echo(f"Trial {trial} has logged nothing yet.", err=True)
        return
    with run.log_file.open(encoding="utf-8", errors="replace") as file:
        found = list(file)
    for line in found if lines is None else found[-lines:]:
        click.echo(without_secrets(line), nl=False)
