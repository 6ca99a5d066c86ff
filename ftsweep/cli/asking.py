"""What the verbs that ask a study for something share: a short wait for its answer, and where that will stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ftsweep.errors import UsageError

if TYPE_CHECKING:
    from ftsweep.domain.request import Request
    from ftsweep.store.folders import StudyFolder

_WAIT_SECONDS = 10.0


def say_answer(folder: StudyFolder, request: Request) -> bool:
    """Print what came of a request so far; whether it was granted.

    Raises:
        UsageError: the study refuses it.
    """
    from ftsweep.domain.commands import study_command
    from ftsweep.search.asking import going_on_with
    from ftsweep.store.inbox import Inbox

    answer = Inbox(folder).wait(request, _WAIT_SECONDS)
    if answer is not None and answer.is_refused:
        raise UsageError(f"{request.what} is refused: {answer.text}", where=f"study {folder.name}")
    if answer is not None:
        click.echo(f"{request.what}: {answer.text}.")
        return True
    see = study_command("status", folder.name, store=folder.store.name)
    if folder.is_running:
        click.echo(f"Asked: {request.what}. Study {folder.name!r} answers when it searches.")
    else:
        click.echo(f"Study {folder.name!r} is not running. It answers this when it goes on: {request.what}.")
        click.echo(f"Go on: {going_on_with(folder, request)}")
    click.echo(f"Its answer stands in: {see}")
    return False
