"""How open pages are kept up to date, and how one selection reaches every view."""

from __future__ import annotations

from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, no_update
from dash.exceptions import PreventUpdate

from ftsweep.dashboard.asked import asked_part, read_asked
from ftsweep.dashboard.grid import trials_grid
from ftsweep.dashboard.looks import Looks
from ftsweep.dashboard.parts import badge, height_of, study_head, trouble_line
from ftsweep.dashboard.store_page import studies_table
from ftsweep.dashboard.study_page import findings_part
from ftsweep.dashboard.trial_acts import COPY
from ftsweep.dashboard.trial_page import curves_of, find_trial, trial_body, trial_mark
from ftsweep.dashboard.views import LINE_VIEWS, MAX_LINES, XY, reading, view_figure
from ftsweep.report.overview import StudyOverview


def add_live_parts(app: Dash, looks: Looks) -> None:
    """Everything that happens on an open page."""
    _add_ticks(app, looks)
    _add_trial_ticks(app, looks)
    for side in ("left", "right"):
        _add_panel(app, looks, side)
    for figure in ("left", "right", "trial-curves"):
        app.clientside_callback(  # assets/look.js: what a person has done to it stays
            ClientsideFunction("ftsweep", "draw"),
            Output(figure, "figure"),
            Input(f"{figure}-drawn", "data"),
        )
    _add_grid(app, looks)
    _add_selection(app)
    _add_actions(app)


def _add_ticks(app: Dash, looks: Looks) -> None:
    @app.callback(
        Output("seen", "data"),
        Output("phase", "children"),
        Output("trouble", "children"),
        Output("head", "children"),
        Output("findings", "children"),
        Input("tick", "n_intervals"),
        State("study", "data"),
        State("seen", "data"),
        prevent_initial_call=True,
    )
    def look_at_study(_: int, name: str, seen: str) -> Any:
        look = looks.at(name)
        if look.mark == seen or look.overview is None:
            raise PreventUpdate
        study = look.overview
        phase = badge(study.state.phase)
        return look.mark, phase, trouble_line(look.trouble), study_head(study), findings_part(study)

    @app.callback(
        Output("asked-seen", "data"),
        Output("asked", "children"),
        Input("tick", "n_intervals"),
        State("study", "data"),
        State("asked-seen", "data"),
        prevent_initial_call=True,
    )
    def look_at_asked(_: int, name: str, seen: str) -> Any:
        asked = read_asked(looks.folder(name))
        if asked.mark == seen:
            raise PreventUpdate
        return asked.mark, asked_part(asked)

    @app.callback(Output("studies", "children"), Input("store-tick", "n_intervals"), prevent_initial_call=True)
    def look_at_store(_: int) -> Any:
        return studies_table(looks.all())


def _add_trial_ticks(app: Dash, looks: Looks) -> None:
    @app.callback(
        Output("trial-seen", "data"),
        Output("trial-body", "children"),
        Output("trial-curves-drawn", "data"),
        Input("trial-tick", "n_intervals"),
        State("study", "data"),
        State("trial", "data"),
        State("trial-seen", "data"),
        prevent_initial_call=True,
    )
    def look_at_trial(_: int, name: str, number: int, seen: str) -> Any:
        look = looks.at(name)
        trial, folder = find_trial(look.overview, number), looks.folder(name)
        asked = read_asked(folder)
        mark = trial_mark(look, asked)
        if mark == seen or look.overview is None or trial is None:
            raise PreventUpdate
        return mark, trial_body(look, trial, folder, asked), curves_of(look.overview, trial)


def _add_panel(app: Dash, looks: Looks, side: str) -> None:
    @app.callback(
        Output(f"{side}-drawn", "data"),
        Output(side, "style"),
        Output(f"{side}-reading", "children"),
        Input("seen", "data"),
        Input(f"{side}-view", "value"),
        Input("x", "value"),
        Input("y", "value"),
        State("selection", "data"),
        State("study", "data"),
    )
    def draw(seen: str, view: str, x: str, y: str, selection: dict[str, Any], name: str) -> Any:
        figure = view_figure(_study(looks, name), view, selection["trials"], x=x, y=y)
        return figure, height_of(figure), reading(view)

    @app.callback(
        Output(f"{side}-drawn", "data", allow_duplicate=True),
        Input("selection", "data"),
        State(f"{side}-view", "value"),
        State("study", "data"),
        prevent_initial_call=True,
    )
    def draw_lines(selection: dict[str, Any], view: str, name: str) -> Any:
        """Of many trials a view of lines draws the selected ones; in any other case the page marks what it has."""
        if view not in LINE_VIEWS or len(_study(looks, name).trials) <= MAX_LINES:
            raise PreventUpdate
        return view_figure(_study(looks, name), view, selection["trials"])


def _add_grid(app: Dash, looks: Looks) -> None:
    @app.callback(
        Output("grid", "rowData"),
        Output("grid", "columnDefs"),
        Input("seen", "data"),
        State("grid", "columnDefs"),
        State("study", "data"),
        prevent_initial_call=True,
    )
    def fill(_: str, now: list[dict[str, Any]], name: str) -> Any:
        columns, rows = trials_grid(_study(looks, name))
        is_same = [each["headerName"] for each in columns] == [each.get("headerName") for each in now]
        return rows, no_update if is_same else columns

    @app.callback(Output("axes", "style"), Input("left-view", "value"), Input("right-view", "value"))
    def show_axes(left: str, right: str) -> dict[str, str]:
        return {} if XY in (left, right) else {"display": "none"}


def _add_selection(app: Dash) -> None:
    """In the browser: assets/select.js."""
    app.clientside_callback(
        ClientsideFunction("ftsweep", "choose"),
        Output("selection", "data"),
        Input("left", "selectedData"),
        Input("right", "selectedData"),
        Input("grid", "selectedRows"),
        Input("grid", "virtualRowData"),
        Input("clear", "n_clicks"),
        Input("top", "value"),
        State("grid", "filterModel"),
        State("grid", "rowData"),
        State("selection", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("ftsweep", "show"),
        Output("selected", "children"),
        Output("csv", "href"),
        Output("differ", "href"),
        Output("differ-button", "disabled"),
        Output("clear", "disabled"),
        Input("selection", "data"),
        Input("left-view", "value"),
        Input("right-view", "value"),
        Input("x", "value"),
        Input("y", "value"),
        Input("grid", "filterModel"),
        Input("grid", "rowData"),
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
    for index, (button, (name, states)) in enumerate(buttons.items()):
        app.clientside_callback(
            ClientsideFunction("ftsweep", name),
            Output("act-answer", "children", allow_duplicate=index > 0),
            Input(button, "n_clicks"),
            State("study", "data"),
            *states,
            prevent_initial_call=True,
        )


def _study(looks: Looks, name: str) -> StudyOverview:
    overview = looks.at(name).overview
    if overview is None:
        raise PreventUpdate
    return overview
