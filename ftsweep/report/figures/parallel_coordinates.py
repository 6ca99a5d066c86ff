"""Every trial as a line through all of its parameters to its value.

Drawn as ordinary lines and not with Plotly's own trace of that name: that one needs WebGL, has no hover, cannot mark a
trial and prints as a blurred picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftsweep.domain.objective import Objective
from ftsweep.domain.spelling import plural
from ftsweep.report.figures import theme
from ftsweep.report.figures.drawn import MAX_LINES, drawn_of
from ftsweep.report.figures.scale import Axis, axis_of, value_axis
from ftsweep.report.overview import StudyOverview
from ftsweep.report.trial_summary import TrialSummary
from ftsweep.report.wording import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLE = "Parallel coordinates"
READING = (
    "Follow a line from its parameters to the value on the right: the darker, the better; dashed lines were pruned. "
    "Where dark lines pass an axis close together, that parameter matters. Lines at one choice are drawn slightly "
    "apart. Drag along an axis to see only the lines that pass there (several axes add up, a double click ends it), or "
    "choose how many of the best are drawn."
)
SHADES = ("#08306b", "#0b4388", "#17569f", "#2b6bb0", "#437fbc", "#5b91c6")
"""From best to worst."""
PANEL_HEIGHT, PANEL_GAP, BOTTOM = 300, 110, 44
_BUTTONS, _TOPS = 38, (5, 20, 50)
"""Pixels of the row of buttons; how many of the best each of them shows."""
SPREAD = 0.05
"""How far apart, of an axis's length, the trials at one choice lie."""


@dataclass(frozen=True)
class Line:
    trial: TrialSummary
    positions: tuple[float | None, ...]
    """On each axis, between 0 and 1."""
    shade: int
    """Index into the shades: 0 for the best sixth of the panel."""


@dataclass(frozen=True)
class Panel:
    """One branch: branches have different parameters, so each has axes of its own. The value's axis is common."""

    branch: str
    axes: tuple[Axis, ...]
    lines: tuple[Line, ...]
    """The worst first, the best last, so that the best is drawn on top."""


@dataclass(frozen=True)
class Info:
    objective: Objective
    panels: tuple[Panel, ...]
    num_left_out: int
    """Trials without a value, which no line can show."""
    best_label: str
    drawn: str = ""
    """Which trials have a line, in words; "" for all."""
    is_brief: bool = False


def info(study: StudyOverview) -> Info:
    shown = [trial for trial in study.trials if trial.value is not None and trial.kind not in ("diverged", "failed")]
    num_left_out = len(study.trials) - len(shown)
    drawn = drawn_of(study, shown, MAX_LINES)
    shown = list(drawn.trials)
    shown.sort(key=lambda trial: trial.value or 0.0, reverse=study.objective.direction == "minimize")
    low, high = theme.view([trial.value for trial in shown if trial.value is not None], padding=0.02)
    better = "lower" if study.objective.direction == "minimize" else "higher"
    objective_axis = value_axis(f"{study.objective.key} ({better} is better)", low, high)
    branches = dict.fromkeys(trial.branch for trial in shown)
    panels = (_panel(study, branch, shown, objective_axis) for branch in branches)
    return Info(
        study.objective,
        tuple(panel for panel in panels if len(panel.axes) > 1),
        num_left_out,
        theme.best_label(study),
        drawn.words,
        len(study.trials) > theme.MANY,
    )


def _panel(study: StudyOverview, branch: str, shown: list[TrialSummary], objective_axis: Axis) -> Panel:
    trials = [trial for trial in shown if trial.branch == branch]
    names = [name for name in study.param_names if any(name in trial.params for trial in trials)]
    axes = tuple(axis_of(name, study.dimensions[name], [t.params.get(name) for t in trials]) for name in names)
    lines = []
    for index, trial in enumerate(trials):
        offset = SPREAD * (index / (len(trials) - 1) - 0.5) if len(trials) > 1 else 0.0
        positions = [_spread(axis, trial.params.get(axis.label), offset) for axis in axes]
        rank = len(trials) - 1 - index
        shade = rank * len(SHADES) // len(trials)
        lines.append(Line(trial, (*positions, objective_axis.position(trial.value)), shade))
    return Panel(branch, (*axes, objective_axis), tuple(lines))


def _spread(axis: Axis, value: Any, offset: float) -> float | None:
    position = axis.position(value) if value is not None else None
    return position + offset if position is not None and axis.kind == "choice" else position


def figure(info: Info) -> go.Figure:
    from plotly.subplots import make_subplots

    if sum(len(panel.lines) for panel in info.panels) < 2:
        return theme.empty("Too few trials with a value and parameters: at least two are needed.")
    num = len(info.panels)
    has_buttons = sum(len(panel.lines) for panel in info.panels) > _TOPS[0]
    above = _BUTTONS if has_buttons else 0  # above the legend, which half a page has no room for beside them
    top = above + (104 if num > 1 else 84)  # several panels have their names above them
    inner = num * PANEL_HEIGHT + (num - 1) * PANEL_GAP
    drawn = make_subplots(rows=num, cols=1, vertical_spacing=PANEL_GAP / inner if num > 1 else 0.0)
    drawn.update_layout(
        theme.layout(
            height=inner + top + BOTTOM,
            margin={"l": 56, "r": 56, "t": top, "b": BOTTOM},
            legend={
                "orientation": "h",
                "x": 1,
                "xanchor": "right",
                "y": 1 + (top - above - 24) / inner,
                "yanchor": "bottom",
            },
        )
    )
    named: set[str] = set()
    for row, panel in enumerate(info.panels, start=1):
        drawn.update_xaxes(visible=False, fixedrange=True, range=[-0.15, len(panel.axes) - 0.85], row=row, col=1)
        drawn.update_yaxes(visible=False, fixedrange=True, range=[-0.06, 1.06], row=row, col=1)
        for line in panel.lines:
            _add_line(drawn, line, info, row, named)
        for index, axis in enumerate(panel.axes):
            _add_axis(drawn, index, axis, row, panel.branch)
        if num > 1:
            _add_note(
                drawn,
                f"<b>{plain(panel.branch or 'main')}</b>",
                0,
                1,
                row,
                size=14,
                yshift=62,
                xshift=-40,
                anchor="left",
            )
    if info.num_left_out:
        theme.note_below(drawn, f"{plural(info.num_left_out, 'trial')} without a value not shown", below=8)
    theme.sample_note(drawn, info.drawn, below=8)
    _add_top_k(drawn, info, y=1 + (top - _BUTTONS) / inner)
    return drawn


def _add_top_k(drawn: go.Figure, info: Info, *, y: float) -> None:
    """Buttons for how many of the best lines are seen; `meta` of the layout has the page brush them."""
    sign = 1 if info.objective.direction == "minimize" else -1
    lines = [line for panel in info.panels for line in panel.lines]  # a trace each, in this order
    order = sorted(range(len(lines)), key=lambda i: sign * (lines[i].trial.value or 0.0))
    drawn.update_layout(meta={"brush": True}, dragmode="select")
    drawn.update_traces(unselected={"marker": {"opacity": 1}})
    counts = [count for count in _TOPS if count < len(lines)]
    if not counts:
        return
    buttons: list[dict[str, Any]] = [{"label": "all", "method": "restyle", "args": [{"visible": True}]}]
    for count in counts:
        best = set(order[:count]) | {i for i, line in enumerate(lines) if line.trial.is_best}
        seen = [i in best for i in range(len(lines))]
        buttons.append({"label": f"best {count}", "method": "restyle", "args": [{"visible": seen}]})
    style = {"type": "buttons", "direction": "right", "x": 0, "xanchor": "left", "y": y, "yanchor": "bottom"}
    drawn.update_layout(updatemenus=[{**style, "buttons": buttons, "showactive": True, "pad": {"b": 2}}])


def _add_line(drawn: go.Figure, line: Line, info: Info, row: int, named: set[str]) -> None:
    trial = line.trial
    group = info.best_label if trial.is_best else trial.kind
    text = theme.trial_text(trial, info.objective, is_brief=info.is_brief)
    drawn.add_scatter(
        x=list(range(len(line.positions))),
        y=list(line.positions),
        row=row,
        col=1,
        mode="lines+markers",
        name=group,
        legendgroup=group,
        meta=trial.number,
        showlegend=group not in named,
        hoverinfo="text",
        hovertext=[text] * len(line.positions),
        line={
            "color": theme.WINNER if trial.is_best else SHADES[line.shade],
            "width": 3.5 if trial.is_best else 2,
            "dash": "dot" if trial.kind == "pruned" else "solid",
        },
        marker={"size": 6 if trial.is_best else 5},
    )
    named.add(group)


def _add_axis(drawn: go.Figure, index: int, axis: Axis, row: int, branch: str) -> None:
    drawn.add_shape(
        type="line", x0=index, x1=index, y0=-0.04, y1=1.04, line={"color": "#6b7785", "width": 1}, row=row, col=1
    )
    for position, text in axis.ticks:
        shown = plain(theme.short(text, 18))
        _add_note(
            drawn, shown, index, position, row, size=11, xshift=-6, anchor="right", bgcolor="rgba(255,255,255,0.8)"
        )
    words, _, aside = axis.label.removeprefix(f"{branch}.").partition(" (")
    path, _, leaf = words.rpartition(".")
    above = plain(theme.short(path, 24)) or (plain(aside.rstrip(")")) if aside else "")
    _add_note(
        drawn,
        f"<span style='font-size:11px;color:{theme.MUTED}'>{above}</span><br><b>{plain(theme.short(leaf, 24))}</b>",
        index,
        1,
        row,
        size=13,
        yshift=32,
        anchor="center",
    )


def _add_note(
    drawn: go.Figure, text: str, x: float, y: float, row: int, *, size: int, anchor: str, **more: Any
) -> None:
    drawn.add_annotation(
        text=text,
        x=x,
        y=y,
        row=row,
        col=1,
        showarrow=False,
        xanchor=anchor,
        yanchor="middle",
        font={"size": size, "color": theme.INK},
        borderpad=1,
        **more,
    )
