"""`ftsweep extend`: give a running study more to do."""

from __future__ import annotations

import click

from ftsweep.cli.options import STORE_OPTION, changing, find_study


@click.command()
@click.argument("study")
@click.argument("values", nargs=-1, required=True, metavar="budget.KEY=VALUE...")
@STORE_OPTION
def extend(study: str, values: tuple[str, ...], store: str) -> None:
    """Raise the budget of a running study: budget.trials=50, or a limit on time or disk.

    It holds for the same `ftsweep run` again, too. A study that is not running gets its budget from the command that
    goes on with it, which is printed.
    """
    from ftsweep.cli.asking import say_answer
    from ftsweep.search.asking import ask_to_extend
    from ftsweep.store.inbox import asker

    folder = find_study(store, study)
    with changing(folder):
        say_answer(folder, ask_to_extend(folder, values, by=asker("ftsweep extend")))
