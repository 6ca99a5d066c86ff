"""`ftsweep dashboard`: watch the studies of a store live, compare their trials, and stop them."""

from __future__ import annotations

from importlib.util import find_spec

import click

from ftsweep.cli.options import STORE_OPTION, open_store
from ftsweep.errors import UsageError

NEEDED = ("dash", "dash_ag_grid", "gunicorn")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to serve on; without it a free one.")
@STORE_OPTION
def dashboard(host: str, port: int, store: str) -> None:
    """Serve a live dashboard of the store's studies until interrupted.

    It shows every study, running or done, and its trials in figures and a table with one selection. Whoever has the
    printed link may stop studies and trials; without its token the pages are read-only.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"the dashboard needs {', '.join(missing)}, which {'are' if len(missing) > 1 else 'is'} not installed",
            where="ftsweep dashboard",
            remedy='Install the extra: pip install "ftsweep[dashboard]"',
        )
    from ftsweep.dashboard.serving import serve
    from ftsweep.recording.ui import is_loopback
    from ftsweep.store.address.visiting import keep_fetching

    place = open_store(store)
    if not place.root.is_dir():
        raise UsageError("there is no store here", where=str(place.root), remedy="Name one with --store.")
    if not is_loopback(host):
        click.echo("It asks for no password: whoever reaches that address can read every study.", err=True)
    keep_fetching(place)
    serve(place, host, port)
