"""`ftsweep enqueue`: have a running study try a setting, or a changed copy of a trial."""

from __future__ import annotations

import click

from ftsweep.cli.options import STORE_OPTION, changing, find_study


@click.command()
@click.argument("study")
@click.argument("values", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--from", "from_trial", type=click.IntRange(min=0), metavar="TRIAL", help="Change a copy of this trial.")
@STORE_OPTION
def enqueue(study: str, values: tuple[str, ...], from_trial: int | None, store: str) -> None:
    """Have a study try a setting of your own before what its sampler proposes.

    KEY=VALUE names values of the space; what is left out is that of the trial named by --from, else the
    configuration's own. With branches name one: branch=lora. It takes one trial of the budget. A study that is not
    running takes it when it goes on.
    """
    from ftsweep.cli.asking import say_answer
    from ftsweep.search.asking import ask_to_enqueue
    from ftsweep.store.inbox import asker

    folder = find_study(store, study)
    with changing(folder):
        say_answer(folder, ask_to_enqueue(folder, values, from_trial=from_trial, by=asker("ftsweep enqueue")))
