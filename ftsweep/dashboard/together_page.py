"""Several studies beside each other: a line each in a table, and one figure of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

from dash import ClientsideFunction, Dash, Input, Output, dcc, html

from ftsweep.dashboard.address import difference_address, study_address
from ftsweep.dashboard.against import TRIAL
from ftsweep.dashboard.looks import Looks
from ftsweep.dashboard.news import store_mark
from ftsweep.dashboard.parts import PLOT_CONFIG, badge, best_link, crumbs, plain_table, trouble_line, watch
from ftsweep.dashboard.together import READINGS, VIEWS, common_axes, comparable, together_figure
from ftsweep.domain.spelling import NOTHING, number
from ftsweep.report.overview import StudyOverview
from ftsweep.report.wording import seconds

_FIRST = 4
"""So many studies are shown where none is named."""


def together_page(looks: Looks, query: str) -> list[Any]:
    told = parse_qs(query.removeprefix("?"))
    names = looks.names()
    wanted = [name for name in told.get("study", []) if name in names] or names[:_FIRST]
    view = told.get("view", ["history"])[-1]
    known = [look.overview for look in map(looks.at, wanted) if look.overview is not None]
    options = common_axes(known)
    x, y = told.get("x", [TRIAL])[-1], told.get("y", [known[0].objective.key if known else ""])[-1]
    return [
        crumbs(("several studies", "")),
        *watch("/news", store_mark(looks), "together-seen"),
        html.H1("Several studies"),
        html.Label(["Studies ", dcc.Dropdown(id="compared", options=names, value=wanted, multi=True)]),
        html.Div(id="together-trouble"),
        html.Div(id="together-table"),
        html.Section(
            [
                dcc.Dropdown(
                    id="together-view",
                    options=[{"label": title, "value": name} for name, title in VIEWS.items()],
                    value=view if view in VIEWS else "history",
                    clearable=False,
                    searchable=False,
                ),
                html.P("", id="together-reading", className="reading"),
                html.Div(
                    [
                        dcc.Dropdown(id="together-x", options=options, value=x, clearable=False, className="axis"),
                        html.Span("against", className="reading"),
                        dcc.Dropdown(id="together-y", options=options, value=y, clearable=False, className="axis"),
                    ],
                    id="together-axes",
                    className="axes",
                ),
                dcc.Store(id="together-drawn"),
                dcc.Graph(id="together", config=PLOT_CONFIG, style={"height": "480px"}),
            ],
            className="panel alone",
        ),
    ]


def add_together(app: Dash, looks: Looks) -> None:
    """What happens on the page."""

    @app.callback(
        Output("together-drawn", "data"),
        Output("together-table", "children"),
        Output("together-trouble", "children"),
        Output("together-reading", "children"),
        Output("together-axes", "style"),
        Input("together-seen", "data"),
        Input("compared", "value"),
        Input("together-view", "value"),
        Input("together-x", "value"),
        Input("together-y", "value"),
    )
    def draw(_: str, names: list[str] | None, view: str, x: str, y: str) -> Any:
        found = [looks.at(name) for name in names or []]
        known = [look.overview for look in found if look.overview is not None]
        studies, left_out = comparable(known)
        waiting = [look.trouble or f"{look.name}: {look.progress}" for look in found if look.overview is None]
        told = trouble_line(" ".join([*left_out, *waiting]))
        style = {} if view == "xy" else {"display": "none"}
        return together_figure(studies, view, x, y), beside_table(studies), told, READINGS[view], style

    app.clientside_callback(
        ClientsideFunction("ftsweep", "draw"), Output("together", "figure"), Input("together-drawn", "data")
    )
    app.clientside_callback(  # the address says what is shown
        ClientsideFunction("ftsweep", "addressOfTogether"),
        Output("compared", "className"),
        Input("compared", "value"),
        Input("together-view", "value"),
        Input("together-x", "value"),
        Input("together-y", "value"),
    )


def beside_table(studies: Sequence[StudyOverview]) -> list[Any]:
    """A study a row, and the way to what their best trials differ in."""
    if not studies:
        return []
    rows = []
    for study in studies:
        default = study.default
        rows.append(
            [
                dcc.Link(study.name, href=study_address(study.name)),
                badge(study.state.phase),
                f"{study.state.num_ended} of {study.state.num_planned}",
                best_link(study),
                number(default.value) if default else NOTHING,
                seconds(sum(trial.train_seconds for trial in study.trials)),
                ", ".join(study.settings.summary.values()),
            ]
        )
    heads = ("study", "state", "ended", f"best {studies[0].objective.key}", "default setting", "training time", "what")
    winners = [(study.name, study.best.number) for study in studies if study.best is not None]
    words = "Differences of their best trials"
    link = html.P(dcc.Link(words, href=difference_address(winners))) if len(winners) > 1 else ""
    return [plain_table(heads, rows, "studies"), link]
