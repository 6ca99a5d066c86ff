"""`ftsweep compare`: trials beside each other, of one study or several."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ftsweep.cli.options import JSON_OPTION, STORE_OPTION, find_study, print_json
from ftsweep.errors import UsageError, suggest

if TYPE_CHECKING:
    from ftsweep.report.answers import ModelAnswers
    from ftsweep.report.overview import StudyOverview
    from ftsweep.report.tables.difference import Compared
    from ftsweep.store.folders import StudyFolder


@click.command()
@click.argument("study")
@click.argument("trials", nargs=-1, required=True, metavar="TRIAL TRIAL...")
@STORE_OPTION
@JSON_OPTION
def compare(study: str, trials: tuple[str, ...], store: str, as_json: bool) -> None:
    """Show two or more trials beside each other: only what differs, their curves, and where they answer otherwise.

    TRIAL is a number of STUDY, or OTHER:NUMBER of another study of the same store; studies of two stores are not
    compared.
    """
    from ftsweep.cli.answers_view import print_parting_answers
    from ftsweep.cli.compare_view import compared_json, print_compared
    from ftsweep.cli.console import console_for

    found = _found(store, study, trials)
    if as_json:
        answers = {each.label: [asdict(sample) for sample in each.samples] for each in _answers(found)}
        print_json({**compared_json(found), "answers": answers})
    else:
        print_compared(console_for(sys.stdout), found, store)
        print_parting_answers(console_for(sys.stdout), _answers(found), found[0].study.objective)


def _answers(compared: list[Compared]) -> list[ModelAnswers]:
    """What the trials answered, each at its best rung; without those that were never asked."""
    from ftsweep.report.answers import model_answers

    found = [
        model_answers(each.study.folder.trial(each.trial.number), each.name, each.study.objective)
        for each in compared
        if each.study.folder is not None
    ]
    return [each for each in found if each is not None]


def _study(store: str, first: str, name: str) -> StudyFolder:
    """The study of a trial; of one that the store has not the error says that all must lie in one."""
    try:
        return find_study(store, name)
    except UsageError as error:
        if name == first:
            raise
        what = f"{error.what}, and all trials that are compared lie in one store"
        raise UsageError(what, where=error.where, remedy=error.remedy) from error


def _found(store: str, study: str, words: tuple[str, ...]) -> list[Compared]:
    from ftsweep.report.overview import read_overview
    from ftsweep.report.tables.difference import Compared

    studies: dict[str, StudyOverview] = {}
    found: dict[str, Compared] = {}
    for word in words:
        name, _, digits = word.rpartition(":")
        name = name or study
        if not digits.isdecimal():
            raise UsageError(f"{word!r} names no trial", where="TRIAL", remedy="Write 3, or STUDY:3 of another study.")
        if name not in studies:
            studies[name] = read_overview(_study(store, study, name))
        known = {trial.number: trial for trial in studies[name].trials}
        if int(digits) not in known:
            what = f"study {name!r} has no trial {int(digits)}"
            raise UsageError(what, where="TRIAL", remedy=suggest(digits, map(str, known)))
        each = Compared(studies[name], known[int(digits)])
        found[each.name] = each
    if len(found) < 2:
        raise UsageError("there is only one trial to compare", where="TRIAL", remedy="Name two or more.")
    return list(found.values())
