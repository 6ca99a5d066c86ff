"""How sure the choice is: the best settings again with fresh seeds, and the scores on test with their intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftsweep.domain.answers import Lead, RacedSetting
from ftsweep.domain.objective import Objective
from ftsweep.domain.spelling import number
from ftsweep.report.figures import theme
from ftsweep.report.overview import StudyOverview
from ftsweep.report.wording import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLE = "The winner's evidence"
READING = (
    "Above, the best settings and the default one run again with fresh seeds: a dot per seed, hollow what the search "
    "had measured, which is too good on average, a bar at the mean over fresh seeds with its standard error of seeds "
    "and rows; the setting to train again is coloured. Below, scores on test with 95 % intervals, the model to deploy "
    "coloured: where they overlap widely, the test split does not tell the models apart. Both have one scale."
)
_ROW_HEIGHT = 34  # pixels


@dataclass(frozen=True)
class Again:
    """A setting that was run again. `text` says how it compares with the best mean and with the default."""

    label: str
    value: float
    seeds: tuple[float, ...]
    mean: float | None
    text: str
    is_chosen: bool
    error: float | None = None
    """Standard error of the mean."""


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
    setting, model = study.conclusion.setting, study.result.model
    metric = study.objective.metric
    defaults = {trial.number for trial in study.trials if trial.is_default}
    tested = []
    for test in study.tests:
        interval = study.result.intervals.get(test.label, {}).get(metric)
        value = test.values.get(f"test/{metric}")
        if interval is not None and value is not None:
            label = _label(test.number, defaults, test.seed) if test.number is not None else "untouched base"
            is_winner = model is not None and test.label == model.name
            tested.append(Tested(label, value, interval.low, interval.high, is_winner))
    again = [_again(raced, setting.number) for raced in setting.contenders] if setting else []
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
    if len(panels) > 1:
        drawn.update_xaxes(matches="x", row=2)  # one metric, so that both panels have one scale
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
        colour, label = _colour(line.is_chosen), plain(line.label)
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
                    error_x={"array": [line.error], "visible": value is line.mean and line.error is not None},
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


def _again(raced: RacedSetting, chosen: int) -> Again:
    seeds = tuple(seed for seed in raced.seeds if seed is not None)
    num_failed = len(raced.seeds) - len(seeds)
    text = f", {num_failed} without a value" if num_failed else ""
    text += _said("behind the best mean", raced.behind) + _said("ahead of the default", raced.over_default)
    return Again(
        _label(raced.number, {raced.number} if raced.is_default else set()),
        raced.value,
        seeds,
        raced.mean,
        text,
        raced.number == chosen,
        raced.standard_error,
    )


def _said(what: str, lead: Lead | None) -> str:
    if lead is None:
        return ""
    error = "" if lead.standard_error is None else f" ± {number(lead.standard_error)}"
    sure = "" if lead.is_sure or lead.margin is None else f" (sure above {number(lead.margin)})"
    return f"; {what} by {number(lead.value)}{error}{sure}"


def _label(trial: int, defaults: set[int], seed: int = 0) -> str:
    kind = " (default)" if trial in defaults else ""
    return f"trial {trial}{kind}" + (f", fresh seed {seed}" if seed else "")


def _colour(is_winner: bool) -> str:
    return theme.WINNER if is_winner else theme.COLOURS["complete"]
