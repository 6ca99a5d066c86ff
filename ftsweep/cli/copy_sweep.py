"""`ftsweep copy`: a shipped sweep as a starting point."""

from __future__ import annotations

from pathlib import Path

import click

from ftsweep.cli.placing import written_to
from ftsweep.domain.commands import quoted_command, sweep_word


@click.command()
@click.argument("sweep")
@click.argument("destination", required=False, type=click.Path(path_type=Path))
def copy(sweep: str, destination: Path | None) -> None:
    """Copy a shipped sweep as a starting point of your own (to DESTINATION, default ./SWEEP.yaml)."""
    from ftsweep.config.folders import copy_sweep

    place = destination or Path()
    with written_to(place / f"{sweep}.yaml" if place.is_dir() else place):
        written = copy_sweep(sweep, destination)
    click.echo(f"{written}\nRun it: {quoted_command('ftsweep', 'run', sweep_word(written))}")
