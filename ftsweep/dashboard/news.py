"""What an open page asks again and again, beside Dash: whether there is news, and which rows of the table changed."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import Any

from flask import Flask, Response, abort, request

from ftsweep.dashboard.asked import asked_stamp
from ftsweep.dashboard.grid import TrialRows, as_json
from ftsweep.dashboard.looks import Looks, is_study_name
from ftsweep.dashboard.region import trials_in
from ftsweep.dashboard.views import REGION_VIEWS
from ftsweep.report.overview import StudyOverview


def study_mark(looks: Looks, name: str) -> str:
    """Another one whenever a page about the study should be drawn anew."""
    return f"{looks.at(name).mark} {asked_stamp(looks.folder(name))}"


def store_mark(looks: Looks) -> str:
    """Another one whenever the list of studies should be drawn anew."""
    return looks.trouble + " ".join(f"{look.name} {look.mark} {look.progress}" for look in looks.all())


def add_news(server: Flask, looks: Looks) -> None:
    """Their routes; without Dash's own way an answer that there is none costs a tenth."""
    tables: dict[str, TrialRows] = defaultdict(TrialRows)
    lock = threading.Lock()

    def known(name: str) -> str:
        if not is_study_name(looks, name):
            abort(404)
        return name

    @server.get("/news")
    def news_of_store() -> Response:
        return _json({"mark": store_mark(looks)})

    @server.get("/news/<name>")
    def news_of_study(name: str) -> Response:
        return _json({"mark": study_mark(looks, known(name))})

    @server.get("/rows/<name>")
    def rows(name: str) -> Response:
        look = looks.at(known(name))
        if look.overview is None:
            abort(404)
        with lock:
            table = tables[name]
        return _answer(table.text(look, request.args.get("seen", 0, type=int)))

    @server.get("/region/<name>")
    def region(name: str) -> Response:
        look = looks.at(known(name))
        if look.overview is None:
            abort(404)
        try:
            return _json(_region_of(look.overview))
        except ValueError:
            abort(400)


def _region_of(study: StudyOverview) -> list[int]:
    """As the request has it.

    Raises:
        ValueError: it names no region.
    """
    told = request.args
    xs, ys = ([float(word) for word in told.get(key, "").split(",")] for key in ("xs", "ys"))
    if len(xs) != len(ys) or len(xs) < 2 or told.get("view") not in REGION_VIEWS:
        raise ValueError("no region")
    axes = told.get("x", ""), told.get("y", "")
    return trials_in(study, told["view"], axes, told.get("panel", 1, type=int), xs, ys)


def _json(value: Any) -> Response:
    return _answer(as_json(value))


def _answer(text: str) -> Response:
    return Response(text, mimetype="application/json")
