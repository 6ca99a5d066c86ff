"""`ftsweep best`: the model to deploy, the setting to train again, why, and the model itself."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftsweep.cli.options import JSON_OPTION, STORE_OPTION, find_study, print_json
from ftsweep.cli.placing import written_to
from ftsweep.domain.commands import study_command
from ftsweep.errors import UsageError

if TYPE_CHECKING:
    from ftsweep.report.overview import StudyOverview
    from ftsweep.store.folders import StudyFolder


@click.command()
@click.argument("study")
@click.option("--export", "destination", type=click.Path(path_type=Path), help="Copy the chosen model to this folder.")
@click.option("--merge", is_flag=True, help="Export an adapter merged into its base, as one whole model.")
@click.option("--scale", type=float, help="Export with the trained change scaled: 0 is the base, 1 the trial.")
@click.option(
    "--trial",
    type=click.IntRange(min=0),
    help="Export the model that the search left of this trial, not the chosen one.",
)
@click.option("--samples", is_flag=True, help="Show rows that it answered worst and best, beside the others.")
@STORE_OPTION
@JSON_OPTION
def best(
    study: str,
    destination: Path | None,
    merge: bool,
    scale: float | None,
    trial: int | None,
    samples: bool,
    store: str,
    as_json: bool,
) -> None:
    """Show the chosen model, the setting to train again, why, and their numbers; export the model.

    The exported folder opens in transformers and PEFT with the study's labels; its README.md says how.
    """
    from ftsweep.cli.exporting import check_trial_export, export_winner
    from ftsweep.report.overview import read_overview

    folder = find_study(store, study, whole=destination is not None)
    _check_asked(destination, merge=merge, samples=samples, is_another=scale is not None or trial is not None)
    overview = read_overview(folder)
    result = overview.state.result
    model = result.model if result else None
    chosen = None if model is None else (model.number, model.seed)
    if scale is not None or (trial is not None and (trial, 0) != chosen):
        which = chosen if trial is None else (trial, 0)
        if which is not None:
            check_trial_export(folder, which[0], merge=merge)
        _export_trial(folder, which, 1.0 if scale is None else scale, destination, merge=merge, as_json=as_json)
        return
    if chosen is None:
        why = result.sentence if result else "the study has not finished"
        see = study_command("status", study, store=folder.store.name)
        raise UsageError(f"study {study!r} has no chosen model: {why}", remedy=f"See: {see}")
    if samples and not overview.answers:
        raise UsageError(
            f"the trials of study {study!r} generated no answers",
            remedy="Have a study of instruction tuning generate some: task.generation.rungs=[5,10].",
        )
    if destination is not None:
        with written_to(destination):
            export_winner(folder, overview, destination, merge=merge)
    _show(folder, overview, destination, as_json=as_json, samples=samples)


def _check_asked(destination: Path | None, *, merge: bool, samples: bool, is_another: bool) -> None:
    """Refuse options that say nothing together. is_another: another model than the chosen one is asked for."""
    if merge and destination is None:
        raise UsageError("--merge says how to export, and no folder is named", remedy="Add --export DIR.")
    if samples and is_another:
        raise UsageError("--samples shows the chosen model's answers", remedy="Leave out --trial and --scale.")


def _show(folder: StudyFolder, overview: StudyOverview, exported: Path | None, *, as_json: bool, samples: bool) -> None:
    from ftsweep.cli.answers_view import print_telling_answers
    from ftsweep.cli.best_view import print_best
    from ftsweep.cli.console import console_for
    from ftsweep.cli.study_json import study_json
    from ftsweep.report.answers import judged_cost
    from ftsweep.store.usage import study_use

    if as_json:
        facts = study_json(overview, study_use(folder), folder.lost_workers(), folder.manifest().extension)
        asked = {"samples": [asdict(each) for each in overview.answers]} if samples else {}
        print_json({**facts, "exported": str(exported) if exported else None, **asked})
    else:
        print_best(console_for(sys.stdout), overview, folder.store.name, exported)
        if samples:
            print_telling_answers(console_for(sys.stdout), overview.answers, overview.objective)
            if cost := judged_cost(trial.extra for trial in overview.trials):
                click.echo(f"\n{cost}")


def _export_trial(
    folder: StudyFolder, which: tuple[int, int] | None, scale: float, to: Path | None, *, merge: bool, as_json: bool
) -> None:
    """Another model than the chosen one. which: a trial's number, and 0 or the fresh seed of the chosen model."""
    from ftsweep.cli.exporting import complete_export, name_export
    from ftsweep.control.scaled_export import export_scaled

    if which is None:
        raise UsageError(f"study {folder.name!r} has no chosen model", remedy="Name a trial: --trial N.")
    if to is None:
        raise UsageError("--scale and --trial say what to export, and no folder is named", remedy="Add --export DIR.")
    with written_to(to):
        export_scaled(folder, folder.run(*which), scale, to)
        complete_export(folder, to, merge=merge)
        name_export(folder, to, which, scale)
    number = which[0]
    if as_json:
        print_json({"study": folder.name, "trial": number, "scale": scale, "exported": str(to)})
    else:
        click.echo(f"trial {number} at scale {scale:g} exported to {to}")
