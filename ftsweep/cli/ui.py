"""`ftsweep ui`: MLflow's own pages on a store."""

from __future__ import annotations

import os
import sys

import click

from ftsweep.cli.options import STORE_OPTION, open_store
from ftsweep.errors import UsageError

UI_PORT = 5000


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option("--port", default=UI_PORT, show_default=True, help="Port to serve on.")
@STORE_OPTION
def ui(host: str, port: int, store: str) -> None:
    """Serve the MLflow UI on this store until interrupted."""
    from ftsweep.recording.ui import is_loopback, ui_address, ui_command, ui_environment

    place = open_store(store)
    if not place.mlflow_database.exists():
        raise UsageError(
            "there is no MLflow database yet", where=str(place.mlflow_database), remedy="Run a sweep first."
        )
    command = ui_command(place, host, port)
    click.echo(f"MLflow UI: {ui_address(host, port)}  (Ctrl-C ends it)")
    if not is_loopback(host):
        click.echo("It asks for no password: whoever reaches that address can read and change every run.", err=True)
    sys.stdout.flush()
    os.execve(command[0], command, {**os.environ, **ui_environment()})  # noqa: S606 - our own interpreter, no shell
