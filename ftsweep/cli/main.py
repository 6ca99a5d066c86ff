"""The commands: parse, call, print. Heavy imports happen inside each, so that `ftsweep --help` starts at once."""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ftsweep import __version__
from ftsweep.errors import FtsweepError, RefusedDataError, UsageError, suggest

UI_PORT = 5000
STORE_OPTION = click.option("--store", default="mlruns", show_default=True, help="The store's folder (store.path).")
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
SWEEP_ARGUMENTS = (
    click.argument("sweep", metavar="SWEEP"),
    click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]..."),
)


def with_sweep(command: Callable[..., Any]) -> Callable[..., Any]:
    """The arguments of every command that composes a sweep."""
    for argument in reversed(SWEEP_ARGUMENTS):
        command = argument(command)
    return command


class _Commands(click.Group):
    """Reports our own errors as one paragraph, and anything else as the defect it is."""

    def main(self, args: Sequence[str] | None = None, **kwargs: Any) -> Any:  # type: ignore[override]
        given = list(sys.argv[1:] if args is None else args)
        is_debug = "--debug" in given  # wherever it stands
        given = ["--debug"] * is_debug + [word for word in given if word != "--debug"]
        try:
            return super().main(given, **kwargs)
        except FtsweepError as error:
            if is_debug:
                raise
            if isinstance(error, RefusedDataError):
                _show_other_findings(error)
            click.echo(f"Error: {error}", err=True)
            sys.exit(error.exit_code)
        except Exception as error:
            from ftsweep.executors.attempts import PLACE_REMEDY
            from ftsweep.executors.failure import is_place_error

            if is_debug or not is_place_error(error):
                raise
            file, why = (error.filename, error.strerror) if isinstance(error, OSError) else (None, str(error))
            text = str(why).partition("\n")[0].rstrip(".")
            click.echo(f"Error: {file or 'a file'} cannot be written or read: {text}. {PLACE_REMEDY}", err=True)
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # in here, because click makes exit code 1 of it
            gc.freeze()
            sys.exit(130)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise UsageError(f"there is no command {args[0]!r}", remedy=suggest(args[0], self.commands))
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="ftsweep")
@click.option("--debug", is_flag=True, help="Show tracebacks and debug logging.")
def main(debug: bool) -> None:
    """Find the best way to fine-tune a language model on the GPUs you have, and prove it."""
    logging.raiseExceptions = debug  # a log on a full disk is no news: what could not be written is told once
    logger = logging.getLogger("ftsweep")
    logger.setLevel(logging.DEBUG if debug else logging.INFO)
    logger.propagate = False
    if debug:
        logger.addHandler(logging.StreamHandler())
    else:
        logger.addHandler(logging.NullHandler())


@main.command()
@with_sweep
@JSON_OPTION
def run(sweep: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Start or continue a study. SWEEP is a file, or the name of a shipped sweep (`ftsweep list sweeps`).

    An interrupted study goes on where it stood when the same command is given again; a complete one starts nothing.
    """
    from ftsweep.config.compose import compose_sweep

    config = compose_sweep(sweep, overrides)
    from ftsweep.cli.live_view import LiveView, PlainView
    from ftsweep.cli.printing import console_for, print_ending
    from ftsweep.control.run import run_study

    console = console_for(sys.stderr if as_json else sys.stdout)
    with LiveView(console) if console.is_terminal else PlainView(console) as view:
        launched = run_study(config, watch=view, on_start=_stop_on_signals)
    gc.freeze()  # the end of the process would look through all that MLflow and Plotly loaded, for a second
    if as_json:
        _print_json(_ending(launched))
    else:
        print_ending(
            console, launched.snapshot, launched.conclusion, _links(launched), launched.warnings, launched.was_complete
        )
    if launched.conclusion is not None and launched.conclusion.winner is None:
        sys.exit(1)


@main.command()
@with_sweep
@JSON_OPTION
def plan(sweep: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Show what would run: space, trials, rungs, data and its findings, memory and time."""
    import tempfile

    from ftsweep.config.compose import compose_sweep

    config = compose_sweep(sweep, overrides)
    from ftsweep.cli.printing import console_for, print_plan
    from ftsweep.control.plan import make_plan

    with tempfile.TemporaryDirectory(prefix="ftsweep-plan-") as folder:
        facts = make_plan(config, Path(folder))
    if as_json:
        _print_json(facts)
    else:
        print_plan(console_for(sys.stdout), facts)


@main.command()
@with_sweep
@JSON_OPTION
def show(sweep: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Print the composed configuration, and the file that each choice came from."""
    from ftsweep.config.compose import explain_sweep

    explained = explain_sweep(sweep, overrides)
    if as_json:
        _print_json(explained.to_dict())
    else:
        click.echo(explained.text)


@main.command("list")
@click.argument("group", required=False)
@JSON_OPTION
def list_command(group: str | None, as_json: bool) -> None:
    """List shipped sweeps and the choices of each config group.

    GROUP: sweeps, models, data, tasks, strategies, executors, samplers, pruners, ...
    """
    from ftsweep.config.folders import list_groups

    listed = list_groups(group)
    if as_json:
        _print_json({name: [dict(entry) for entry in entries] for name, entries in listed.items()})
        return
    for name, entries in listed.items():
        click.secho(name, bold=True)
        width = max((len(entry["name"]) for entry in entries), default=0)
        for entry in entries:
            click.echo(f"  {entry['name']:<{width}}  {entry['about']}")


@main.command()
@click.argument("sweep")
@click.argument("destination", required=False, type=click.Path(path_type=Path))
def copy(sweep: str, destination: Path | None) -> None:
    """Copy a shipped sweep as a starting point of your own (to DESTINATION, default ./SWEEP.yaml)."""
    from ftsweep.config.folders import copy_sweep

    written = copy_sweep(sweep, destination)
    click.echo(f"{written}\nRun it: ftsweep run {written}")


@main.command()
@click.argument("study", required=False)
@STORE_OPTION
@JSON_OPTION
def status(study: str | None, store: str, as_json: bool) -> None:
    """List the studies of the store, or one study's trials; and what takes how much of the disk."""
    from ftsweep.cli.printing import console_for, print_store, print_study
    from ftsweep.control.overview import store_overview, study_overview
    from ftsweep.store.usage import store_use

    if study is None:
        place = _store(store)
        rows, disk = store_overview(place), store_use(place)
        if as_json:
            _print_json({"studies": rows, "disk": disk})
        else:
            print_store(console_for(sys.stdout), rows, place.root, disk)
        return
    overview = study_overview(_study(store, study))
    if as_json:
        _print_json(overview.to_dict())
    else:
        print_study(console_for(sys.stdout), overview)


@main.command()
@click.argument("study")
@click.option("--export", "destination", type=click.Path(path_type=Path), help="Copy the chosen model to this folder.")
@click.option("--merge", is_flag=True, help="Export an adapter merged into its base, as one whole model.")
@click.option("--scale", type=float, help="Export with the trained change scaled: 0 is the base, 1 the trial.")
@click.option("--trial", type=int, help="Export this trial's model and not the chosen one's.")
@STORE_OPTION
@JSON_OPTION
def best(
    study: str,
    destination: Path | None,
    merge: bool,
    scale: float | None,
    trial: int | None,
    store: str,
    as_json: bool,
) -> None:
    """Show the chosen trial, why, and its numbers; export the model.

    The exported folder opens in transformers and PEFT with the study's labels; its README.md says how.
    """
    from ftsweep.cli.exporting import check_export, complete_export
    from ftsweep.cli.printing import console_for, print_best
    from ftsweep.control.overview import export_best, study_overview

    folder = _study(store, study)
    if merge and destination is None:
        raise UsageError("--merge says how to export, and no folder is named", remedy="Add --export DIR.")
    overview = study_overview(folder)
    chosen = overview.conclusion.number if overview.conclusion else None
    if scale is not None or (trial is not None and trial != chosen):
        wanted, factor = chosen if trial is None else trial, 1.0 if scale is None else scale
        _export_trial(folder, wanted, factor, destination, as_json)
        if destination is not None:
            complete_export(folder, destination, merge=merge)
        return
    if overview.conclusion is None or overview.conclusion.winner is None:
        why = overview.conclusion.sentence if overview.conclusion else "the study has not finished"
        raise UsageError(f"study {study!r} has no chosen model: {why}", remedy=f"See: ftsweep status {study}")
    if destination is not None:
        check_export(folder, merge=merge)
        export_best(folder, destination)
        complete_export(folder, destination, merge=merge)
    if as_json:
        _print_json({**overview.to_dict(), "exported": str(destination) if destination else None})
    else:
        print_best(console_for(sys.stdout), overview, destination)


@main.command()
@click.argument("study")
@click.option("--trial", type=click.IntRange(min=0), metavar="NUMBER", help="End this trial only, as pruned.")
@STORE_OPTION
def stop(study: str, trial: int | None, store: str) -> None:
    """Finish a running study cleanly now, from any terminal; or end one trial.

    Trials checkpoint, and the same `ftsweep run` goes on with them. A trial ended with --trial is not continued; it may
    also be one of a stopped study. Waits until it is done.
    """
    from ftsweep.cli.stop import stop_study, stop_trial

    folder = _study(store, study)
    if trial is None:
        stop_study(folder, click.echo)
    else:
        stop_trial(folder, trial, click.echo)


@main.command()
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

    place = _store(store)
    studies = place.studies() if study is None else [_study(store, study)]
    cleaning = clean_store(place, studies, cache_gib=cache_gib, is_dry=dry_run)
    if as_json:
        _print_json({**cleaning.to_dict(), "is_dry_run": dry_run})
    else:
        click.echo("\n".join(cleaning_lines(cleaning, is_dry=dry_run)))


@main.command()
@click.argument("model", metavar="STUDY_OR_DIR")
@click.argument("file", required=False, default="-")
@click.option("--out", type=click.Path(path_type=Path), help="Write here: .jsonl, .csv, .tsv or .parquet.")
@click.option("--keep-columns", is_flag=True, help="Write the rows' own columns, too.")
@click.option("--allow", multiple=True, metavar="PACKAGE", help="A package whose classes an exported model may name.")
@STORE_OPTION
def predict(model: str, file: str, out: Path | None, keep_columns: bool, allow: tuple[str, ...], store: str) -> None:
    """Answer rows with a study's chosen model or an exported one.

    FILE is read as training reads its files (csv, tsv, jsonl, json, parquet, packed or not), with the study's columns
    or the task's. Standard input (the default) and .txt have one row a line: a JSON object, or plain text. Answers come
    in the same order, as JSON lines without --out. A row that cannot be answered says why under `error`; then the exit
    code is 1.
    """
    from ftsweep.cli.answering import answer_rows
    from ftsweep.control.overview import predictor_for

    predictor = predictor_for(model, _store(store), allow)
    num_missing = answer_rows(predictor, file, out, keeps_columns=keep_columns)
    if num_missing:
        rows = "1 row has" if num_missing == 1 else f"{num_missing} rows have"
        click.echo(f"{rows} no answer; `error` says why.", err=True)
        sys.exit(1)


@main.command()
@click.argument("study")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Where to write it. Default: report.html in the study's folder."
)
@STORE_OPTION
def report(study: str, out: Path | None, store: str) -> None:
    """Write the study's HTML page, running or done."""
    from ftsweep.control.overview import write_study_report

    click.echo(write_study_report(_study(store, study), out))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option("--port", default=UI_PORT, show_default=True, help="Port to serve on.")
@STORE_OPTION
def ui(host: str, port: int, store: str) -> None:
    """Serve the MLflow UI on this store until interrupted."""
    from ftsweep.recording.ui import is_loopback, ui_address, ui_command, ui_environment

    place = _store(store)
    if not place.mlflow_database.exists():
        raise UsageError(
            "there is no MLflow database yet", where=str(place.mlflow_database), remedy="Run a sweep first."
        )
    command = ui_command(place, host, port)
    click.echo(f"MLflow UI: {ui_address(host, port)}  (Ctrl-C ends it)")
    if not is_loopback(host):
        click.echo("It asks for no password: whoever reaches that address can read and change every run.", err=True)
    sys.stdout.flush()
    os.execve(command[0], command, {**os.environ, **ui_environment()})  # noqa: S606 - our own interpreter, no shell


@main.command()
@STORE_OPTION
@JSON_OPTION
def doctor(store: str, as_json: bool) -> None:
    """Check versions, devices and the store: what works here and what does not."""
    from ftsweep.cli.diagnosis import diagnose
    from ftsweep.cli.printing import console_for, print_checks

    checks = diagnose(_store(store))
    if as_json:
        _print_json([check.to_dict() for check in checks])
    else:
        print_checks(console_for(sys.stdout), checks)
    if any(check.state == "fails" for check in checks):
        sys.exit(1)


# -- small things -----------------------------------------------------------------------------------------------------


def _stop_on_signals(sweep: Any) -> None:
    """First Ctrl-C or SIGTERM: finish the step and checkpoint; the second one ends at once."""
    import signal

    def handle(number: int, frame: object) -> None:
        if sweep.is_stopping:
            sweep.recorder.hurry(0)
            raise KeyboardInterrupt
        sweep.stop()
        click.echo("Stopping: trials checkpoint, the same command continues them. Once more ends at once.", err=True)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)


def _store(path: str) -> Any:
    from ftsweep.store.folders import Store

    return Store(Path(path).absolute())


def _study(store: str, name: str) -> Any:
    place = _store(store)
    folder = place.study(name)
    if not folder.sweep_file.exists():
        known = [study.name for study in place.studies()]
        raise UsageError(f"there is no study {name!r} in {store}", where="STUDY", remedy=suggest(name, known))
    return folder


def _export_trial(folder: Any, number: int | None, scale: float, destination: Path | None, as_json: bool) -> None:
    """`ftsweep best --export` of another model than the chosen one."""
    from ftsweep.control.scaled_export import export_scaled

    if number is None:
        raise UsageError(f"study {folder.name!r} has no chosen model", remedy="Name a trial: --trial N.")
    if destination is None:
        raise UsageError("--scale and --trial say what to export, and no folder is named", remedy="Add --export DIR.")
    export_scaled(folder, number, scale, destination)
    if as_json:
        _print_json({"study": folder.name, "trial": number, "scale": scale, "exported": str(destination)})
    else:
        click.echo(f"trial {number} at scale {scale:g} exported to {destination}")


def _links(launched: Any) -> dict[str, str]:
    name, store = launched.folder.name, launched.folder.store.root
    option = "" if store == Path("mlruns").absolute() else f" --store {store}"
    links = {"dashboard": str(launched.folder.report_file)} if launched.folder.report_file.exists() else {}
    links.update(launched.links)
    if links.get("MLflow") == "ftsweep ui":
        from ftsweep.recording.ui import ui_address

        links["MLflow"] = f"ftsweep ui{option}, then {ui_address('127.0.0.1', UI_PORT)}"
    if launched.conclusion is not None and launched.conclusion.winner is not None:
        links["predict"] = f"echo TEXT | ftsweep predict {name}{option}"
    return links


def _ending(launched: Any) -> dict[str, Any]:
    from dataclasses import asdict

    snapshot = launched.snapshot
    return {
        "study": snapshot.study,
        "phase": snapshot.phase,
        "was_complete": launched.was_complete,
        "num_trials": len(snapshot.trials),
        "num_ended": snapshot.num_ended,
        "conclusion": asdict(launched.conclusion) if launched.conclusion else None,
        "links": _links(launched),
        "warnings": launched.warnings,
    }


def _show_other_findings(error: RefusedDataError) -> None:
    """What else was found in data that is refused; the error itself tells what refuses it."""
    from ftsweep.cli.printing import console_for, print_findings
    from ftsweep.domain.finding import Finding, Severity

    findings = [Finding.from_dict(finding) for finding in error.findings]
    print_findings(console_for(sys.stderr), [each for each in findings if each.severity is not Severity.REFUSE])


def _print_json(value: Mapping[str, Any] | Iterable[Any]) -> None:
    click.echo(json.dumps(value, indent=1, ensure_ascii=False, default=str))


if __name__ == "__main__":
    main()
