"""`ftsweep plan`: what would run."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ftsweep.cli.options import JSON_OPTION, print_json, with_sweep


@click.command()
@with_sweep
@JSON_OPTION
def plan(sweep: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Show what would run: space, trials, rungs, data and its findings, memory and time."""
    import tempfile

    from ftsweep.config.compose import compose_sweep

    config = compose_sweep(sweep, overrides)
    from ftsweep.cli.console import console_for
    from ftsweep.cli.plan_view import print_plan
    from ftsweep.control.plan import make_plan

    with tempfile.TemporaryDirectory(prefix="ftsweep-plan-") as folder:
        facts = make_plan(config, Path(folder))
    if as_json:
        print_json(facts)
    else:
        print_plan(console_for(sys.stdout), facts)
