"""What a person sees while a study runs: a live table in a terminal, plain lines where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console, ConsoleOptions, RenderableType
from rich.live import Live
from rich.text import Text

from ftsweep.cli.console import print_line
from ftsweep.cli.render import rich_table
from ftsweep.domain.spelling import number
from ftsweep.domain.study_state import StudyState
from ftsweep.domain.trial import TrialRecord
from ftsweep.report.tables.short_trials import params_text, trials_table
from ftsweep.report.wording import duration


class LiveView:
    """A table that is redrawn in place; use as a context manager and call with states of the study."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, state: StudyState) -> None:
        self._live.update(LiveScreen(state), refresh=True)


@dataclass(frozen=True)
class LiveScreen:
    """A study in as many lines as the terminal has: the best trial and the running ones come first."""

    state: StudyState

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        header = _header(self.state)
        yield header
        room = console.height - len(console.render_lines(header, options, pad=False)) - 1
        yield trials_within(console, self.state, room)


def print_trials(console: Console, state: StudyState) -> None:
    """The table of trials: all of them in a pipe, in a terminal as many as it shows at once."""
    is_short = console.is_terminal and len(state.trials) > console.height
    console.print(trials_within(console, state, console.height - 2) if is_short else rich_table(trials_table(state)))


def trials_within(console: Console, state: StudyState, room: int) -> RenderableType:
    """The table of trials with as many of them as fit in so many lines; at least one."""
    limit = max(1, min(room, len(state.trials)))
    while True:
        table = rich_table(trials_table(state, limit=limit))
        num_lines = len(console.render_lines(table, pad=False))
        if num_lines <= room or limit == 1:
            return table
        limit = max(1, min(limit - 1, limit * room // num_lines))


class PlainView:
    """One line for each thing that happens: for logs, pipes and CI."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phase = ""
        self._ended: set[int] = set()
        self._begun: set[int] = set()
        self._paused: set[int] = set()
        self._note = ""
        self._is_first = True

    def __enter__(self) -> PlainView:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __call__(self, state: StudyState) -> None:
        if state.phase != self._phase:
            self._phase = state.phase
            print_line(self._console, f"{state.study}: {state.phase}")
        if state.note != self._note:
            self._note = state.note
            if state.note:
                print_line(self._console, state.note)
        if self._is_first:  # what ended before anybody looked is not told to begin, now or later
            self._begun = {record.number for record in state.trials if record.outcome is not None}
            self._is_first = False
        for record in state.trials:
            if record.number not in self._begun:
                self._begun.add(record.number)
                if record.pause is None:
                    verb = "goes on" if record.last_pause else "begins"
                    print_line(self._console, f"trial {record.number} {verb}: {params_text(record.proposal)}")
            if record.pause is not None and record.number not in self._paused:
                self._paused.add(record.number)
                print_line(self._console, f"trial {record.number} {record.pause.sentence}")
            elif record.pause is None and record.number in self._paused:
                self._paused.remove(record.number)
                if record.outcome is None:
                    print_line(self._console, f"trial {record.number} goes on: {params_text(record.proposal)}")
            if record.number not in self._ended and record.outcome is not None:
                self._ended.add(record.number)
                print_line(self._console, _ending(state, record, len(self._ended)))


def _ending(state: StudyState, record: TrialRecord, num_ended: int) -> str:
    assert record.outcome is not None
    value = state.value(record)
    score = "" if value is None else f", {state.objective.key} {number(value)}"
    left = state.seconds_left
    progress = f"{num_ended}/{state.num_planned}" + (f", {duration(left)} left" if left else "")
    verdicts = state.verdicts.get(record.number, ())
    fit = f"; {verdicts[0].label}" if verdicts else ""
    reason = record.outcome.reason.removesuffix(".") if fit else record.outcome.reason
    return f"trial {record.number} {record.outcome.kind}{score}: {reason}{fit} [{progress}]"


def _header(state: StudyState) -> RenderableType:
    best, bases = state.best, state.base_values()
    parts = [f"{state.num_ended} of {state.num_planned} trials", f"{duration(state.elapsed_seconds)} elapsed"]
    if state.seconds_left is not None:
        parts.append(f"about {duration(state.seconds_left)} left")
    if best is not None:
        parts.append(f"best {state.objective.key} {number(state.value(best))} (trial {best.number})")
    if bases:
        parts.append("base " + ", ".join(map(number, bases.values())))
    text = Text.assemble((state.study, "bold"), f"  {state.phase}\n", " . ".join(parts))
    if state.note:
        text.append(f"\n{state.note}", style="yellow")
    return text
