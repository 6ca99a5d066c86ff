"""`ftsweep report`: a study's HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from ftsweep.cli.options import STORE_OPTION, find_study


@click.command()
@click.argument("study")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Where to write it. Default: report.html in the study's folder."
)
@STORE_OPTION
def report(study: str, out: Path | None, store: str) -> None:
    """Write the study's HTML page, running or done."""
    from ftsweep.report.writing import write_study_report

    click.echo(write_study_report(find_study(store, study), out))
