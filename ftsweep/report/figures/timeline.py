"""When each trial ran, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import TrialRecord
from ftsweep.report.figures import theme
from ftsweep.report.overview import StudyOverview
from ftsweep.report.trial_summary import TrialSummary
from ftsweep.report.wording import plain, seconds

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLE = "Timeline"
READING = (
    "Trials that ran at the same time stand in different lanes: as many as there were workers. A bar lasts from a "
    "trial's first to its last measurement, waiting included. Short grey bars are time saved by pruning; gaps are time "
    "in which nothing was trained. Runs with fresh seeds come last; the lowest lane has the study's phases."
)
UNITS = ((7200.0, 3600.0, "hours"), (180.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))
FRESH, PHASE = "fresh seed", "phase"
_COLOURS = {**theme.COLOURS, FRESH: "#5b4a9c", PHASE: "#7a93a8"}


@dataclass(frozen=True)
class Bar:
    """A span of time; `begin` counts in seconds from the first one. `number` is None where it is no trial's.

    `text` is "" where the number is all there is to be said in a large study.
    """

    kind: str
    text: str
    begin: float
    seconds: float
    number: int | None = None
    lane: int = 0


@dataclass(frozen=True)
class Info:
    objective: Objective
    bars: tuple[Bar, ...]
    """Of trials and runs with fresh seeds, each in a lane from 0."""
    phases: tuple[Bar, ...]
    best_label: str


def info(study: StudyOverview) -> Info:
    """From the times of measurements: the first one lies its own training time after the trial's start."""
    is_brief, label = len(study.trials) > theme.MANY, theme.best_label(study)
    bars = []
    for trial in study.trials:
        if span := _span(trial.record):
            text = "" if is_brief else f"{theme.trial_text(trial, study.objective)}{_trained(trial, span)}"
            bars.append(Bar(label if trial.is_best else trial.kind, text, *span, trial.number))
    for run in study.fresh:
        if span := _span(run):
            text = f"<b>Trial {run.number} with fresh seed {run.proposal.seed}</b><br>{seconds(span[1])}"
            bars.append(Bar(FRESH, text, *span, run.number))
    phases = [
        Bar(PHASE, f"{plain(phase)}<br>{seconds(end - begin)}", begin, end - begin)
        for phase, begin, end in study.phases
    ]
    first = min((bar.begin for bar in (*bars, *phases)), default=0.0)
    return Info(study.objective, tuple(_in_lanes(_since(bars, first))), tuple(_since(phases, first)), label)


def _span(record: TrialRecord) -> tuple[float, float] | None:
    """When it began, and for how many seconds it went on."""
    curve = record.measurements
    if not curve:
        return None
    begin = curve[0].timestamp - curve[0].train_seconds
    return begin, max(0.0, curve[-1].timestamp - begin)


def _trained(trial: TrialSummary, span: tuple[float, float]) -> str:
    return f"<br>{seconds(span[1])} from first to last, {seconds(trial.train_seconds)} of it training"


def _since(bars: Iterable[Bar], first: float) -> list[Bar]:
    return [Bar(bar.kind, bar.text, bar.begin - first, bar.seconds, bar.number) for bar in bars]


def _in_lanes(bars: Iterable[Bar]) -> list[Bar]:
    """Each in the first lane that is free when it begins."""
    ends: list[float] = []
    found = []
    for bar in sorted(bars, key=lambda bar: bar.begin):
        lane = next((lane for lane, end in enumerate(ends) if end <= bar.begin), len(ends))
        ends[lane : lane + 1] = [bar.begin + bar.seconds]
        found.append(Bar(bar.kind, bar.text, bar.begin, bar.seconds, bar.number, lane))
    return found


def figure(info: Info) -> go.Figure:
    import plotly.graph_objects as go

    if not info.bars:
        return theme.empty("No trial has been measured yet.")
    total = max(bar.begin + bar.seconds for bar in (*info.bars, *info.phases))
    unit, name = next((unit, name) for least, unit, name in UNITS if total >= least)
    num_lanes = max(bar.lane for bar in info.bars) + 1
    places = [*range(num_lanes), *([num_lanes] if info.phases else [])]
    names = [f"lane {lane + 1}" for lane in range(num_lanes)] + (["phases"] if info.phases else [])
    step = theme.whole_step(num_lanes)
    drawn = go.Figure(
        layout=theme.layout(
            height=150 + max(70, min(900, 30 * len(places))),
            barmode="overlay",
            xaxis={"title": f"{name} since the first one began"},
            uniformtext={"minsize": 11, "mode": "hide"},  # of a phase whose bar is too short
            yaxis={
                "range": [len(places) - 0.4, -0.6],
                "tickvals": [place for place in places if place % step == 0 or place == num_lanes],
                "ticktext": [names[place] for place in places if place % step == 0 or place == num_lanes],
                "fixedrange": True,
            },
        )
    )
    for kind in (*theme.COLOURS, FRESH, info.best_label):
        _add_bars(drawn, [bar for bar in info.bars if bar.kind == kind], kind, unit)
    _add_bars(drawn, [Bar(b.kind, b.text, b.begin, b.seconds, None, num_lanes) for b in info.phases], PHASE, unit)
    return drawn


def _add_bars(drawn: go.Figure, bars: list[Bar], name: str, unit: float) -> None:
    if not bars:
        return
    drawn.add_bar(
        base=[round(bar.begin / unit, 3) for bar in bars],
        x=[round(bar.seconds / unit, 3) for bar in bars],
        y=[bar.lane for bar in bars],
        orientation="h",
        width=0.8,
        name=name,
        marker={
            "color": _COLOURS.get(name, theme.WINNER),
            "line": {"color": "white", "width": 0.5 if len(bars) <= theme.MANY else 0},  # as wide as a bar of thousands
        },
        customdata=None if name == PHASE else [bar.number for bar in bars],
        text=[bar.text.partition("<br>")[0] for bar in bars] if name == PHASE else None,
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        textfont={"color": theme.INK, "size": 11},
        **_hover(bars),
    )


def _hover(bars: list[Bar]) -> dict[str, Any]:
    if all(bar.text for bar in bars):
        return {"hoverinfo": "text", "hovertext": [bar.text for bar in bars]}
    return {"hovertemplate": "Trial %{customdata}<extra></extra>"}
