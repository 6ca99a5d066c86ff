"""`ftsweep show`: the composed configuration."""

from __future__ import annotations

import click

from ftsweep.cli.options import JSON_OPTION, print_json, with_sweep


@click.command()
@with_sweep
@JSON_OPTION
def show(sweep: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Print the composed configuration, and the file that each choice came from."""
    from ftsweep.config.compose import explain_sweep

    explained = explain_sweep(sweep, overrides)
    if as_json:
        print_json(explained.to_dict())
    else:
        click.echo(explained.text)
