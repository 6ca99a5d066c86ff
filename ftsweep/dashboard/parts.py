"""Pieces that several pages are made of."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from dash import dcc, html

from ftsweep.dashboard.address import trial_address
from ftsweep.dashboard.looks import Look
from ftsweep.dashboard.pace import pace_of
from ftsweep.domain.answers import model_label
from ftsweep.domain.spelling import NOTHING, number
from ftsweep.report.figures import theme
from ftsweep.report.overview import StudyOverview
from ftsweep.report.summary import conclusion, outcome_counts, tiles, verdict
from ftsweep.report.wording import duration
from ftsweep.store.study_state import RUNNING

_WAIT_MS = 1000

PLOT_CONFIG: Any = {
    "responsive": True,
    "displaylogo": False,
    "displayModeBar": True,
    "showSendToCloud": False,  # plotly.js offers by default to send a figure's data to its maker
    "plotlyServerURL": "",
    "modeBarButtonsToRemove": ["autoScale2d"],
}


def crumbs(*steps: tuple[str, str]) -> html.Nav:
    """Where the page lies: (words, address), the last one without an address."""
    found: list[Any] = [dcc.Link("ftsweep", href="/")]
    for words, address in steps:
        found += [" / ", dcc.Link(words, href=address) if address else html.Span(words)]
    return html.Nav(found, className="crumbs")


def badge(kind: str) -> html.Span:
    """An outcome or a phase with its colour and shape."""
    known = kind if kind in theme.COLOURS else "other"
    return html.Span(kind, className=f"badge {known}")


def height_of(figure: dict[str, Any]) -> dict[str, str]:
    """The style that gives a plot its figure's height."""
    return {"height": f"{figure['layout'].get('height', 400)}px"}


def best_link(study: StudyOverview) -> Any:
    """The chosen model's value, or the best one so far, with a link to its trial; a dash before there is one."""
    best, model = study.best, study.model
    if best is None:
        return NOTHING
    value, seed = (best.value, 0) if model is None else (model.value, model.seed)
    words = f"{number(value)} ({model_label(best.number, seed)})"
    return dcc.Link(words, href=trial_address(study.name, best.number))


def trouble_line(text: str) -> list[Any]:
    return [html.P(text, className="trouble", role="status")] if text else []


def watch(path: str, mark: str, store: str) -> list[Any]:
    """Has assets/news.js ask at the path for news; a mark other than this one goes into the store of this name."""
    told: dict[str, Any] = {"data-path": path, "data-mark": mark, "data-store": store}
    return [html.Div(id="watch", **told), dcc.Store(id=store, data=mark)]


def waiting(look: Look) -> list[Any]:
    """Of a study that cannot be shown now: why, or how far its first read has come. The page asks again."""
    again = dcc.Interval(id="wait-tick", interval=_WAIT_MS)
    if look.progress:
        return [again, html.P(f"The study is read for the first time: {look.progress}.", role="status")]
    return [again, *trouble_line(look.trouble)]


def study_head(study: StudyOverview) -> list[Any]:
    """A study's verdict with all that was concluded, key numbers, counts and pace."""
    counts = [html.Span([badge(kind), f" {count}"], className="count") for kind, count in outcome_counts(study)]
    shown = [
        html.Li(
            [html.Span(tile.label, className="label"), html.Strong(tile.value), html.Span(tile.note, className="note")],
            className="main" if tile.is_main else "",
        )
        for tile in tiles(study)
    ]
    return [
        html.P(verdict(study), className="verdict"),
        html.Ul(shown, className="tiles"),
        *(html.P(text, className="reading") for text in conclusion(study)),
        html.P([*counts, html.Span(pace_words(study), className="pace")]),
    ]


def pace_words(study: StudyOverview) -> str:
    """`42 trials per hour, about 5 min left`; "" before there is a pace."""
    pace = pace_of(study)
    if pace.trials_per_hour is None:
        return ""
    words = f"{number(pace.trials_per_hour, digits=3)} trials per hour"
    if study.state.phase != RUNNING or not pace.seconds_left:
        return words
    return f"{words}, about {duration(pace.seconds_left)} left"


def plain_table(
    heads: Iterable[Any],
    rows: Iterable[Iterable[Any]],
    css_class: str = "",
    *,
    best: Collection[int] = (),
    min_width: int = 0,
) -> html.Div:
    """A table of text and links; rows at the places in `best` are coloured. min_width: pixels; it scrolls on less."""
    head = html.Thead(html.Tr([html.Th(_breakable(word), scope="col") for word in heads]))
    body = html.Tbody(
        [
            html.Tr([html.Td(cell) for cell in row], className="best" if place in best else "")
            for place, row in enumerate(rows)
        ]
    )
    return html.Div(
        html.Table([head, body], className=css_class, style={"minWidth": f"{min_width}px"} if min_width else {}),
        className="scroll",
    )


def _breakable(head: Any) -> Any:
    """A heading that may be broken behind `/` and `_`, so that a column of scores is no wider than it must be."""
    if not isinstance(head, str) or not re.search("[/_]", head):
        return head
    parts = re.split("(?<=[/_])", head)
    return [piece for part in parts for piece in (part, html.Wbr())][:-1]
