"""Two or more trials, of one study or several: only what differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import dcc, html

from ftsweep.dashboard.address import trial_address
from ftsweep.dashboard.looks import Looks, is_study_name
from ftsweep.dashboard.parts import crumbs, plain_table, trouble_line
from ftsweep.dashboard.trial_page import find_trial
from ftsweep.report.tables.difference import Compared, curve_lines, difference_tables
from ftsweep.report.wording import plural

MAX_TRIALS = 12


def difference_page(looks: Looks, wanted: Sequence[tuple[str, int]]) -> list[Any]:
    found, missing = [], []
    for study_name, trial_number in wanted[:MAX_TRIALS]:
        study = looks.at(study_name).overview if is_study_name(looks, study_name) else None
        trial = find_trial(study, trial_number)
        if study is None or trial is None:
            missing.append(f"{study_name} {trial_number}")
        else:
            found.append(Compared(study, trial))
    troubles = [f"There is no trial {name} in this store." for name in missing]
    if len(wanted) > MAX_TRIALS:
        troubles.append(f"{len(wanted)} trials are asked for; the first {MAX_TRIALS} are shown.")
    if len(found) < 2:
        troubles.append("Select at least two trials of a study, then choose Differences.")
        return [crumbs(("differences", "")), html.H1("Differences"), *trouble_line(" ".join(troubles))]
    tables, num_equal = difference_tables(found)
    parts: list[Any] = []
    for table in tables:
        links = [dcc.Link(each.name, href=trial_address(each.study.name, each.trial.number)) for each in found]
        rows: list[list[Any]] = [[cell.text for cell in row.cells] for row in table.rows]
        parts += [html.H2(table.title), plain_table(["", *links], rows, "differences")]
    if curves := curve_lines(found):
        drawn = [[name, html.Code(curve), ends] for name, curve, ends in curves]
        parts += [html.H2("Curves"), plain_table(("trial", "rung by rung", ""), drawn)]
    return [
        crumbs(("differences", "")),
        html.H1("Differences"),
        *trouble_line(" ".join(troubles)),
        *parts,
        html.P(f"{plural(num_equal, 'line')} not shown: equal in all of these trials.", className="reading"),
    ]
