"""`ftsweep doctor`: what works here and what does not."""

from __future__ import annotations

import sys

import click

from ftsweep.cli.options import JSON_OPTION, STORE_OPTION, open_store, print_json


@click.command()
@STORE_OPTION
@JSON_OPTION
def doctor(store: str, as_json: bool) -> None:
    """Check versions, devices and the store: what works here and what does not."""
    from ftsweep.cli.console import console_for
    from ftsweep.cli.diagnosis import checks_table, diagnose
    from ftsweep.cli.render import rich_table

    checks = diagnose(open_store(store))
    if as_json:
        print_json([check.to_dict() for check in checks])
    else:
        console_for(sys.stdout).print(rich_table(checks_table(checks)))
    if any(check.state == "fails" for check in checks):
        sys.exit(1)
