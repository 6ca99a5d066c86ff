"""Every trial's value in the order of their numbers, and the best so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftsweep.domain.objective import Objective
from ftsweep.domain.ranking import is_feasible
from ftsweep.domain.spelling import number
from ftsweep.report.figures import theme
from ftsweep.report.figures.cloud import WORDS, Ends, add_cloud
from ftsweep.report.figures.drawn import MAX_MARKS, drawn_of
from ftsweep.report.overview import StudyOverview
from ftsweep.report.trial_summary import RUNNING, WAITING, TrialSummary
from ftsweep.report.wording import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLE = "History"
READING = (
    "Each mark is a trial at its best rung; the line is the best complete trial so far, the dashed line the untouched "
    "base. Marks in the strip at the edge ended without a value that counts. The star is the chosen trial; where its "
    "model is that of a fresh seed, an empty star is the value that the search had. It need not be the best mark: what "
    "was run again with fresh seeds decides."
)


@dataclass(frozen=True)
class Info:
    objective: Objective
    measured: tuple[TrialSummary, ...]
    """Trials with a value, by number."""
    unmeasured: tuple[TrialSummary, ...]
    """Trials that ended without a value that counts: diverged, infeasible, failed."""
    best_so_far: tuple[tuple[int, float], ...]
    """(trial number, value) after each complete trial within the limits. Others never move it, nor a pruned one."""
    baselines: tuple[tuple[str, float], ...]
    best_label: str
    model_value: float | None = None
    """Of the model that is handed over, where that is not the search's own."""
    drawn: str = ""
    """Which trials have a mark, in words; "" for all."""
    others: tuple[TrialSummary, ...] = ()
    """Of a sample all trials, with a value or without, for a dot each."""
    looked_at: frozenset[int] = frozenset()
    is_brief: bool = False


def info(study: StudyOverview) -> Info:
    measured, unmeasured = [], []
    steps: list[tuple[int, float]] = []
    best: float | None = None
    for trial in study.trials:
        if _value(trial) is not None:
            measured.append(trial)
        elif trial.has_ended:
            unmeasured.append(trial)
        if trial.is_complete and trial.value is not None and is_feasible(trial.record):
            if best is None or study.objective.is_better(trial.value, best):
                best = trial.value
            if not steps or steps[-1][1] != best or len(study.trials) <= MAX_MARKS:
                steps.append((trial.number, best))
    records = [number for number, _ in steps]
    drawn, rest = drawn_of(study, measured, MAX_MARKS, records), drawn_of(study, unmeasured, MAX_MARKS // 3)
    words = drawn.words or rest.words
    return Info(
        study.objective,
        drawn.trials,
        rest.trials,
        tuple(steps),
        theme.baseline_labels(study),
        theme.best_label(study),
        study.model.value if study.model and study.model.seed else None,
        f"{words}; {WORDS}" if words else "",
        (*measured, *unmeasured) if words else (),
        study.looked_at,
        len(study.trials) > theme.MANY,
    )


def _value(trial: TrialSummary) -> float | None:
    """The one that counts; None for the strip at the edge."""
    return None if trial.kind in ("diverged", "infeasible", "failed") else trial.value


def figure(info: Info) -> go.Figure:
    import plotly.graph_objects as go

    if not info.measured and not info.unmeasured:
        return theme.empty("No trial has been measured yet.")
    values = [value for trial in info.others or info.measured if (value := _value(trial)) is not None]
    best = [trial.value for trial in info.measured if trial.is_best and trial.value is not None]
    low, high = theme.view([*values, *(value for _, value in info.baselines)], keep=best)
    span = high - low
    minimizes = info.objective.direction == "minimize"
    edge = high + 0.05 * span if minimizes else low - 0.05 * span
    if info.unmeasured:
        low, high = (low, edge + 0.05 * span) if minimizes else (edge - 0.05 * span, high)
    last = max(trial.number for trial in info.others or (*info.measured, *info.unmeasured))
    drawn = go.Figure(
        layout=theme.layout(
            xaxis={**theme.trial_axis(last), "showgrid": False},
            yaxis={"title": plain(info.objective.key), "range": [low, high]},
        )
    )
    _add_others(drawn, info, edge, ((-0.7, last + 0.7), (low, high)))
    theme.baseline_lines(drawn, info.baselines)
    _add_best_so_far(drawn, info, last)
    for kind in theme.COLOURS:
        _add_marks(drawn, info, kind, edge)
    _add_winner(drawn, info)
    if info.unmeasured:
        _add_strip(drawn, edge, begin=edge - (0.05 if minimizes else -0.05) * span)
    theme.outside_note(drawn, values, low, high)
    theme.sample_note(drawn, info.drawn)
    return drawn


def _add_others(drawn: go.Figure, info: Info, edge: float, ends: tuple[Ends, Ends]) -> None:
    """Of a sample a dot for every trial."""
    if not info.others:
        return
    values_of = ((each, _value(each)) for each in info.others)
    dots = [(float(each.number), edge if value is None else value, each.kind) for each, value in values_of]
    selected = [each.number in info.looked_at for each in info.others] if info.looked_at else []
    add_cloud(drawn, dots, selected, ends, (900, 300), xref="x", yref="y")


def _add_strip(drawn: go.Figure, edge: float, *, begin: float) -> None:
    """What sets apart the marks without a value."""
    drawn.add_hline(y=begin, line={"color": "#c3ccd5", "width": 1}, layer="below")
    drawn.add_annotation(
        text="no value",
        x=1,
        xref="paper",
        y=edge,
        xanchor="right",
        showarrow=False,
        font={"size": 11, "color": theme.MUTED},
    )


def _add_best_so_far(drawn: go.Figure, info: Info, last: int) -> None:
    if not info.best_so_far:
        return
    numbers = [step[0] for step in info.best_so_far]
    best = [step[1] for step in info.best_so_far]
    x, y = [*numbers, last], [*best, best[-1]]
    drawn.add_scatter(
        x=x,
        y=y,
        mode="lines",
        name="best until then",
        hoverinfo="text",
        hovertext=[f"best after trial {index}: <b>{number(value)}</b>" for index, value in zip(x, y, strict=True)],
        line={"shape": "hv", "color": theme.WINNER, "width": 2},
    )


def _add_marks(drawn: go.Figure, info: Info, kind: str, edge: float) -> None:
    measured = [trial for trial in info.measured if trial.kind == kind]
    trials = measured + [trial for trial in info.unmeasured if trial.kind == kind]
    if not trials:
        return
    drawn.add_scatter(
        x=[trial.number for trial in trials],
        y=[trial.value if index < len(measured) else edge for index, trial in enumerate(trials)],
        mode="markers",
        name=kind,
        hoverinfo="text",
        hovertext=[theme.trial_text(trial, info.objective, is_brief=info.is_brief) for trial in trials],
        customdata=[trial.number for trial in trials],
        marker={
            "color": theme.COLOURS[kind],
            "symbol": theme.SYMBOLS[kind],
            "size": 10,
            "line": {"width": 2} if kind in (RUNNING, WAITING) else {"width": 1, "color": "white"},
        },
    )


def _add_winner(drawn: go.Figure, info: Info) -> None:
    best = next((trial for trial in info.measured if trial.is_best), None)
    if best is None:
        return
    is_fresh = info.model_value is not None
    if is_fresh:
        drawn.add_scatter(
            x=[best.number],
            y=[best.value],
            mode="markers",
            name="the same in the search",
            hoverinfo="text",
            hovertext=[theme.trial_text(best, info.objective)],
            customdata=[best.number],
            marker={"symbol": "star-open", "size": 15, "color": theme.WINNER, "line": {"width": 2}},
        )
    drawn.add_scatter(
        x=[best.number],
        y=[info.model_value if is_fresh else best.value],
        mode="markers",
        name=info.best_label,
        hoverinfo="text",
        hovertext=[theme.trial_text(best, info.objective)],
        customdata=[best.number],
        marker={"symbol": "star", "size": 17, "color": theme.WINNER, "line": {"width": 1.5, "color": "white"}},
    )
