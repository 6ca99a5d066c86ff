"""`ftsweep report`: a study's HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from ftsweep.cli.options import STORE_OPTION, find_study
from ftsweep.cli.placing import written_to


@click.command()
@click.argument("study")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Where to write it. Default: report.html in the study's folder."
)
@STORE_OPTION
def report(study: str, out: Path | None, store: str) -> None:
    """Write the study's HTML page, running or done."""
    from ftsweep.report.writing import write_study_report

    folder = find_study(store, study)
    with written_to(out or folder.report_file):
        written, troubles = write_study_report(folder, out)
    for trouble in troubles:
        click.echo(f"warning: {trouble}", err=True)
    click.echo(written)
