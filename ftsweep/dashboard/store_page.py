"""The first page: the studies of the store, a row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dash import dcc, html

from ftsweep.dashboard.address import study_address
from ftsweep.dashboard.looks import Look
from ftsweep.dashboard.pace import pace_of
from ftsweep.dashboard.parts import badge, best_link, crumbs, plain_table, trouble_line, watch
from ftsweep.domain.commands import run_command
from ftsweep.domain.spelling import NOTHING, number
from ftsweep.report.summary import outcome_counts
from ftsweep.report.wording import duration
from ftsweep.store.study_state import RUNNING

HEADS = ("study", "state", "ended", "trials", "best", "objective", "trials per hour", "time left")


def store_page(store: Path | str, looks: Sequence[Look], mark: str, *, trouble: str = "") -> list[Any]:
    """trouble: why the store cannot be read now; what was last read of its studies is shown."""
    return [
        crumbs(),
        *watch("/news", mark, "store-seen"),
        html.H1("Studies"),
        html.P([str(store), " · ", dcc.Link("Several studies in one figure", href="/studies")], className="reading"),
        html.Div(studies_table(store, looks, trouble=trouble), id="studies"),
    ]


def studies_table(store: Path | str, looks: Sequence[Look], *, trouble: str = "") -> list[Any]:
    """The studies, those that run first."""
    if not looks and not trouble:
        start = run_command("quickstart", "quickstart", store=store)
        return [html.P(f"There are no studies in this store yet. Start one: {start}")]
    order = sorted(looks, key=lambda look: (look.overview is None or look.overview.state.phase != RUNNING, look.name))
    if trouble:  # it says what each of them would
        order = [replace(look, trouble="") for look in order]
    return [*trouble_line(trouble), plain_table(HEADS, map(_row, order), "studies")]


def _row(look: Look) -> list[Any]:
    link = dcc.Link(look.name, href=study_address(look.name))
    if look.overview is None:
        return [link, look.trouble or look.progress, *[NOTHING] * (len(HEADS) - 2)]
    study, state = look.overview, look.overview.state
    pace = pace_of(study)
    is_running = state.phase == RUNNING
    shown = [html.Span([badge(kind), f" {count}"], className="count") for kind, count in outcome_counts(study)]
    return [
        link,
        [badge(state.phase), f" {look.trouble}"] if look.trouble else badge(state.phase),
        f"{state.num_ended} of {state.num_planned}",
        shown,
        best_link(study),
        state.objective.key,
        number(pace.trials_per_hour, digits=3) if is_running else NOTHING,
        duration(pace.seconds_left) if is_running and pace.seconds_left else NOTHING,
    ]
