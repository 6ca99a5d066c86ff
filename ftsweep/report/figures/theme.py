"""One look for all figures: an outcome has the same colour and marker wherever it is drawn.

Colours are those of Okabe and Ito (2008), told apart by people with any common colour blindness, the light ones made
darker to a contrast of 3 to 1 with white (WCAG 1.4.11); markers differ too: nothing is said by colour alone.
"""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ftsweep.domain.objective import Objective
from ftsweep.domain.spelling import number, param
from ftsweep.domain.trial import PAUSED
from ftsweep.report.overview import StudyOverview
from ftsweep.report.trial_summary import RUNNING, WAITING, TrialSummary
from ftsweep.report.wording import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
INK, MUTED, GRID, PAPER = "#1b2733", "#5b6875", "#e6eaef", "#ffffff"
WINNER = "#d55e00"
_NOTE, _BELOW_TITLE, _LINE = "note", 48, 16
"""A note's name among annotations; pixels: from the plot to beneath its axis's title, and of a line."""
_FEW_TICKS = 8
"""Ticks that a narrow page has room for; of fewer trials the browser would have halves."""
_NOTE_WIDTH = 78
"""Characters of a note's line: what half a page has room for."""
MANY = 200
"""From so many trials on hover boxes are short: what is written for each point of each trial makes a page large."""
BASELINE = "#3d4854"

COLOURS = {
    "complete": "#0072b2",
    "pruned": "#6f7d8c",
    "diverged": "#b85c92",
    "infeasible": "#b87800",
    "failed": "#7a1f1f",
    RUNNING: "#009e73",
    WAITING: "#4d8f78",
    PAUSED: "#8a6fb0",
}
SYMBOLS = {
    "complete": "circle",
    "pruned": "x",
    "diverged": "diamond",
    "infeasible": "square",
    "failed": "cross",
    RUNNING: "circle-open",
    WAITING: "circle-open-dot",
    PAUSED: "triangle-right",
}


def best_label(study: StudyOverview) -> str:
    return "winner" if study.is_final else "best so far"


def trial_text(trial: TrialSummary, objective: Objective, *, is_brief: bool = False) -> str:
    """A trial in a hover box: number, outcome, value, parameters. Everything that comes from outside is escaped.

    is_brief: without parameters, which the trial's row has.
    """
    told = {"pruned": f" after rung {trial.last_rung}", PAUSED: f" at rung {trial.last_rung}"}
    kind = trial.kind + told.get(trial.kind, "")
    lines = [f"<b>Trial {trial.number}</b>{' (default setting)' if trial.is_default else ''} · {plain(kind)}"]
    if trial.value is not None:
        lines.append(f"{plain(objective.key)} <b>{number(trial.value)}</b> at rung {trial.best_rung}")
    elif trial.reason:
        lines.append(plain(short(trial.reason, 90)))
    if is_brief:
        return "<br>".join(lines)
    lines += [f"{plain(name)} = {plain(short(param(value), 60))}" for name, value in trial.params.items()]
    return "<br>".join(lines)


def short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


HEIGHT = 400
"""Pixels of a figure that says nothing else."""


def layout(**changes: Any) -> dict[str, Any]:
    """The common layout, with `changes` over it."""
    axis: dict[str, Any] = {
        "gridcolor": GRID,
        "linecolor": "#c3ccd5",
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": "#c3ccd5",
        "automargin": True,
        "title": {"font": {"size": 13, "color": MUTED}, "standoff": 10},
    }
    common: dict[str, Any] = {
        "template": "none",
        "font": {"family": FONT, "size": 13, "color": INK},
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "margin": {"l": 64, "r": 24, "t": 44, "b": 52},
        "height": HEIGHT,
        "hovermode": "closest",
        "hoverlabel": {"bgcolor": "#ffffff", "bordercolor": "#c3ccd5", "align": "left", "font": {"color": INK}},
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
    }
    for name in ("xaxis", "yaxis"):
        common[name] = {**axis, **changes.pop(name, {})}
        if isinstance(common[name].get("title"), str):
            common[name]["title"] = {**axis["title"], "text": common[name]["title"]}
    return {**common, **changes}


def axes_style() -> dict[str, Any]:
    """The common look of an axis, for figures with several panels."""
    return {key: value for key, value in layout()["xaxis"].items() if key != "title"}


def empty(sentence: str) -> go.Figure:
    """A figure that says in words why there is nothing to see."""
    import plotly.graph_objects as go

    hidden = {"visible": False, "fixedrange": True}
    figure = go.Figure(layout=layout(height=140, xaxis=hidden, yaxis=hidden, margin={"l": 8, "r": 8, "t": 8, "b": 8}))
    figure.add_annotation(
        text=plain(sentence),
        x=0.5,
        y=0.5,
        xref="paper",
        yref="paper",
        showarrow=False,
        font={"color": MUTED, "size": 14},
    )
    return figure


def view(values: Iterable[float], *, padding: float = 0.06, keep: Iterable[float] = ()) -> tuple[float, float]:
    """The part of an axis worth seeing: all values but those far (3 interquartile ranges) outside the middle half.

    One diverging trial would otherwise press all others into one line. What is in `keep` is always seen.
    """
    known = sorted(values)
    if not known:
        return 0.0, 1.0
    low, high = known[0], known[-1]
    if len(known) >= 4:
        first, _, third = statistics.quantiles(known, n=4)
        reach = 3 * (third - first) or abs(third) * 0.5
        low, high = max(low, first - reach), min(high, third + reach)
    kept = list(keep)
    low, high = min([low, *kept]), max([high, *kept])
    margin = (high - low) * padding or abs(high) * 0.1 or 0.1
    return low - margin, high + margin


def whole_step(span: int) -> int:
    """The distance of ticks on an axis of whole numbers: at most 20 of them."""
    return next((step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500) if span / step <= 20), 1000)


def trial_axis(last: int) -> dict[str, Any]:
    """An axis of trial numbers up to the last one; of many the browser chooses ticks, whole ones that fit the page."""
    few = {"dtick": 1, "tick0": 0} if last <= _FEW_TICKS else {}
    return {"title": "trial", "range": [-0.7, last + 0.7], **few}


def outside_note(figure: go.Figure, values: Sequence[float], low: float, high: float) -> None:
    """Say in the figure how many values lie outside of what is shown."""
    count = sum(not low <= value <= high for value in values)
    if count:
        note_below(figure, f"{count} value{'s' if count > 1 else ''} outside this view · double-click shows all")


def sample_note(figure: go.Figure, words: str, *, below: int = _BELOW_TITLE) -> None:
    """Say in the figure which trials it draws. below: pixels beneath the plot, where an axis has its title above it."""
    if words:
        note_below(figure, f"Drawn: {words}.", below=below)


def note_below(figure: go.Figure, text: str, *, below: int = _BELOW_TITLE) -> None:
    """Lines beneath the plot and beneath the notes that there are: half a page has no room for two side by side.

    The figure grows by what it needs for them.
    """
    lines = textwrap.wrap(text, _NOTE_WIDTH)
    notes = [each for each in figure.layout.annotations if each.name == _NOTE]
    below = max([below, *(_LINE * (1 + each.text.count("<br>")) - each.yshift for each in notes)])
    figure.add_annotation(
        name=_NOTE,
        text="<br>".join(map(plain, lines)),
        x=0,
        y=0,
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="top",
        yshift=-below,
        align="left",
        showarrow=False,
        font={"size": 11, "color": MUTED},
    )
    lacking = below + _LINE * len(lines) - figure.layout.margin.b
    if lacking > 0:
        figure.update_layout(margin_b=figure.layout.margin.b + lacking, height=figure.layout.height + lacking)


def baseline_lines(figure: go.Figure, baselines: Sequence[tuple[str, float]]) -> None:
    """A dashed line per distinct value of the untouched base, named at its right end."""
    for label, value in baselines:
        figure.add_hline(
            y=value,
            line={"color": BASELINE, "width": 1.5, "dash": "dash"},
            layer="below",
            annotation={
                "text": plain(label),
                "font": {"size": 11, "color": BASELINE},
                "bgcolor": "rgba(255,255,255,0.8)",
            },
            annotation_position="top right",
        )


def baseline_labels(study: StudyOverview) -> tuple[tuple[str, float], ...]:
    """The untouched base's objective by a label; branches with one value share a line."""
    by_value: dict[float, list[str]] = {}
    for branch in dict.fromkeys(trial.branch for trial in study.trials):
        value = study.baseline_value(branch)
        if value is not None:
            by_value.setdefault(value, []).append(branch)
    if len(by_value) == 1:
        return tuple(("untouched base", value) for value in by_value)
    return tuple((f"untouched base ({', '.join(names)})", value) for value, names in by_value.items())
