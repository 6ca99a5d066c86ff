"""The objective over each trial's own run, rung by rung."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftsweep.domain.objective import Objective
from ftsweep.domain.spelling import number
from ftsweep.report.figures import theme
from ftsweep.report.figures.drawn import MAX_LINES, drawn_of, even
from ftsweep.report.overview import StudyOverview
from ftsweep.report.trial_summary import RUNNING, WAITING, TrialSummary
from ftsweep.report.wording import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLE = "Learning curves"
READING = (
    "One line per trial over the fraction of its own planned examples; equal rungs stand above each other. A grey line "
    "that ends in a cross was pruned there. Click a name in the legend to hide that group. Where a task adds a new "
    "head, the untouched base stands for a guess by how common the classes are, and lines start at the untrained head."
)
DASHES = {"diverged": "dot", "failed": "dot", RUNNING: "dash", WAITING: "dash"}
MAX_IN_BAND = 1_000
"""Trials whose deciles are taken: enough for them, and soon done."""


@dataclass(frozen=True)
class Curve:
    trial: TrialSummary
    points: tuple[tuple[float, int, float], ...]
    """(progress, rung, value), finite values only."""


@dataclass(frozen=True)
class Info:
    objective: Objective
    curves: tuple[Curve, ...]
    """Those drawn last come last: pruned ones first, the best on top."""
    baselines: tuple[tuple[str, float], ...]
    best_label: str
    drawn: str = ""
    """Which trials have a line, in words; "" for all."""
    band: tuple[tuple[float, float, float, float], ...] = ()
    """Of a sample: (progress, lower decile, median, upper decile) at each rung, of `num_in_band` trials."""
    num_in_band: int = 0
    is_brief: bool = False


def info(study: StudyOverview) -> Info:
    key = study.objective.key
    curves = []
    measured = [trial for trial in study.trials if trial.curve]
    drawn = drawn_of(study, measured, MAX_LINES)
    in_band = even(measured, MAX_IN_BAND)
    for trial in drawn.trials:
        points = tuple(
            (point.progress, point.rung, point.values[key])
            for point in trial.curve
            if math.isfinite(point.values.get(key, math.nan))
        )
        if points:
            curves.append(Curve(trial, points))
    curves.sort(key=lambda curve: (curve.trial.is_best, curve.trial.is_default, curve.trial.kind != "pruned"))
    return Info(
        study.objective,
        tuple(curves),
        theme.baseline_labels(study),
        theme.best_label(study),
        drawn.words,
        _band(in_band, key) if drawn.words else (),
        len(in_band),
        len(study.trials) > theme.MANY,
    )


def _band(trials: Iterable[TrialSummary], key: str) -> tuple[tuple[float, float, float, float], ...]:
    """What the middle 80 % of trials measured, by rung."""
    values: dict[int, list[float]] = {}
    progress: dict[int, float] = {}
    for trial in trials:
        for point in trial.curve:
            if math.isfinite(point.values.get(key, math.nan)):
                values.setdefault(point.rung, []).append(point.values[key])
                progress[point.rung] = point.progress
    found = []
    for rung in sorted(values):
        if len(values[rung]) >= 10:
            deciles = statistics.quantiles(values[rung], n=10)
            found.append((progress[rung], deciles[0], deciles[4], deciles[8]))
    return tuple(found)


def figure(info: Info) -> go.Figure:
    import plotly.graph_objects as go

    if not info.curves:
        return theme.empty("No trial has reached a rung yet.")
    values = [value for curve in info.curves for _, _, value in curve.points]
    tame = [value for curve in info.curves if curve.trial.kind != "diverged" for _, _, value in curve.points]
    shown = [*(tame or values), *(value for _, value in info.baselines)]
    best = [value for curve in info.curves if curve.trial.is_best for _, _, value in curve.points]
    low, high = theme.view(shown, padding=0.04, keep=best)
    drawn = go.Figure(
        layout=theme.layout(
            height=460,
            xaxis={"title": "progress of the trial's own run", "tickformat": ".0%", "range": [-0.01, 1.02]},
            yaxis={"title": plain(info.objective.key), "range": [low, high]},
        )
    )
    theme.baseline_lines(drawn, info.baselines)
    _add_band(drawn, info)
    named: set[str] = set()
    for kind in theme.COLOURS if info.is_brief else ():
        _add_together(drawn, [curve for curve in info.curves if curve.trial.kind == kind and not _is_named(curve)])
    for curve in info.curves:
        if not info.is_brief or _is_named(curve):
            _add_curve(drawn, curve, info, named)
    theme.sample_note(drawn, info.drawn)
    theme.outside_note(drawn, values, low, high)
    return drawn


def _add_band(drawn: go.Figure, info: Info) -> None:
    """The middle 80 % of all trials behind the lines of some."""
    if not info.band:
        return
    progress = [each[0] for each in info.band]
    edges = [each[1] for each in info.band] + [each[3] for each in reversed(info.band)]
    drawn.add_scatter(
        x=[*progress, *reversed(progress)],
        y=edges,
        mode="lines",
        fill="toself",
        fillcolor="rgba(61,72,84,0.14)",
        line={"width": 0},
        name=f"middle 80 % of {info.num_in_band:,} trials",
        hoverinfo="skip",
    )
    drawn.add_scatter(
        x=progress,
        y=[each[2] for each in info.band],
        mode="lines",
        name="their median",
        line={"color": theme.BASELINE, "width": 2, "dash": "dot"},
        hoverinfo="skip",
    )


def _is_named(curve: Curve) -> bool:
    """Whether it has a colour or a dash of its own."""
    return curve.trial.is_best or curve.trial.is_default


def _add_together(drawn: go.Figure, curves: list[Curve]) -> None:
    """Lines of one outcome as one trace with gaps and their ends as another: a browser draws a hundred traces of their
    own in half a second, and a thousand marks in a fifth of one.
    """
    if not curves:
        return
    trial = curves[0].trial
    points = [(curve.trial.number, *point) for curve in curves for point in (*curve.points, (None, 0, None))]
    is_cut = trial.has_ended and not trial.is_complete
    common = {
        "legendgroup": trial.kind,
        "hovertemplate": "Trial %{customdata}: <b>%{y:.4g}</b><extra></extra>",
        "opacity": 0.6 if trial.kind == "pruned" else 0.75,
    }
    drawn.add_scatter(
        x=[progress for _, progress, _, _ in points],
        y=[value for _, _, _, value in points],
        mode="lines",
        name=trial.kind,
        customdata=[number for number, _, _, _ in points],
        line={"color": theme.COLOURS[trial.kind], "width": 1.6, "dash": DASHES.get(trial.kind, "solid")},
        **common,
    )
    drawn.add_scatter(
        x=[curve.points[-1][0] for curve in curves],
        y=[curve.points[-1][2] for curve in curves],
        mode="markers",
        name=trial.kind,
        showlegend=False,
        customdata=[curve.trial.number for curve in curves],
        marker={
            "color": theme.COLOURS[trial.kind],
            "line": {"width": 0},
            "symbol": theme.SYMBOLS[trial.kind] if is_cut else "circle",
            "size": 9 if is_cut else 6,
        },
        **common,
    )


def _add_curve(drawn: go.Figure, curve: Curve, info: Info, named: set[str]) -> None:
    trial = curve.trial
    group = info.best_label if trial.is_best else "default setting" if trial.is_default else trial.kind
    colour = theme.WINNER if trial.is_best else theme.COLOURS[trial.kind]
    is_cut = trial.has_ended and not trial.is_complete
    about = f"Trial {trial.number}" if info.is_brief else theme.trial_text(trial, info.objective)
    drawn.add_scatter(
        x=[progress for progress, _, _ in curve.points],
        y=[value for _, _, value in curve.points],
        mode="lines+markers",
        name=group,
        legendgroup=group,
        meta=trial.number,
        showlegend=group not in named,
        opacity=0.6 if trial.kind == "pruned" else 1.0 if trial.is_best or trial.is_default else 0.75,
        hoverinfo="text",
        hovertext=[f"rung {rung}: <b>{number(value)}</b><br>{about}" for _, rung, value in curve.points],
        line={
            "color": colour,
            "width": 3.5 if trial.is_best else 2.5 if trial.is_default else 1.6,
            "dash": "dashdot" if trial.is_default and not trial.is_best else DASHES.get(trial.kind, "solid"),
        },
        marker={
            "color": colour,
            "symbol": ["circle"] * (len(curve.points) - 1) + [theme.SYMBOLS[trial.kind] if is_cut else "circle"],
            "line": {"width": 0},
            "size": [5 if trial.is_best else 3] * (len(curve.points) - 1) + [9 if is_cut else 6],
        },
    )
    named.add(group)
