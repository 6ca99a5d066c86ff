"""When each trial ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftsweep.domain.objective import Objective
from ftsweep.report.figures import theme
from ftsweep.report.overview import StudyOverview
from ftsweep.report.trial_summary import TrialSummary
from ftsweep.report.wording import seconds

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLE = "Timeline"
READING = (
    "One bar per trial from its first to its last measurement, since the study's first. Short grey bars are time saved "
    "by pruning; gaps are time in which nothing was trained."
)
UNITS = ((7200.0, 3600.0, "hours"), (180.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))


@dataclass(frozen=True)
class Bar:
    trial: TrialSummary
    begin: float
    seconds: float


@dataclass(frozen=True)
class Info:
    objective: Objective
    bars: tuple[Bar, ...]
    """`begin` counts in seconds from the study's first bar."""
    best_label: str


def info(study: StudyOverview) -> Info:
    """From the times of measurements: the first one lies its own training time after the trial's start."""
    spans = []
    for trial in study.trials:
        if trial.curve:
            begin = trial.curve[0].timestamp - trial.curve[0].train_seconds
            spans.append((trial, begin, trial.curve[-1].timestamp))
    first = min((begin for _, begin, _ in spans), default=0.0)
    bars = tuple(Bar(trial, begin - first, max(0.0, end - begin)) for trial, begin, end in spans)
    return Info(study.objective, bars, theme.best_label(study))


def figure(info: Info) -> go.Figure:
    import plotly.graph_objects as go

    if not info.bars:
        return theme.empty("No trial has been measured yet.")
    total = max(bar.begin + bar.seconds for bar in info.bars)
    unit, name = next((unit, name) for least, unit, name in UNITS if total >= least)
    numbers = [bar.trial.number for bar in info.bars]
    drawn = go.Figure(
        layout=theme.layout(
            height=110 + max(140, min(900, 22 * len(info.bars))),
            barmode="overlay",
            xaxis={"title": f"{name} since the first trial began"},
            yaxis={
                "title": "trial",
                "range": [max(numbers) + 0.6, min(numbers) - 0.6],
                "dtick": theme.whole_step(max(numbers) - min(numbers)),
            },
        )
    )
    for kind in theme.COLOURS:
        _add_bars(
            drawn, info, [bar for bar in info.bars if bar.trial.kind == kind and not bar.trial.is_best], kind, unit
        )
    _add_bars(drawn, info, [bar for bar in info.bars if bar.trial.is_best], info.best_label, unit)
    return drawn


def _add_bars(drawn: go.Figure, info: Info, bars: list[Bar], name: str, unit: float) -> None:
    if not bars:
        return
    drawn.add_bar(
        base=[bar.begin / unit for bar in bars],
        x=[bar.seconds / unit for bar in bars],
        y=[bar.trial.number for bar in bars],
        orientation="h",
        width=0.7,
        name=name,
        marker={"color": theme.COLOURS.get(name, theme.WINNER)},
        hoverinfo="text",
        customdata=[bar.trial.number for bar in bars],
        hovertext=[f"{theme.trial_text(bar.trial, info.objective)}<br>{seconds(bar.seconds)}" for bar in bars],
    )
