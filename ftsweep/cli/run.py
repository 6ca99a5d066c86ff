"""`ftsweep run`: start or continue a study, watch it, and say what it came to."""

from __future__ import annotations

import gc
import logging
import sys
from typing import TYPE_CHECKING

import click

from ftsweep.cli.options import JSON_OPTION, print_json, with_sweep
from ftsweep.cli.output import print_on

if TYPE_CHECKING:
    from ftsweep.control.live_study import LiveStudy


@click.command()
@with_sweep
@JSON_OPTION
def run(sweep: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Start or continue a study. SWEEP is a file, or the name of a shipped sweep (`ftsweep list sweeps`).

    An interrupted study goes on where it stood when the same command is given again; a complete one starts nothing.
    """
    from ftsweep.config.compose import compose_sweep

    config = compose_sweep(sweep, overrides)
    print_on(_tell_lost_output)
    from ftsweep.cli.console import console_for, say
    from ftsweep.cli.live_view import LiveView, PlainView
    from ftsweep.cli.run_view import ending_json, print_ending
    from ftsweep.control.run import run_study

    console = console_for(sys.stderr if as_json else sys.stdout)
    with LiveView(console) if console.is_terminal else PlainView(console) as view:
        launched = run_study(config, watch=view, on_start=_stop_on_signals, tell=lambda text: say(sys.stderr, text))
    gc.freeze()  # the end of the process would look through all that MLflow and Plotly loaded, for a second
    if as_json:
        print_json(ending_json(launched))
    else:
        print_ending(console, launched)
    if launched.left or (launched.state.result is not None and launched.state.result.model is None):
        sys.exit(1)


def _stop_on_signals(live: LiveStudy) -> None:
    """First Ctrl-C, SIGTERM or end of the terminal: finish the step and checkpoint; the second one ends at once."""
    import signal

    from ftsweep.cli.console import say

    def handle(number: int, frame: object) -> None:
        if live.is_stopping:
            live.recorder.hurry(0)
            raise KeyboardInterrupt
        live.stop()
        say(sys.stderr, "Stopping: trials checkpoint, the same command continues them. Once more ends at once.")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup asks to stay
            signal.signal(number, handle)


def _tell_lost_output(sentence: str) -> None:
    logging.getLogger("ftsweep").warning("%s", sentence)
    click.echo(sentence, err=True)
