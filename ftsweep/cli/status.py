"""`ftsweep status`: the studies of a store, or one study's trials."""

from __future__ import annotations

import sys

import click

from ftsweep.cli.options import JSON_OPTION, STORE_OPTION, find_study, open_store, print_json


@click.command()
@click.argument("study", required=False)
@STORE_OPTION
@JSON_OPTION
def status(study: str | None, store: str, as_json: bool) -> None:
    """List the studies of the store, or one study's trials; and what takes how much of the disk."""
    if study is None:
        _show_store(store, as_json)
        return
    from ftsweep.cli.console import console_for, print_line
    from ftsweep.cli.status_view import print_requests, print_study
    from ftsweep.cli.study_json import study_json
    from ftsweep.cli.workers_text import workers_facts, workers_lines
    from ftsweep.report.overview import read_overview
    from ftsweep.store.address.visiting import owner_elsewhere
    from ftsweep.store.inbox import Inbox
    from ftsweep.store.requests import pending_requests
    from ftsweep.store.usage import study_use

    folder = find_study(store, study)
    overview, disk, lost = read_overview(folder), study_use(folder), folder.lost_workers()
    extension, answers, pending = folder.manifest().extension, Inbox(folder).answers(), pending_requests(folder)
    workers = workers_facts(folder, overview.state.trials)
    owner = owner_elsewhere(folder)
    if as_json:
        requests = {"answers": [each.to_dict() for each in answers], "pending": [each.to_dict() for each in pending]}
        print_json(
            {
                **study_json(overview, disk, lost, extension),
                "requests": requests,
                "workers": workers,
                "owner_elsewhere": owner,
            }
        )
    else:
        print_study(console_for(sys.stdout), overview, disk, lost, folder.store.name, extension.text)
        if owner:
            print_line(console_for(sys.stdout), f"Run by {owner}; as it was sent last.")
        for line in workers_lines(workers):
            print_line(console_for(sys.stdout), line)
        print_requests(console_for(sys.stdout), answers, pending)


def _show_store(store: str, as_json: bool) -> None:
    from dataclasses import asdict

    from ftsweep.cli.console import console_for, print_line
    from ftsweep.cli.status_view import print_store
    from ftsweep.domain.study_state import COMPLETE
    from ftsweep.report.store_overview import read_store
    from ftsweep.store.address.visiting import owners_elsewhere
    from ftsweep.store.usage import store_use

    place = open_store(store)
    studies, disk = read_store(place), store_use(place)
    owners = owners_elsewhere([place.study(each.study) for each in studies if each.state != COMPLETE])
    if as_json:
        lines = [{**asdict(each), "owner_elsewhere": owners.get(each.study, "")} for each in studies]
        print_json({"studies": lines, "disk": disk})
    else:
        print_store(console_for(sys.stdout), studies, place.name, disk)
        for name, owner in owners.items():
            print_line(console_for(sys.stdout), f"Study {name!r} is run by {owner}; as it was sent last.")
