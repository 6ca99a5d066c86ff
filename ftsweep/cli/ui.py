"""`ftsweep ui`: MLflow's own pages on a store."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from ftsweep.cli.options import STORE_OPTION, open_store
from ftsweep.errors import UsageError

if TYPE_CHECKING:
    from ftsweep.store.folders import Store

UI_PORT = 5000
_SHOWN_STUDIES = 5


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option("--port", type=click.IntRange(1, 65535), help=f"Port to serve on. Default: a free one from {UI_PORT} on.")
@STORE_OPTION
def ui(host: str, port: int | None, store: str) -> None:
    """Serve the MLflow UI on this store until interrupted, and print its studies' pages when it answers."""
    from ftsweep.control.recorded_here import record_here
    from ftsweep.recording.serving_ui import free_port
    from ftsweep.recording.ui import is_loopback, ui_command, ui_environment
    from ftsweep.recording.ui_process import serve

    place = open_store(store)
    record_here(place, lambda text: click.echo(text, err=True))
    if not place.mlflow_database.exists():
        raise UsageError(
            "there is no MLflow database yet", where=str(place.mlflow_database), remedy="Run a sweep first."
        )
    found = free_port(host, UI_PORT if port is None else port)
    if found is None or (port is not None and found != port):
        what = "no free port was found" if port is None else f"port {port} is taken"
        remedy = "Leave --port out: a free one is found." if found is not None else "Name a free one with --port."
        raise UsageError(what, where=f"--host {host}", remedy=remedy)
    if not is_loopback(host):
        click.echo("It asks for no password: whoever reaches that address can read and change every run.", err=True)
    click.echo("MLflow starts (Ctrl-C ends it) ...")
    sys.stdout.flush()
    command = ui_command(place, host, found)
    sys.exit(serve(command, ui_environment(), lambda is_alive: _tell_when_it_answers(place, host, found, is_alive)))


def _tell_when_it_answers(store: Store, host: str, port: int, is_alive: Callable[[], bool]) -> None:
    from ftsweep.recording.serving_ui import study_addresses, wait_for_answer
    from ftsweep.recording.ui import ui_address

    address = f"http://{host}:{port}"
    if not wait_for_answer(address, is_alive=is_alive):
        return
    lines = [f"MLflow UI: {ui_address(host, port)}"]
    pages = list(study_addresses(store, address).items())
    lines += [f"  {name}: {page}" for name, page in pages[:_SHOWN_STUDIES]]
    lines += [f"  and {len(pages) - _SHOWN_STUDIES} more studies"] if len(pages) > _SHOWN_STUDIES else []
    with suppress(BrokenPipeError):
        click.echo("\n".join(lines))
        sys.stdout.flush()
