"""What a person sees in the terminal: a live table while a study runs, plain lines where there is no terminal."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ftsweep.analysis.approach import Approach
from ftsweep.cli.forgetting_tables import forgetting_cell, has_forgetting
from ftsweep.domain.objective import Objective
from ftsweep.domain.snapshot import Snapshot
from ftsweep.domain.trial import OutcomeKind, Proposal, TrialRecord
from ftsweep.domain.verdict import Verdict, VerdictSeverity
from ftsweep.report.tables.approaches import approach_table

_STYLES = {
    OutcomeKind.COMPLETE: "green",
    OutcomeKind.PRUNED: "yellow",
    OutcomeKind.INFEASIBLE: "magenta",
    OutcomeKind.DIVERGED: "red",
    OutcomeKind.FAILED: "red",
    OutcomeKind.STOPPED: "dim",
}
_SEVERITY_STYLES = {
    VerdictSeverity.NONE: "",
    VerdictSeverity.MILD: "yellow",
    VerdictSeverity.MODERATE: "yellow",
    VerdictSeverity.SEVERE: "red",
}
_MAX_ROWS = 18
_BAR_WIDTH = 10


class LiveView:
    """A table that is redrawn in place; use as a context manager and call with snapshots."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, snapshot: Snapshot) -> None:
        self._live.update(Group(_header(snapshot), trials_table(snapshot, limit=_MAX_ROWS)))


class PlainView:
    """One line for each thing that happens: for logs, pipes and CI."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phase = ""
        self._ended: set[int] = set()
        self._begun: set[int] = set()
        self._note = ""

    def __enter__(self) -> PlainView:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __call__(self, snapshot: Snapshot) -> None:
        if snapshot.phase != self._phase:
            self._phase = snapshot.phase
            self._print(f"{snapshot.study}: {snapshot.phase}")
        if snapshot.note != self._note:
            self._note = snapshot.note
            self._print(snapshot.note)
        for record in snapshot.trials:
            if record.number not in self._begun and record.outcome is None:
                self._begun.add(record.number)
                self._print(f"trial {record.number} begins: {params_text(record.proposal)}")
            if record.number not in self._ended and record.outcome is not None:
                self._ended.add(record.number)
                self._print(self._ending(snapshot, record))

    def _ending(self, snapshot: Snapshot, record: TrialRecord) -> str:
        assert record.outcome is not None
        value = snapshot.value(record)
        number = "" if value is None else f", {snapshot.objective.key} {value:.4g}"
        left = snapshot.seconds_left
        progress = f"{snapshot.num_ended}/{snapshot.num_planned}" + (f", {duration(left)} left" if left else "")
        verdicts = snapshot.verdicts.get(record.number, ())
        fit = f"; {verdicts[0].label}" if verdicts else ""
        return f"trial {record.number} {record.outcome.kind}{number}: {record.outcome.reason}{fit} [{progress}]"

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def _header(snapshot: Snapshot) -> RenderableType:
    best = snapshot.best
    parts = [f"{snapshot.num_ended} of {snapshot.num_planned} trials", f"{duration(snapshot.elapsed_seconds)} elapsed"]
    if snapshot.seconds_left is not None:
        parts.append(f"about {duration(snapshot.seconds_left)} left")
    if best is not None:
        parts.append(f"best {snapshot.objective.key} {snapshot.value(best):.4g} (trial {best.number})")
    if snapshot.baseline:
        parts.append("base " + ", ".join(f"{value:.4g}" for value in snapshot.baseline.values()))
    text = Text.assemble((snapshot.study, "bold"), f"  {snapshot.phase}\n", " . ".join(parts))
    if snapshot.note:
        text.append(f"\n{snapshot.note}", style="yellow")
    return text


def trials_table(snapshot: Snapshot, *, limit: int | None = None) -> Table:
    """Trials with outcome, rungs, value and parameters; with a limit the running, the best and the newest ones."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("trial", justify="right", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    table.add_column("rungs", no_wrap=True)
    table.add_column(snapshot.objective.key, justify="right", no_wrap=True)
    is_measured = has_forgetting(snapshot)
    if is_measured:
        table.add_column("forgetting", justify="right", no_wrap=True)
    if snapshot.verdicts:
        table.add_column("fit", no_wrap=True)
    table.add_column("params")
    best = snapshot.best
    for record in _chosen(snapshot, limit):
        value = snapshot.value(record)
        kind = record.outcome.kind if record.outcome else None
        marks = "*" if record is best else ""
        default = " (default)" if record.proposal.is_default else ""
        table.add_row(
            f"{record.number}{marks}",
            Text(str(kind) if kind else _state(snapshot), style=_STYLES[kind] if kind else "cyan"),
            _rung_bar(record, snapshot.num_rungs),
            "-" if value is None else f"{value:.4g}",
            *([forgetting_cell(snapshot, record)] if is_measured else []),
            *([verdict_label(snapshot.verdicts.get(record.number, ()))] if snapshot.verdicts else []),
            escape(params_text(record.proposal) + default),
            style="bold" if record is best else "",
        )
    return table


def verdict_label(verdicts: Sequence[Verdict]) -> Text:
    """A trial's own verdict, coloured by how bad it is; a plus tells of more."""
    if not verdicts:
        return Text("-", style="dim")
    more = "+" if len(verdicts) > 1 else ""
    return Text(verdicts[0].label + more, style=_SEVERITY_STYLES[verdicts[0].severity])


def _state(snapshot: Snapshot) -> str:
    """Of a trial without an outcome."""
    return "waiting" if snapshot.phase in ("complete", "stopped", "not finished") else "running"


def approaches_table(approaches: Sequence[Approach], objective: Objective, winner: int | None) -> Table:
    """Whole approaches with scores and costs, the cheapest first; there must be some."""
    words = approach_table(approaches, objective, winner)
    assert words is not None
    title = "approaches, the cheapest first"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("approach")
    for name in words.columns:
        table.add_column(name, justify="right")
    for line in words.lines:
        mark = "*" if line.is_best else ""
        table.add_row(escape(line.name + mark), *map(escape, line.cells), style="bold" if line.is_best else "")
    return table


def _chosen(snapshot: Snapshot, limit: int | None) -> list[TrialRecord]:
    if limit is None or len(snapshot.trials) <= limit:
        return list(snapshot.trials)
    chosen = {record.number: record for record in snapshot.running[-limit:]}
    if snapshot.best is not None:
        chosen[snapshot.best.number] = snapshot.best
    for record in reversed(snapshot.trials):
        if len(chosen) >= limit:
            break
        chosen.setdefault(record.number, record)
    return [chosen[number] for number in sorted(chosen)]


def _rung_bar(record: TrialRecord, num_rungs: int) -> str:
    rung = max((measurement.rung for measurement in record.measurements), default=0)
    filled = round(_BAR_WIDTH * rung / num_rungs)
    return "━" * filled + "╌" * (_BAR_WIDTH - filled) + f" {rung}/{num_rungs}"


def params_text(proposal: Proposal) -> str:
    """Branch and parameters in one line, by the last part of their names."""
    params = [f"{name.rsplit('.', 1)[-1]}={_value_text(value)}" for name, value in proposal.params.items()]
    return "  ".join([proposal.branch, *params] if proposal.branch else params)


def _value_text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """A span of time for a person: `42 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
