"""The dashboard as a web application: its pages by address."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import unquote

from dash import Input, Output, State, dcc, html
from flask import Flask

from ftsweep.dashboard.access import Access
from ftsweep.dashboard.address import is_number, read_count, read_shown, read_trials
from ftsweep.dashboard.asked import read_asked
from ftsweep.dashboard.difference_page import difference_page
from ftsweep.dashboard.doors import add_doors
from ftsweep.dashboard.live import add_live_parts
from ftsweep.dashboard.looks import Looks, is_study_name
from ftsweep.dashboard.news import add_news, store_mark, study_mark
from ftsweep.dashboard.parts import crumbs, trouble_line
from ftsweep.dashboard.scripts import LeanDash
from ftsweep.dashboard.store_page import store_page
from ftsweep.dashboard.study_page import study_page
from ftsweep.dashboard.together_page import add_together, together_page
from ftsweep.dashboard.trial_page import trial_page
from ftsweep.dashboard.views import Figures
from ftsweep.store.folders import Store


def make_app(store: Store, access: Access) -> Flask:
    """The application over the studies of a store, to be served by a WSGI server."""
    looks, figures = Looks(store), Figures()
    server: Any = Flask("ftsweep.dashboard")  # of what Dash takes its hints name a function alone
    app = LeanDash(
        "ftsweep.dashboard",
        server=server,
        title="ftsweep",
        update_title="",  # the title would flicker with every look
        suppress_callback_exceptions=True,
        serve_locally=True,
        eager_loading=True,
    )
    app.layout = html.Div(
        [
            dcc.Location(id="place", refresh="callback-nav"),
            html.Div(id="away", role="status"),
            html.Main(id="page", className="wrap"),
        ]
    )

    def show(path: str, query: str | None) -> list[Any]:
        return page_at(looks, unquote(path or "/"), query or "", may_act=access.may_act(), figures=figures)

    app.callback(Output("page", "children"), Input("place", "pathname"), State("place", "search"))(show)

    @app.callback(
        Output("page", "children", allow_duplicate=True),
        Input("wait-tick", "n_intervals"),
        State("place", "pathname"),
        State("place", "search"),
        prevent_initial_call=True,
    )
    def show_again(_: int, path: str, query: str | None) -> list[Any]:
        return show(path, query)

    add_live_parts(app, looks, figures)
    add_together(app, looks)
    add_doors(server, looks, access)
    add_news(server, looks)
    access.install(server, list(app.csp_hashes()))
    return cast("Flask", server)


def page_at(looks: Looks, path: str, query: str, *, may_act: bool, figures: Figures | None = None) -> list[Any]:
    """The parts of the page at an address; of an unknown one that there is none. figures: that were drawn before."""
    match [part for part in path.split("/") if part]:
        case []:
            return store_page(looks.store.name, looks.all(), store_mark(looks), trouble=looks.trouble)
        case ["studies"]:
            return together_page(looks, query)
        case ["difference"]:
            return difference_page(looks, read_trials(query), read_count(query))
        case ["study", name] if is_study_name(looks, name):
            mark, asked = study_mark(looks, name), read_asked(looks.folder(name))
            drawn = Figures() if figures is None else figures
            return study_page(looks.at(name), read_shown(query), asked, mark, drawn, may_act=may_act)
        case ["study", name, "trial", number] if is_study_name(looks, name) and is_number(number):
            mark = study_mark(looks, name)
            return trial_page(looks.at(name), int(number), looks.folder(name), mark, may_act=may_act)
    return [crumbs(), html.H1("Not found"), *trouble_line("There is no such page.")]
