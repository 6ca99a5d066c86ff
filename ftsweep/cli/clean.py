"""`ftsweep clean`: remove what is not needed any more."""

from __future__ import annotations

from contextlib import ExitStack

import click

from ftsweep.cli.options import JSON_OPTION, STORE_OPTION, changing, find_study, open_store, print_json
from ftsweep.errors import StudyLockedError


@click.command()
@click.argument("study", required=False)
@click.option("--cache-gib", type=click.FloatRange(min=0), metavar="GIB", help="Also shrink the cache to this size.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@STORE_OPTION
@JSON_OPTION
def clean(study: str | None, cache_gib: float | None, dry_run: bool, store: str, as_json: bool) -> None:
    """Remove what is not needed any more, of one study or all of the store.

    That is: weights of trials that were not chosen, checkpoints of what has ended, what killed processes left. With
    --cache-gib also what of the cache was not used for longest; it is made again when it is needed. A running study
    and what it has used of the cache are left alone.
    """
    from ftsweep.cli.disk_text import cleaning_lines
    from ftsweep.control.clean import clean as clean_store

    place = open_store(store)
    studies = place.studies() if study is None else [find_study(store, study)]
    at_rest, elsewhere = [], []
    with ExitStack() as stack:
        for each in studies:
            try:
                stack.enter_context(changing(each))
                at_rest.append(each)
            except StudyLockedError as error:  # a process of another machine runs it
                if study is not None:
                    raise
                elsewhere.append(f"{error.what[0].upper()}{error.what[1:]}: it was left alone.")
        cleaning = clean_store(place, at_rest, cache_gib=cache_gib, is_dry=dry_run)
    cleaning.skipped.extend(elsewhere)
    if as_json:
        print_json({**cleaning.to_dict(), "is_dry_run": dry_run})
    else:
        click.echo("\n".join(cleaning_lines(cleaning, is_dry=dry_run)))
