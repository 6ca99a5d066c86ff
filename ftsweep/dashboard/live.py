"""How open pages are kept up to date, and how one selection reaches every view."""

from __future__ import annotations

from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State
from dash.exceptions import PreventUpdate

from ftsweep.dashboard.asked import asked_part, read_asked
from ftsweep.dashboard.looks import Looks
from ftsweep.dashboard.parts import badge, height_of, study_head, trouble_line
from ftsweep.dashboard.store_page import studies_table
from ftsweep.dashboard.study_page import findings_part
from ftsweep.dashboard.trial_acts import COPY
from ftsweep.dashboard.trial_page import curves_of, find_trial, trial_body, trial_head
from ftsweep.dashboard.views import LINE_VIEWS, REGION_VIEWS, Figures, most_shown, reading, view_options


def add_live_parts(app: Dash, looks: Looks, figures: Figures) -> None:
    """Everything that happens on an open page."""
    _tell_news(app, looks)
    for side in ("left", "right"):
        _add_panel(app, looks, figures, side)
    for figure in ("left", "right", "trial-curves"):
        app.clientside_callback(  # assets/look.js: what a person has done to it stays
            ClientsideFunction("ftsweep", "draw"),
            Output(figure, "figure"),
            Input(f"{figure}-drawn", "data"),
        )
    _add_grid(app)
    _add_selection(app)
    _add_actions(app)


def _tell_news(app: Dash, looks: Looks) -> None:
    """What is drawn anew when a mark has changed, beside figures and table."""

    @app.callback(
        Output("phase", "children"),
        Output("trouble", "children"),
        Output("head", "children"),
        Output("findings", "children"),
        Output("asked", "children"),
        Input("seen", "data"),
        State("study", "data"),
        prevent_initial_call=True,
    )
    def tell_study(_: str, name: str) -> Any:
        look = looks.at(name)
        if look.overview is None:
            raise PreventUpdate
        study, asked = look.overview, asked_part(read_asked(looks.folder(name)))
        head, findings = look.kept("told", lambda: (study_head(study), findings_part(study)))
        return badge(study.state.phase), trouble_line(look.trouble), head, findings, asked

    @app.callback(
        Output("trial-head", "children"),
        Output("trial-body", "children"),
        Output("trial-curves-drawn", "data"),
        Input("trial-seen", "data"),
        State("study", "data"),
        State("trial", "data"),
        prevent_initial_call=True,
    )
    def tell_trial(_: str, name: str, number: int) -> Any:
        look = looks.at(name)
        trial, folder = find_trial(look.overview, number), looks.folder(name)
        if look.overview is None or trial is None:
            raise PreventUpdate
        body = trial_body(look, trial, folder, read_asked(folder))
        return trial_head(look, trial), body, curves_of(look.overview, trial)

    @app.callback(Output("studies", "children"), Input("store-seen", "data"), prevent_initial_call=True)
    def tell_store(_: str) -> Any:
        return studies_table(looks.store.name, looks.all(), trouble=looks.trouble)


def _add_panel(app: Dash, looks: Looks, figures: Figures, side: str) -> None:
    @app.callback(
        Output(f"{side}-drawn", "data"),
        Output(side, "style"),
        Output(f"{side}-reading", "children"),
        Output(f"{side}-view", "options"),  # of a study that ends there is more to see
        Input("seen", "data"),
        Input(f"{side}-view", "value"),
        Input("x", "value"),
        Input("y", "value"),
        State("selection", "data"),
        State("study", "data"),
        prevent_initial_call=side == "left",  # it comes with the page
    )
    def draw(seen: str, view: str, x: str, y: str, selection: dict[str, Any], name: str) -> Any:
        look = looks.at(name)
        if look.overview is None:
            raise PreventUpdate
        figure = figures.drawn(look, view, selection["trials"], x, y)
        return figure, height_of(figure), reading(view), view_options(look.overview)

    @app.callback(
        Output(f"{side}-drawn", "data", allow_duplicate=True),
        Input("selection", "data"),
        State(f"{side}-view", "value"),
        State("x", "value"),
        State("y", "value"),
        State("study", "data"),
        prevent_initial_call=True,
    )
    def draw_selected(selection: dict[str, Any], view: str, x: str, y: str, name: str) -> Any:
        """Of many trials a view draws the selected ones first; of few the page marks what it has."""
        look = looks.at(name)
        is_part = view in (*LINE_VIEWS, *REGION_VIEWS)
        if look.overview is None or not is_part or len(look.overview.trials) <= most_shown(look.overview, view):
            raise PreventUpdate
        return figures.drawn(look, view, selection["trials"], x, y)


def _add_grid(app: Dash) -> None:
    app.clientside_callback(  # assets/rows.js
        ClientsideFunction("ftsweep", "fill"),
        Output("rows", "data"),
        Input("seen", "data"),
        State("study", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("ftsweep", "showAxes"),
        Output("axes", "style"),
        Input("left-view", "value"),
        Input("right-view", "value"),
    )


def _add_selection(app: Dash) -> None:
    """In the browser: assets/select.js."""
    app.clientside_callback(
        ClientsideFunction("ftsweep", "choose"),
        Output("selection", "data"),
        Input("left", "selectedData"),
        Input("right", "selectedData"),
        Input("grid", "selectedRows"),
        Input("grid", "filterModel"),
        Input("rows", "data"),
        Input("clear", "n_clicks"),
        Input("top", "value"),
        State("selection", "data"),
        State("study", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("ftsweep", "show"),
        Output("selected", "children"),
        Output("csv", "href"),
        Output("differ", "href"),
        Output("differ-place", "className"),
        Output("clear", "disabled"),
        Input("selection", "data"),
        Input("left-view", "value"),
        Input("right-view", "value"),
        Input("x", "value"),
        Input("y", "value"),
        Input("grid", "filterModel"),
        Input("rows", "data"),
        State("study", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("ftsweep", "click"),
        Output("clicked", "children"),
        Output("clicked", "href"),
        Output("clicked", "style"),
        Input("left", "clickData"),
        Input("right", "clickData"),
        State("study", "data"),
        prevent_initial_call=True,
    )


def _add_actions(app: Dash) -> None:
    """Buttons that ask a study for something; assets/act.js sends what they ask."""
    buttons: dict[str, tuple[str, list[State]]] = {
        "stop-study": ("stopStudy", []),
        "stop-trials": ("stopTrials", [State("selection", "data")]),
        "pin-trials": ("pinTrials", [State("selection", "data")]),
        "extend": ("extend", [State("more", "value")]),
        "pin-trial": ("pinTrial", [State("trial", "data")]),
        "unpin-trial": ("unpinTrial", [State("trial", "data")]),
        "stop-trial": ("stopTrial", [State("trial", "data")]),
        "enqueue": ("enqueue", [State("trial", "data"), State("copied", "data"), State(COPY, "value")]),
    }
    fields = {"extend": Input("more", "n_submit"), "enqueue": Input(COPY, "n_submit")}  # Enter does as their button
    for index, (button, (name, states)) in enumerate(buttons.items()):
        app.clientside_callback(
            ClientsideFunction("ftsweep", name),
            Output("act-answer", "children", allow_duplicate=index > 0),
            Input(button, "n_clicks"),
            *([fields[button]] if button in fields else []),
            State("study", "data"),
            *states,
            prevent_initial_call=True,
        )
