"""`ftsweep evaluate`: the chosen model, or that of a trial, asked by the tasks of lm-evaluation-harness."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from ftsweep.cli.options import JSON_OPTION, STORE_OPTION, changing, find_study, print_json
from ftsweep.domain.answers import Model
from ftsweep.domain.commands import study_command
from ftsweep.errors import UsageError

if TYPE_CHECKING:
    from ftsweep.serving.model import Predictor
    from ftsweep.store.evaluations import Scores
    from ftsweep.store.folders import StudyFolder


@click.command()
@click.argument("study")
@click.option(
    "--tasks", required=True, metavar="TASK,TASK...", help="Tasks, groups or tags of lm-eval; * stands for any."
)
@click.option(
    "--include-path", "include", type=click.Path(path_type=Path), help="A folder with task files of your own."
)
@click.option("--trial", type=click.IntRange(min=0), help="The model that the search left of this trial.")
@click.option("--limit", type=click.IntRange(min=1), help="So many rows of each task at most.")
@click.option("--num-fewshot", type=click.IntRange(min=0), help="Examples before each question; else the task's own.")
@click.option("--batch-size", type=click.IntRange(min=1), default=8, show_default=True, help="Rows at a time.")
@click.option("--chat", is_flag=True, help="Put the model's chat template around what is asked.")
@STORE_OPTION
@JSON_OPTION
def evaluate(
    study: str,
    tasks: str,
    include: Path | None,
    trial: int | None,
    limit: int | None,
    num_fewshot: int | None,
    batch_size: int,
    chat: bool,
    store: str,
    as_json: bool,
) -> None:
    """Ask the chosen model by tasks of lm-evaluation-harness (pip install 'ftsweep[evaluate]').

    Scores are kept in the study's folder, in MLflow with the trial's run, and stand in the report and the model card
    that are written afterwards.
    """
    from ftsweep.serving.harness import check_askable, check_harness, harness_scores, known_tasks
    from ftsweep.store.evaluations import keep_evaluation

    check_harness()
    folder = find_study(store, study, whole=True)
    model = _model_of(folder, trial)
    names = [name for name in (word.strip() for word in tasks.split(",")) if name]
    manager = known_tasks(names, include)
    with _predictor(folder, model, is_winner=trial is None) as predictor:
        check_askable(predictor, is_chat=chat)
        scores = harness_scores(
            predictor,
            names,
            manager,
            limit=limit,
            num_fewshot=num_fewshot,
            batch_size=batch_size,
            is_chat=chat,
            include=include,
        )
    with changing(folder):
        kept = keep_evaluation(folder, model.name, scores)
        _show(folder, model, scores, as_json=as_json)
        _record(folder, model, kept)


def _model_of(folder: StudyFolder, trial: int | None) -> Model:
    """The chosen model, or a trial's."""
    from ftsweep.store.result import read_result

    if trial is not None:
        return Model(trial, float("nan"), 0, "")
    result = read_result(folder)
    if result is None or result.model is None:
        see = study_command("status", folder.name, store=folder.store.name)
        raise UsageError(f"study {folder.name!r} has no chosen model yet", remedy=f"See: {see}")
    return result.model


@contextmanager
def _predictor(folder: StudyFolder, model: Model, *, is_winner: bool) -> Iterator[Predictor]:
    """The model, loaded; a trial's own is exported first, to a folder that is gone afterwards."""
    from ftsweep.control.scaled_export import export_scaled
    from ftsweep.serving.study_model import predictor_for

    if is_winner:
        yield predictor_for(folder.name, folder.store)
        return
    with TemporaryDirectory(prefix="ftsweep-evaluate-") as temporary:
        export_scaled(folder, folder.run(model.number, 0), 1.0, Path(temporary) / "model")
        yield predictor_for(f"{temporary}/model", folder.store, folder.manifest().allow)


def _show(folder: StudyFolder, model: Model, scores: Scores, *, as_json: bool) -> None:
    from ftsweep.cli.console import console_for
    from ftsweep.cli.render import rich_table
    from ftsweep.report.tables.harness import harness_table

    if as_json:
        found = {task: asdict(each) for task, each in scores.items()}
        print_json({"study": folder.name, "model": model.name, "scores": found})
    elif (table := harness_table(scores, model.name)) is not None:
        console_for(sys.stdout).print(rich_table(table))


def _record(folder: StudyFolder, model: Model, scores: Scores) -> None:
    """Send all that is kept of the model: what did not arrive the last time arrives now."""
    from omegaconf import OmegaConf

    from ftsweep.config.build import build, import_path
    from ftsweep.recording.base import RecorderAwayError
    from ftsweep.store.evaluations import evaluation_file, flat_scores

    manifest = folder.manifest()
    node: Any = OmegaConf.to_container(OmegaConf.load(folder.sweep_file))
    with import_path(manifest.search_folders):
        recorder = build(node["recording"], allowed=manifest.allow)
        values = {f"evaluate/{name}": value for name, value in flat_scores(scores).items()}
        try:
            recorder.add_scores(folder, model.number, values)
        except RecorderAwayError as error:
            click.echo(f"{error}. The scores lie in {evaluation_file(folder, model.name)}.", err=True)
