"""`ftsweep list`: shipped sweeps, and the choices of each config group."""

from __future__ import annotations

import sys

import click

from ftsweep.cli.options import JSON_OPTION, print_json


@click.command("list")
@click.argument("group", required=False)
@JSON_OPTION
def list_choices(group: str | None, as_json: bool) -> None:
    """List shipped sweeps and the choices of each config group.

    GROUP: sweeps, models, data, tasks, strategies, executors, samplers, pruners, ...
    """
    from ftsweep.config.folders import list_groups

    listed = list_groups(group)
    if as_json:
        print_json({name: [dict(entry) for entry in entries] for name, entries in listed.items()})
        return
    from ftsweep.cli.console import console_for, print_line

    console = console_for(sys.stdout)
    for name, entries in listed.items():
        print_line(console, name, "bold")
        width = max((len(entry["name"]) for entry in entries), default=0)
        for entry in entries:
            print_line(console, entry["about"], prefix=f"  {entry['name']:<{width}}  ")
