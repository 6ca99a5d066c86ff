"""Whole approaches side by side: what their trials reached, and what the best of each took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftsweep.domain.approach import Approach
from ftsweep.domain.objective import Objective
from ftsweep.domain.spelling import number
from ftsweep.report.figures import theme
from ftsweep.report.overview import StudyOverview
from ftsweep.report.trial_summary import TrialSummary
from ftsweep.report.wording import plain, seconds

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLE = "Strategy comparison"
READING = (
    "One line per approach, the cheapest at the bottom. Left: its trials, the best one large, and that one's score on "
    "test as a diamond. Right: the training time of that best trial; the number is how many weights it trained."
)


@dataclass(frozen=True)
class Info:
    objective: Objective
    approaches: tuple[Approach, ...]
    trials: tuple[TrialSummary, ...]
    """Those with a value."""
    best_label: str


def is_about(study: StudyOverview) -> bool:
    """Whether the study has approaches to compare."""
    return bool(study.approaches)


def info(study: StudyOverview) -> Info:
    trials = tuple(trial for trial in study.trials if trial.value is not None)
    return Info(study.objective, study.approaches, trials, theme.best_label(study))


def figure(info: Info) -> go.Figure:
    from plotly.subplots import make_subplots

    if not info.approaches:
        return theme.empty("The study has no branches: there is one approach only.")
    drawn = make_subplots(rows=1, cols=2, shared_yaxes=True, column_widths=[0.66, 0.34], horizontal_spacing=0.03)
    drawn.update_layout(theme.layout(height=150 + 46 * len(info.approaches), barmode="overlay"))
    drawn.update_xaxes(**theme.axes_style())
    names = [plain(approach.name) for approach in info.approaches]
    drawn.update_yaxes(**theme.axes_style(), type="category", categoryorder="array", categoryarray=names)
    title = {"font": {"size": 13, "color": theme.MUTED}, "standoff": 10}
    drawn.update_xaxes(title={**title, "text": plain(info.objective.key)}, range=_range(info), col=1)
    drawn.update_xaxes(title={**title, "text": "training time of the best trial, seconds"}, rangemode="tozero", col=2)
    for kind in theme.COLOURS:
        _add_trials(drawn, info, kind)
    _add_best(drawn, info)
    _add_tests(drawn, info)
    _add_times(drawn, info)
    return drawn


def _range(info: Info) -> tuple[float, float]:
    metric = info.objective.metric
    values = [trial.value for trial in info.trials if trial.value is not None]
    scores = [score[metric] for one in info.approaches for score in (one.validation, one.test) if metric in score]
    return theme.view([*values, *scores])


def _add_trials(drawn: go.Figure, info: Info, kind: str) -> None:
    best = {approach.trial for approach in info.approaches}
    trials = [trial for trial in info.trials if trial.kind == kind and trial.number not in best]
    if not trials:
        return
    drawn.add_scatter(
        x=[trial.value for trial in trials],
        y=[plain(trial.branch) for trial in trials],
        mode="markers",
        name=kind,
        hoverinfo="text",
        hovertext=[theme.trial_text(trial, info.objective) for trial in trials],
        marker={
            "color": theme.COLOURS[kind],
            "symbol": theme.SYMBOLS[kind],
            "size": 8,
            "opacity": 0.65,
            "line": {"width": 1, "color": "white"},
        },
        row=1,
        col=1,
    )


def _add_best(drawn: go.Figure, info: Info) -> None:
    """Each branch's best trial, the best of all in the winner's colour, and the bases."""
    by_number = {trial.number: trial for trial in info.trials}
    shown = [one for one in info.approaches if info.objective.metric in one.validation]
    groups = {
        info.best_label: [one for one in shown if one.trial in by_number and by_number[one.trial].is_best],
        "best of its approach": [one for one in shown if one.trial in by_number and not by_number[one.trial].is_best],
        "untouched base": [one for one in shown if one.is_base],
    }
    colours = (theme.WINNER, theme.COLOURS["complete"], theme.BASELINE)
    for (name, approaches), colour in zip(groups.items(), colours, strict=True):
        if approaches:
            drawn.add_scatter(
                x=[one.validation[info.objective.metric] for one in approaches],
                y=[plain(one.name) for one in approaches],
                mode="markers",
                name=name,
                hoverinfo="text",
                hovertext=[
                    theme.trial_text(by_number[one.trial], info.objective)
                    if one.trial in by_number
                    else f"{plain(one.name)}: <b>{number(one.validation[info.objective.metric])}</b>"
                    for one in approaches
                ],
                marker={"size": 15, "color": colour, "line": {"width": 1.5, "color": "white"}},
                row=1,
                col=1,
            )


def _add_tests(drawn: go.Figure, info: Info) -> None:
    metric = info.objective.metric
    tested = [one for one in info.approaches if metric in one.test]
    if tested:
        drawn.add_scatter(
            x=[one.test[metric] for one in tested],
            y=[plain(one.name) for one in tested],
            mode="markers",
            name=f"test/{metric}",
            hoverinfo="text",
            hovertext=[f"{plain(one.name)} on test: <b>{number(one.test[metric])}</b>" for one in tested],
            marker={"symbol": "diamond-open", "size": 11, "color": theme.INK, "line": {"width": 2}},
            row=1,
            col=1,
        )


def _add_times(drawn: go.Figure, info: Info) -> None:
    timed = [one for one in info.approaches if one.train_seconds is not None]
    drawn.add_bar(
        x=[one.train_seconds for one in timed],
        y=[plain(one.name) for one in timed],
        orientation="h",
        width=0.5,
        showlegend=False,
        marker={"color": "#9db4c6"},
        text=[_weights(one) for one in timed],
        textposition="outside",
        cliponaxis=False,
        hoverinfo="text",
        hovertext=[
            f"{plain(one.name)}: <b>{seconds(one.train_seconds or 0.0)}</b>, {_weights(one)}"
            f"<br>{seconds(one.branch_seconds)} for all its trials"
            for one in timed
        ],
        row=1,
        col=2,
    )
    longest = max((one.train_seconds or 0.0 for one in timed), default=0.0)
    drawn.update_xaxes(range=[0, 1.5 * longest or 1.0], col=2)


def _weights(approach: Approach) -> str:
    if approach.trained_parameters is None:
        return "? weights"
    count = approach.trained_parameters
    large = next(
        (f"{count / size:.3g} {unit}" for size, unit in ((1e9, "B"), (1e6, "M")) if count >= size), f"{count:,}"
    )
    return f"{large} weights" if count else "trains nothing"
