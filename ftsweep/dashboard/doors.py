"""What the dashboard's server answers beside its pages: actions, and tables as files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, abort, jsonify, request

from ftsweep.dashboard.access import Access
from ftsweep.dashboard.asked import Asked, AskedList
from ftsweep.dashboard.looks import Looks
from ftsweep.errors import FtsweepError, UsageError
from ftsweep.report.tables.csv_text import csv_text
from ftsweep.report.tables.trials import wide_trials_table

READ_ONLY = "This page is read-only: open the link that `ftsweep dashboard` printed to act."
_MAX_TRIALS = 100
"""Trials that may be asked to end at once."""


def add_doors(server: Flask, looks: Looks, asked: AskedList, access: Access) -> None:
    """The routes of actions and downloads."""

    @server.post("/act/stop-study")
    def stop_study() -> Any:
        return _act(access, lambda body: [asked.stop_study(_text(body, "study"))])

    @server.post("/act/stop-trials")
    def stop_trials() -> Any:
        return _act(access, lambda body: [asked.stop_trial(_text(body, "study"), number) for number in _numbers(body)])

    @server.get("/study/<name>/trials.csv")
    def trials_csv(name: str) -> Response:
        try:
            overview = looks.at(name).overview
        except UsageError:
            overview = None
        if overview is None:
            abort(404)
        chosen = [int(word) for word in request.args.get("trials", "").split(",") if word.isdecimal()]
        table = wide_trials_table(overview.only(chosen) if chosen else overview)
        answer = Response(csv_text(table), mimetype="text/csv")
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}-trials.csv"'
        return answer


def _act(access: Access, do: Callable[[dict[str, Any]], list[Asked]]) -> Any:
    if not access.may_act():
        return jsonify(texts=[READ_ONLY]), 403
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        return jsonify(texts=["The request is no JSON object."]), 400
    try:
        found = do(body)
    except FtsweepError as error:
        return jsonify(texts=[f"refused: {error}"]), 400
    return jsonify(texts=[asked.text for asked in found]), 409 if any(each.is_refused for each in found) else 200


def _text(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str):
        raise UsageError(f"{key!r} must be a name")
    return value


def _numbers(body: dict[str, Any]) -> list[int]:
    value = body.get("trials")
    if not isinstance(value, list) or not all(type(each) is int and each >= 0 for each in value):
        raise UsageError("'trials' must be a list of trial numbers")
    if not 0 < len(value) <= _MAX_TRIALS:
        raise UsageError(f"{len(value)} trials are asked to end; between 1 and {_MAX_TRIALS} may be at once")
    return value
