"""`ftsweep pin`: keep trials from being pruned."""

from __future__ import annotations

import click

from ftsweep.cli.options import STORE_OPTION, changing, find_study


@click.command()
@click.argument("study")
@click.argument("trials", nargs=-1, required=True, type=click.IntRange(min=0), metavar="TRIAL...")
@click.option("--off", is_flag=True, help="Let them be pruned again.")
@STORE_OPTION
def pin(study: str, trials: tuple[int, ...], off: bool, store: str) -> None:
    """Keep trials that have not ended from being pruned; a paused one goes on.

    They still end when they diverge, do not fit in memory, or are stopped. A study that is not running heeds it when it
    goes on.
    """
    from ftsweep.cli.asking import say_answer
    from ftsweep.search.asking import ask_to_pin
    from ftsweep.store.inbox import asker

    folder = find_study(store, study)
    with changing(folder):
        by, which = asker("ftsweep pin"), dict.fromkeys(trials)
        for request in [ask_to_pin(folder, trial, by=by, is_pinned=not off) for trial in which]:
            say_answer(folder, request)
