"""What the dashboard's server answers beside its pages: actions, and tables as files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Flask, Response, abort, jsonify, request

from ftsweep.dashboard.access import Access
from ftsweep.dashboard.acting import Acting, Told
from ftsweep.dashboard.address import is_number
from ftsweep.dashboard.looks import Looks
from ftsweep.errors import FtsweepError, UsageError
from ftsweep.report.tables.csv_text import csv_text
from ftsweep.report.tables.trials import wide_trials_table

READ_ONLY = "This page is read-only: open the link that `ftsweep dashboard` printed to act."
_MAX_TRIALS = 100
"""Trials that may be named at once."""
_MAX_WORDS, _MAX_LENGTH = 100, 10_000
"""Of a setting: values, and characters of each."""


def add_doors(server: Flask, looks: Looks, access: Access) -> None:
    """The routes of actions and downloads."""

    def door(name: str, do: Callable[[Acting, str, dict[str, Any]], list[Told]]) -> None:
        """A POST at `/act/<name>`; `do` gets the study's name and the request's body."""

        def answer() -> Any:
            acting = Acting(looks, request.remote_addr or "somebody")
            return _act(access, lambda body: do(acting, _text(body, "study"), body))

        server.add_url_rule(f"/act/{name}", name, answer, methods=["POST"])

    door("stop-study", lambda acting, study, body: [acting.stop_study(study)])
    door("stop-trials", lambda acting, study, body: [acting.stop_trial(study, each) for each in _numbers(body)])
    door("enqueue", lambda acting, study, body: [acting.enqueue(study, _words(body), _source(body))])
    door("extend", lambda acting, study, body: [acting.extend(study, _words(body))])
    for name, is_pinned in (("pin", True), ("unpin", False)):
        door(name, partial(_pin, is_pinned))

    @server.get("/study/<name>/trials.csv")
    def trials_csv(name: str) -> Response:
        try:
            overview = looks.at(name).overview
        except UsageError:
            overview = None
        if overview is None:
            abort(404)
        chosen = [int(word) for word in request.args.get("trials", "").split(",") if is_number(word)]
        table = wide_trials_table(overview.only(chosen) if request.args.get("trials") else overview)
        answer = Response(csv_text(table), mimetype="text/csv")
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}-trials.csv"'
        return answer


def _pin(is_pinned: bool, acting: Acting, study: str, body: dict[str, Any]) -> list[Told]:
    return [acting.pin(study, number, is_pinned=is_pinned) for number in _numbers(body)]


def _act(access: Access, do: Callable[[dict[str, Any]], list[Told]]) -> Any:
    if not access.may_act():
        return jsonify(texts=[READ_ONLY]), 403
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        return jsonify(texts=["The request is no JSON object."]), 400
    try:
        found = do(body)
    except FtsweepError as error:
        return jsonify(texts=[f"refused: {error}"]), 400
    return jsonify(texts=[told.text for told in found]), 409 if any(each.is_refused for each in found) else 200


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
        raise UsageError(f"{len(value)} trials are named; between 1 and {_MAX_TRIALS} may be at once")
    return value


def _words(body: dict[str, Any]) -> list[str]:
    value = body.get("values")
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise UsageError("'values' must be a list of key=value texts")
    if len(value) > _MAX_WORDS or any(len(each) > _MAX_LENGTH for each in value):
        raise UsageError(f"at most {_MAX_WORDS} values of {_MAX_LENGTH:,} characters may be given")
    return value


def _source(body: dict[str, Any]) -> int | None:
    value = body.get("from")
    if value is not None and (type(value) is not int or value < 0):
        raise UsageError("'from' must be a trial's number")
    return value
