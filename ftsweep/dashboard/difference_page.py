"""Two or more trials, of one study or several: only what differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import dcc, html

from ftsweep.dashboard.address import trial_address
from ftsweep.dashboard.looks import Looks, is_study_name
from ftsweep.dashboard.parts import PLOT_CONFIG, crumbs, height_of, plain_table, trouble_line, waiting
from ftsweep.dashboard.together import trial_curves
from ftsweep.dashboard.told_tables import parting_answers
from ftsweep.dashboard.trial_page import find_trial
from ftsweep.domain.spelling import plural
from ftsweep.report.tables.difference import Compared, caution, curve_lines, difference_tables

MAX_TRIALS = 12
_COLUMN_WIDTH = 170
"""Pixels at least, so that no name of a setting is broken."""


def difference_page(looks: Looks, wanted: Sequence[tuple[str, int]], num_selected: int = 0) -> list[Any]:
    """num_selected: of how many selected trials `wanted` are the first, where it is not all."""
    found, missing = [], []
    for study_name, trial_number in wanted[:MAX_TRIALS]:
        look = looks.at(study_name) if is_study_name(looks, study_name) else None
        if look is not None and look.progress:
            return [crumbs(("differences", "")), html.H1("Differences"), *waiting(look)]
        study = look.overview if look is not None else None
        trial = find_trial(study, trial_number)
        if study is None or trial is None:
            missing.append(f"{study_name} {trial_number}")
        else:
            found.append(Compared(study, trial))
    troubles = [f"There is no trial {name} in this store." for name in missing]
    num_wanted = max(len(wanted), num_selected)
    if num_wanted > MAX_TRIALS:
        troubles.append(f"{num_wanted:,} trials are asked for; the first {MAX_TRIALS} are shown.")
    if len(found) < 2:
        troubles.append("Select at least two trials of a study, then choose Differences.")
        return [crumbs(("differences", "")), html.H1("Differences"), *trouble_line(" ".join(troubles))]
    troubles += filter(None, [caution(found)])
    tables, num_equal = difference_tables(found)
    parts: list[Any] = []
    for table in tables:
        links = [dcc.Link(each.name, href=trial_address(each.study.name, each.trial.number)) for each in found]
        rows: list[list[Any]] = [[cell.text for cell in row.cells] for row in table.rows]
        parts += [
            html.H2(table.title),
            plain_table(["", *links], rows, "differences", min_width=_COLUMN_WIDTH * (1 + len(found))),
        ]
    if curves := curve_lines(found):
        rows = [[name, ends] for name, _, ends in curves]
        figure = trial_curves(found)
        parts += [
            html.H2("Curves"),
            dcc.Graph(figure=figure, config=PLOT_CONFIG, style=height_of(figure)),
            plain_table(("trial", "from first to last rung"), rows),
        ]
    return [
        crumbs(("differences", "")),
        html.H1("Differences"),
        *trouble_line(" ".join(troubles)),
        *parts,
        *parting_answers(found),
        html.P(f"{plural(num_equal, 'line')} not shown: equal in all of these trials.", className="reading"),
    ]
