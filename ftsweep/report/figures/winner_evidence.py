"""How sure the choice is: the best settings again with fresh seeds, and the scores on test with their intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftsweep.domain.confirmed import Candidate
from ftsweep.domain.objective import Objective
from ftsweep.report.figures import theme
from ftsweep.report.overview import StudyOverview
from ftsweep.report.wording import number, plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLE = "The winner's evidence"
READING = (
    "Above, the best settings and the default one run again with fresh seeds: a dot per seed, a bar at their mean, "
    "hollow what the search had measured, which is too good on average. Below, scores on test with 95 % intervals: "
    "where they overlap widely, the test split does not tell the models apart."
)
_ROW_HEIGHT = 34  # pixels


@dataclass(frozen=True)
class Again:
    """A setting that was run again. `text` says how it compares with the best mean."""

    label: str
    value: float
    seeds: tuple[float, ...]
    mean: float | None
    text: str
    is_winner: bool


@dataclass(frozen=True)
class Tested:
    """A model's score on test with its 95 % interval."""

    label: str
    value: float
    low: float
    high: float
    is_winner: bool


@dataclass(frozen=True)
class Info:
    objective: Objective
    again: tuple[Again, ...] = ()
    tested: tuple[Tested, ...] = ()


def is_about(study: StudyOverview) -> bool:
    """Whether the study's best was run again, or measured on test with intervals."""
    found = info(study)
    return bool(found.again or found.tested)


def info(study: StudyOverview) -> Info:
    candidates = study.conclusion.candidates
    winner = study.best.number if study.best else None
    metric = study.objective.metric
    defaults = {trial.number for trial in study.trials if trial.is_default}
    tested = []
    for test in study.tests:
        interval = study.result.intervals.get(test.label, {}).get(metric)
        value = test.values.get(f"test/{metric}")
        if interval is not None and value is not None:
            label = _label(test.number, defaults) if test.number is not None else "untouched base"
            tested.append(Tested(label, value, interval.low, interval.high, test.number == winner))
    again = [_again(candidate, study.objective, winner) for candidate in candidates]
    return Info(study.objective, tuple(again), tuple(tested))


def figure(info: Info) -> go.Figure:
    from plotly.subplots import make_subplots

    if not info.again and not info.tested:
        return theme.empty("Nothing has been run again with fresh seeds, and nothing measured on test.")
    panels = [part for part in (info.again, info.tested) if part]
    titles = [title for title, part in _titles(info) if part]
    drawn = make_subplots(
        rows=len(panels),
        cols=1,
        row_heights=[len(part) for part in panels],
        subplot_titles=titles,
        vertical_spacing=0.25,
    )
    num_rows = sum(len(part) for part in panels)
    drawn.update_layout(theme.layout(height=150 + 70 * len(panels) + _ROW_HEIGHT * num_rows, showlegend=False))
    drawn.update_xaxes(**theme.axes_style())
    drawn.update_yaxes(**{**theme.axes_style(), "type": "category", "autorange": "reversed"})
    if info.again:
        _draw_again(drawn, info, row=1)
    if info.tested:
        _draw_tested(drawn, info, row=len(panels))
    return drawn


def _titles(info: Info) -> list[tuple[str, tuple[Any, ...]]]:
    key = plain(info.objective.key)
    metric = plain(info.objective.metric)
    return [(f"{key} again, with fresh seeds", info.again), (f"{metric} on test, 95 % intervals", info.tested)]


def _draw_again(drawn: go.Figure, info: Info, row: int) -> None:
    for line in info.again:
        colour, label = _colour(line.is_winner), plain(line.label)
        common: dict[str, Any] = {"row": row, "col": 1}
        seeds = [(seed, f"seed {index}") for index, seed in enumerate(line.seeds, start=1)]
        drawn.add_scatter(
            x=[seed for seed, _ in seeds],
            y=[label] * len(seeds),
            mode="markers",
            hovertext=[f"{label}, {name}: {number(seed)}" for seed, name in seeds],
            hoverinfo="text",
            marker={"color": colour, "size": 10},
            **common,
        )
        for value, symbol, text in (
            (line.value, "circle-open", f"{label}, in the search: {number(line.value)}"),
            (line.mean, "line-ns-open", f"{label}, mean: {number(line.mean)}{plain(line.text)}"),
        ):
            if value is not None:
                drawn.add_scatter(
                    x=[value],
                    y=[label],
                    mode="markers",
                    hovertext=[text],
                    hoverinfo="text",
                    marker={"color": colour, "size": 16, "symbol": symbol, "line": {"width": 2, "color": colour}},
                    **common,
                )


def _draw_tested(drawn: go.Figure, info: Info, row: int) -> None:
    for line in info.tested:
        drawn.add_scatter(
            x=[line.value],
            y=[plain(line.label)],
            mode="markers",
            hovertext=[f"{plain(line.label)}: {number(line.value)} ({number(line.low)} .. {number(line.high)})"],
            hoverinfo="text",
            marker={"color": _colour(line.is_winner), "size": 11},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [max(0.0, line.high - line.value)],
                "arrayminus": [max(0.0, line.value - line.low)],
            },
            row=row,
            col=1,
        )


def _again(candidate: Candidate, objective: Objective, winner: int | None) -> Again:
    seeds = tuple(seed for seed in candidate.seeds if seed is not None)
    num_failed = len(candidate.seeds) - len(seeds)
    text = f", {num_failed} failed" if num_failed else ""
    difference, error = candidate.difference, candidate.standard_error
    if difference is not None:
        behind = difference if objective.direction == "maximize" else -difference
        text += f"; behind the best mean by {number(behind)}" + (f" ± {number(error)}" if error is not None else "")
    text += ", a tie" if candidate.is_tied else ""
    defaults = {candidate.number} if candidate.is_default else set()
    return Again(
        _label(candidate.number, defaults),
        candidate.value,
        seeds,
        None if math.isnan(candidate.mean) else candidate.mean,
        text,
        candidate.number == winner,
    )


def _label(trial: int, defaults: set[int]) -> str:
    return f"trial {trial}{' (default)' if trial in defaults else ''}"


def _colour(is_winner: bool) -> str:
    return theme.WINNER if is_winner else theme.COLOURS["complete"]
