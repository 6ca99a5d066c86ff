"""One HTML file per study that works anywhere: no network, no server, everything from outside shown as text."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from ftsweep.analysis.flagged_rows import said_of_flagged
from ftsweep.domain.commands import study_command
from ftsweep.domain.spelling import param
from ftsweep.domain.verdict import counts_of
from ftsweep.errors import ConfigError, FtsweepError
from ftsweep.executors.failure import place_in_code_of_user
from ftsweep.report import figures as figure_modules
from ftsweep.report import summary
from ftsweep.report.answers import answer_table, judged_cost, telling_rows, told_score
from ftsweep.report.base import Report
from ftsweep.report.figures import theme
from ftsweep.report.figures.base import Figure
from ftsweep.report.figures.drawn import MAX_ROWS, Drawn, drawn_of
from ftsweep.report.overview import StudyOverview
from ftsweep.report.tables.approaches import approach_table
from ftsweep.report.tables.classes import class_table
from ftsweep.report.tables.fits import fit_table
from ftsweep.report.tables.flagged_rows import flagged_table
from ftsweep.report.tables.forgetting import scaling_table
from ftsweep.report.tables.harness import winner_harness_table
from ftsweep.report.tables.html import html_table
from ftsweep.report.tables.scores import comparison_table
from ftsweep.report.tables.trials import wide_trials_table
from ftsweep.store.atomic import write_text

_MAX_NAMES = 12
"""Of a figure's traces, in its label."""

PLOT_CONFIG = {
    "responsive": True,
    "displaylogo": False,
    "showSendToCloud": False,  # plotly.js 4 offers by default to send a figure's data to its maker
    "plotlyServerURL": "",
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
}


class HtmlPage(Report):
    """Writes a study's page. `figures` are those to show, in this order: names, or figures of one's own; null shows all
    that ftsweep has."""

    def __init__(self, *, figures: Sequence[str | Figure] | None = None) -> None:
        if isinstance(figures, str):
            raise ConfigError("figures must be a list of names", where="report.figures", remedy=f"Write [{figures}].")
        self.figures = tuple(figure_modules.READING_ORDER if figures is None else figures)
        for name in self.figures:
            figure_modules.load(name)

    def write(self, study: StudyOverview, path: Path) -> Path:
        """Write the page whole or not at all, and return its path."""
        write_text(path, self.html(study))
        return path

    def html(self, study: StudyOverview) -> str:
        """The page's text."""
        import jinja2
        from plotly.offline import get_plotlyjs

        environment = jinja2.Environment(
            autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        rows = drawn_of(study, study.trials, MAX_ROWS)
        tables = _tables(study, rows)
        answers = _answers(study)
        sections = [part for each in self.figures if (part := _section(each, study)) is not None]
        self.troubles = [str(section["trouble"]) for section in sections if section["trouble"]]
        scripts = {"plotly": get_plotlyjs(), "page": _own("page.js")}
        return environment.from_string(_own("page.html")).render(
            study=study,
            is_large=len(study.trials) > theme.MANY,
            policy=_policy(scripts.values()),
            scripts={name: _trusted(text) for name, text in scripts.items()},
            css=_trusted(_own("page.css")),
            sections=sections,
            contents=summary.contents(study, tables, sections, has_answers=bool(answers)),
            plot_config=embedded_json(PLOT_CONFIG),
            verdict=summary.verdict(study),
            conclusion=summary.conclusion(study),
            tiles=summary.tiles(study),
            winner_title=summary.winner_title(study),
            counts=summary.outcome_counts(study),
            facts=summary.facts(study),
            fit_counts=counts_of(study.state.verdicts),
            answers=answers,
            judged=judged_cost(trial.extra for trial in study.trials),
            flagged_text=said_of_flagged(study.conclusion.flagged, study.objective),
            tables=tables,
            data_line=summary.data_line,
            rows_left_out=f"Rows: {rows.words}." if rows.words else "",
            all_rows=study_command("status", study.name, "--json", store=study.store),
            param=param,
            written=time.strftime("%Y-%m-%d %H:%M"),
        )


def _tables(study: StudyOverview, rows: Drawn) -> dict[str, Any]:
    """The page's tables as markup, by name; "" for one that the study has not."""
    objective, conclusion = study.objective, study.conclusion
    best = study.best.number if study.best else None
    found = {
        "evidence": comparison_table(study),
        "harness": winner_harness_table(study),
        "approaches": approach_table(study.approaches, objective, best),
        "classes": class_table(study),
        "scaling": scaling_table(conclusion.forgetting, objective),
        "fits": fit_table(study.state.verdicts),
        "flagged": flagged_table(conclusion.flagged, objective),
    }
    shown = {name: html_table(table, name) if table is not None else "" for name, table in found.items()}
    listed = study.only(trial.number for trial in rows.trials) if rows.words else study
    return {**shown, "trials": html_table(wide_trials_table(listed), "trials", is_sortable=True)}


def _answers(study: StudyOverview) -> list[Any]:
    """Tables of the rows that the best trial answered worst and best, beside what others answered."""
    metric = told_score(study.answers, study.objective)
    worst, best = telling_rows(study.answers, metric)
    found = (
        answer_table(study.answers, worst, metric, f"answered worst, by {metric}"),
        answer_table(study.answers, best, metric, f"answered best, by {metric}"),
    )
    return [html_table(table, "answers") for table in found if table is not None]


def _section(figure_of: str | Figure, study: StudyOverview) -> dict[str, Any] | None:
    """A figure's part of the page, None where it is not about the study; one of one's own that fails costs no other."""
    module = figure_modules.load(figure_of)
    name = figure_of if isinstance(figure_of, str) else type(figure_of).__name__
    told = {"name": name, "title": module.TITLE, "reading": module.READING, "trouble": "", "verdict": ""}
    try:
        return {**told, **_drawn(name, figure_of, study)} if figure_modules.is_about(figure_of, study) else None
    except Exception as error:
        if not isinstance(figure_of, Figure):
            raise
        return {**told, "trouble": f"{name} could not be drawn: {_reason(error)}"}


def _reason(error: Exception) -> str:
    """What a figure of the user's own raised, with its line where it is known."""
    if isinstance(error, FtsweepError):
        return str(error)
    text, place = " ".join(f"{type(error).__name__}: {error}".split()), place_in_code_of_user(error)
    return f"{text.rstrip('.: ')} ({place})." if place else text


def _drawn(name: str, figure_of: str | Figure, study: StudyOverview) -> dict[str, Any]:
    module, figure = figure_modules.load(figure_of), figure_modules.draw(figure_of, study)
    return {
        "verdict": study.conclusion.quantity.sentence if name == "quantity" and study.conclusion.quantity else "",
        "height": int(figure.layout.height),
        "label": _label(module.TITLE, module.READING, figure),
        "json": embedded_json(json.loads(figure.to_json())),
    }


def _label(title: str, reading: str, figure: Any) -> str:
    """The figure in words, for whoever does not see it."""
    axes = [axis.title.text for axis in (figure.layout.xaxis, figure.layout.yaxis) if axis.title.text]
    names = list(dict.fromkeys(trace.name for trace in figure.data if trace.name))
    shown = f" It shows {', '.join(names[:_MAX_NAMES])}." if names else ""
    return f"{title}: {' against '.join(reversed(axes))}.{shown}" if axes else f"{title}. {reading}{shown}"


def _own(name: str) -> str:
    return files("ftsweep.report").joinpath(name).read_text(encoding="utf-8")


def _trusted(text: str) -> Any:
    """Text of our own or of plotly.js that goes into the page as it is; an end tag inside would cut it off."""
    from markupsafe import Markup

    return Markup(text.replace("</script", "<\\/script"))  # noqa: S704 - never called with data


def embedded_json(value: Any) -> Any:
    """JSON for a script element: no character in it can end the element or begin a comment."""
    from markupsafe import Markup

    text = json.dumps(value, allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped above


def _policy(scripts: Any) -> str:
    """A content policy under which nothing is fetched and only these scripts run."""
    hashes = (base64.b64encode(hashlib.sha256(_trusted(text).encode()).digest()).decode() for text in scripts)
    sources = " ".join(f"'sha256-{value}'" for value in hashes)
    return f"default-src 'none'; script-src {sources}; style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
