"""The command `ftsweep`: its verbs, logging, and how errors end it. A verb imports what it needs when it is called."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ftsweep import __version__
from ftsweep.cli.best import best
from ftsweep.cli.clean import clean
from ftsweep.cli.compare import compare
from ftsweep.cli.copy_sweep import copy
from ftsweep.cli.dashboard import dashboard
from ftsweep.cli.doctor import doctor
from ftsweep.cli.enqueue import enqueue
from ftsweep.cli.evaluate import evaluate
from ftsweep.cli.extend import extend
from ftsweep.cli.list_choices import list_choices
from ftsweep.cli.logs import logs
from ftsweep.cli.new import new
from ftsweep.cli.output import BROKEN_PIPE, drop_output, prepare_output, prepare_warnings
from ftsweep.cli.pin import pin
from ftsweep.cli.plan import plan
from ftsweep.cli.predict import predict
from ftsweep.cli.report import report
from ftsweep.cli.run import run
from ftsweep.cli.show import show
from ftsweep.cli.status import status
from ftsweep.cli.stop import stop
from ftsweep.cli.ui import ui
from ftsweep.errors import DamagedFileError, FtsweepError, RefusedDataError, StudyError, UsageError, suggest

VERBS = (
    *(list_choices, copy, new, show, plan, run, status, logs, compare, enqueue, extend, pin, stop),
    *(best, predict, evaluate, report, dashboard, ui, clean, doctor),
)
"""In the order of use, which is that of the help."""


_DONE_BY = {
    "export": "ftsweep best STUDY --export FOLDER",
    "resume": "ftsweep run SWEEP",
    "init": "ftsweep new DATA",
}
"""What other tools have a command of their own for."""


class _Commands(click.Group):
    """Reports our own errors as one paragraph, and anything else as the defect it is."""

    def main(self, args: Sequence[str] | None = None, **kwargs: Any) -> Any:  # type: ignore[override]
        given = list(sys.argv[1:] if args is None else args)
        prepare_output()
        if args is None:  # a process of its own
            prepare_warnings()
        is_debug = "--debug" in given  # wherever it stands
        given = ["--debug"] * is_debug + [word for word in given if word != "--debug"]
        try:
            return super().main(given, **kwargs)
        except FtsweepError as error:
            if is_debug:
                raise
            if isinstance(error, RefusedDataError):
                _show_other_findings(error)
            _say_error(f"Error: {error}")
            sys.exit(error.exit_code)
        except Exception as error:
            if is_debug or not any(show(error) for show in (_show_place_error, _show_missing_file, _show_users_error)):
                raise
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # in here, because click makes exit code 1 of it
            gc.freeze()
            sys.exit(130)
        except BrokenPipeError:
            drop_output()
            sys.exit(BROKEN_PIPE)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """In whole sentences: click's own way cuts them at the edge."""
        with formatter.section("Commands, in the order of use"):
            formatter.write_dl([(name, _first_sentence(command)) for name, command in self.commands.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            does = _DONE_BY.get(args[0])
            remedy = f"`{does}` does that." if does else suggest(args[0], self.commands)
            raise UsageError(f"there is no command {args[0]!r}", remedy=remedy)
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
    logger.addHandler(logging.StreamHandler() if debug else logging.NullHandler())


for _verb in VERBS:
    main.add_command(_verb)


def _first_sentence(command: click.Command) -> str:
    """Of its help, however long that is."""
    paragraph = " ".join((command.help or "").partition("\n\n")[0].split())
    first, dot, _ = paragraph.partition(". ")
    return first + dot.strip()


def _say_error(text: str) -> None:
    from ftsweep.cli.console import say

    if sys.stderr is not None:
        say(sys.stderr, text)


def _show_other_findings(error: RefusedDataError) -> None:
    """What else was found in data that is refused; the error itself has what refuses it."""
    from ftsweep.cli.console import console_for, print_findings
    from ftsweep.domain.finding import Finding, Severity

    findings = [Finding.from_dict(finding) for finding in error.findings]
    print_findings(console_for(sys.stderr), [each for each in findings if each.severity is not Severity.REFUSE])


def _show_place_error(error: Exception) -> bool:
    """A full disk and its kin in one sentence; whether the error is one of these."""
    from ftsweep.executors.attempts import PLACE_REMEDY
    from ftsweep.executors.failure import is_place_error

    if not is_place_error(error):
        return False
    file, why = (error.filename, error.strerror) if isinstance(error, OSError) else (None, str(error))
    text = str(why).partition("\n")[0].rstrip(".")
    _say_error(f"Error: {file or 'a file'} cannot be written or read: {text}. {PLACE_REMEDY}")
    return True


def _show_missing_file(error: Exception) -> bool:
    """A file that somebody took out of a study in one sentence; whether the error is one of these."""
    name = getattr(error, "filename", None)
    if not isinstance(error, FileNotFoundError) or not isinstance(name, str | Path):
        return False
    if all(folder.name != "studies" for folder in Path(name).parents):
        return False
    _say_error(f"Error: {DamagedFileError(name, 'it is not there any more')}")
    return True


def _show_users_error(error: Exception) -> bool:
    """What a component of the user's own raised, with its line; whether the error is one of these."""
    from ftsweep.executors.attempts import MEND_REMEDY
    from ftsweep.executors.failure import place_in_code_of_user

    place = place_in_code_of_user(error)
    if not place:
        return False
    text = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".: ")
    _say_error(f"Error: {StudyError(text, where=place, remedy=MEND_REMEDY)}")
    return True


if __name__ == "__main__":
    main()
