"""The table of approaches, and where a page shows it."""

from __future__ import annotations

from dataclasses import replace

from report_studies import write_demo

from ftsweep.domain.approach import Approach
from ftsweep.domain.objective import Objective
from ftsweep.domain.spelling import NOTHING
from ftsweep.report.overview import read_overview
from ftsweep.report.page import HtmlPage
from ftsweep.report.tables.approaches import approach_table
from ftsweep.store.result import read_result, write_result
from ftsweep.tasks.classification import Classification

LOSS = Objective(metrics=Classification.metrics)

BASE = Approach("untouched base", ("a", "b"), is_base=True, validation={"loss": 2.0}, trained_parameters=0)
GOOD = Approach(
    "a",
    ("a",),
    trial=4,
    num_trials=3,
    validation={"loss": 0.5},
    test={"loss": 0.6, "accuracy": 0.8, "calibration_error": 0.1},
    trained_parameters=12_345,
    train_seconds=65.0,
    branch_seconds=130.0,
)
NONE = Approach("b", ("b",), num_trials=2, fate="2 pruned", branch_seconds=4.0, is_comparable=False)


def names(table):
    return tuple(column.name for column in table.columns)


def texts(row):
    return tuple(cell.text for cell in row.cells[1:])


def test_table_shows_scores_and_costs_and_dashes_for_the_unknown():
    table = approach_table([BASE, GOOD, NONE], LOSS, 4)
    assert table is not None
    assert names(table) == (
        "approach",
        "best trial",
        "validation/loss",
        "test/loss",
        "test/accuracy",
        "weights trained",
        "training time",
        "trials",
        "time of all",
    )
    assert [row.cells[0].text for row in table.rows] == ["untouched base", "a", "b (other data)"]
    assert [row.mark for row in table.rows] == ["", "best", ""]
    assert texts(table.rows[1]) == ("4", "0.5", "0.6", "0.8", "12,345", "1 min 5 s", "3", "2 min 10 s")
    assert texts(table.rows[2]) == ("2 pruned", NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, "2", "4.0 s")


def test_forgetting_has_a_column_only_where_it_was_measured():
    assert "forgetting" not in names(approach_table([BASE, GOOD], LOSS, 4))
    table = approach_table([BASE, replace(GOOD, forgetting=0.125)], LOSS, 4)
    assert names(table)[-1] == "forgetting"
    assert [row.cells[-1].text for row in table.rows] == [NOTHING, "0.125"]


def test_page_of_a_study_with_branches_has_the_table_the_figure_and_the_advice(tmp_path):
    folder = write_demo(tmp_path, branches=True)
    result, best = read_result(folder), read_overview(folder).best
    chosen = replace(GOOD, trial=best.number)
    write_result(folder, replace(result, approaches=(BASE, chosen, NONE), advice="Use <a>: it is better."))
    html = HtmlPage().html(read_overview(folder))
    assert "Use &lt;a&gt;: it is better." in html
    assert '<table class="approaches">' in html
    assert "Coloured: the approach of the chosen model." in html
    assert "Coloured: the chosen model&#39;s trial." in html
    assert "b (other data)" in html
    assert '<section id="strategy_comparison" class="figure">' in html


def test_page_of_a_study_without_branches_has_none_of_it(demo):
    html = HtmlPage().html(read_overview(demo))
    assert 'id="approaches"' not in html
    assert "strategy_comparison" not in html
