"""A study's page: what it shows first. `live.py` keeps it up to date."""

from __future__ import annotations

import json
from typing import Any

from dash import dcc, html
from dash_ag_grid import AgGrid

from ftsweep.dashboard.address import Shown
from ftsweep.dashboard.against import axes, chosen_axes
from ftsweep.dashboard.asked import Asked, asked_part
from ftsweep.dashboard.grid import first_rows, grid_columns
from ftsweep.dashboard.looks import Look
from ftsweep.dashboard.parts import PLOT_CONFIG, badge, crumbs, height_of, study_head, trouble_line, waiting, watch
from ftsweep.dashboard.told_tables import evidence_part
from ftsweep.dashboard.views import LEFT, RIGHT, XY, Figures, reading, view_options
from ftsweep.domain.spelling import plural
from ftsweep.report.overview import StudyOverview
from ftsweep.report.tables.trials import CHOSEN, SO_FAR, TrialColumns

_HEAD_HEIGHT, _ROW_HEIGHT = 100, 42
"""Pixels, of the grid."""
_NOTHING: Any = {"data": [], "layout": {"xaxis": {"visible": False}, "yaxis": {"visible": False}}}
_NUM_FIRST = 30
"""Rows of the table that come with the page."""

GRID_OPTIONS: dict[str, Any] = {
    "suppressFieldDotNotation": True,
    "rowSelection": {
        "mode": "multiRow",
        "headerCheckbox": True,
        "selectAll": "filtered",
        "enableClickSelection": False,
    },
    "selectionColumnDef": {"pinned": "left", "width": 44},
    "enableCellTextSelection": True,
    "tooltipShowDelay": 300,
    "rowBuffer": 5,
}


def study_page(look: Look, shown: Shown, asked: Asked, mark: str, figures: Figures, *, may_act: bool) -> list[Any]:
    """The page's parts; of a study that cannot be read only why. mark: what a look for news gives now.

    What is seen first comes with it: numbers, the left figure, and the table's first rows.
    """
    study = look.overview
    if study is None:
        return [crumbs((look.name, "")), html.H1(look.name), *waiting(look)]
    head, findings = look.kept("told", lambda: (study_head(study), findings_part(study)))
    return [
        crumbs((look.name, "")),
        dcc.Store(id="study", data=look.name),
        *watch(f"/news/{look.name}", mark, "seen"),
        dcc.Store(id="rows"),
        dcc.Store(id="selection", data={"trials": list(shown.selection), "by": "address"}),
        html.Header([html.H1([look.name, " ", html.Span(badge(study.state.phase), id="phase")])]),
        html.Div(trouble_line(look.trouble), id="trouble"),
        html.Div(head, id="head"),
        _toolbar(look.name, shown, may_act=may_act),
        html.Div(_panels(look, study, shown, figures), className="panels"),
        _axes_line(study, shown),
        _grid(study, shown),
        html.P(f"Coloured: {SO_FAR}; of a complete study {CHOSEN}.", className="reading"),
        html.Div(findings, id="findings"),
        html.Div(asked_part(asked), id="asked"),
    ]


def findings_part(study: StudyOverview) -> list[Any]:
    """What the choice rests on, the verdicts on the search, and what was found in the data."""
    verdicts = [html.Li(verdict.text, className=verdict.severity.value) for verdict in study.verdicts]
    data = [
        html.Li(finding.text, className=finding.severity.value) for facts in study.data for finding in facts.findings
    ]
    parts: list[Any] = evidence_part(study)
    if verdicts:
        parts += [html.H2("The search"), html.Ul(verdicts, className="findings")]
    if data:
        parts += [html.H2("Data findings"), html.Ul(data, className="findings")]
    return parts


def _toolbar(name: str, shown: Shown, *, may_act: bool) -> html.Div:
    acts = [
        html.Button("Stop study", id="stop-study", disabled=not may_act),
        html.Button("Stop selected trials", id="stop-trials", disabled=not may_act),
        html.Button("Pin selected trials", id="pin-trials", disabled=not may_act),
        html.Label(
            ["trials ", dcc.Input(id="more", type="number", min=1, step=1, disabled=not may_act, className="top")]
        ),
        html.Button("Raise budget", id="extend", disabled=not may_act),
        html.Span("" if may_act else "Read-only: open the printed link to act.", className="reading"),
    ]
    csv = f"/study/{name}/trials.csv"
    return html.Div(
        [
            html.Span(_selected_words(shown), id="selected", role="status"),
            html.Button("Clear", id="clear"),
            html.Label(["best ", dcc.Input(id="top", type="number", min=1, step=1, debounce=True, className="top")]),
            html.A("CSV", id="csv", href=csv, download=f"{name}-trials.csv"),
            html.Span(
                dcc.Link("Differences", id="differ", href="/difference", className="button"),
                id="differ-place",
                className="off",
            ),
            dcc.Link("", id="clicked", href="/", style={"display": "none"}),
            html.Span(acts, className="acts"),
            html.Span("", id="act-answer", role="status"),
        ],
        className="toolbar",
    )


def _selected_words(shown: Shown) -> str:
    count = len(shown.selection)
    return f"{plural(count, 'trial')} selected" if count else "no trial selected"


def _panels(look: Look, study: StudyOverview, shown: Shown, figures: Figures) -> list[html.Section]:
    """The right figure is drawn when the browser has nothing else to do."""
    options = view_options(study)
    known = {option["value"] for option in options}
    left, right = shown.left if shown.left in known else LEFT, shown.right if shown.right in known else RIGHT
    figure = figures.drawn(look, left, shown.selection, *chosen_axes(study, shown.x, shown.y))
    plots = (
        dcc.Graph(id="left", figure=figure, config=PLOT_CONFIG, style=height_of(figure)),
        dcc.Graph(id="right", figure=_NOTHING, config=PLOT_CONFIG, style={"height": "400px"}),
    )
    told = {key: value for key, value in figure["layout"].items() if "axis" in key or key in ("dragmode", "uirevision")}
    drawn = ({"layout": told, "isThere": True}, None)
    return [
        html.Section(
            [
                dcc.Dropdown(id=f"{side}-view", options=options, value=view, clearable=False, searchable=False),
                html.P(reading(view), id=f"{side}-reading", className="reading"),
                dcc.Store(id=f"{side}-drawn", data=data),
                plot,
            ],
            className="panel",
        )
        for side, view, data, plot in zip(("left", "right"), (left, right), drawn, plots, strict=True)
    ]


def _axes_line(study: StudyOverview, shown: Shown) -> html.Div:
    names = axes(study)
    x, y = chosen_axes(study, shown.x, shown.y)
    return html.Div(
        [
            html.Span("X against Y:", className="reading"),
            dcc.Dropdown(id="x", options=names, value=x, clearable=False, className="axis"),
            dcc.Dropdown(id="y", options=names, value=y, clearable=False, className="axis"),
        ],
        id="axes",
        className="axes",
        style={} if XY in (shown.left, shown.right) else {"display": "none"},
    )


def _grid(study: StudyOverview, shown: Shown) -> AgGrid:
    """With its first rows: assets/rows.js fetches the others, and later what has changed."""
    shape = TrialColumns.of(study)
    return AgGrid(
        id="grid",
        columnDefs=grid_columns(shape),
        rowData=first_rows(shape, study, _NUM_FIRST),
        getRowId="params.data.id",
        defaultColDef={"sortable": True, "resizable": True, "floatingFilter": True, "minWidth": 90},
        dashGridOptions=GRID_OPTIONS,
        rowClassRules={"best": "params.data.mark == 'best'"},
        filterModel=_filters(shown.filters),
        className="grid",
        style={"height": f"{_HEAD_HEIGHT + _ROW_HEIGHT * min(10, max(3, study.state.num_planned))}px"},
    )


def _filters(text: str) -> dict[str, Any]:
    """The grid's filters from an address; none where the text holds something else."""
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
