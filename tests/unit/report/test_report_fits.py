"""What the page says of how well trials fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from report_studies import write_demo

from ftsweep.domain.verdict import Verdict, VerdictKind
from ftsweep.report.figures import train_vs_validation
from ftsweep.report.overview import StudyOverview, read_overview
from ftsweep.report.page import HtmlPage
from ftsweep.report.tables.fits import fit_table
from ftsweep.report.tables.trials import wide_trials_table

OVERFIT = Verdict(
    VerdictKind.OVERFIT, "V < P & rose", grade="severe", advice="Train shorter", override="training.epochs=1"
)
WEAK = Verdict(VerdictKind.UNDER_CAPACITY, "too weak", advice="Raise the rate", override="training.learning_rate=1")
HEALTHY = Verdict(VerdictKind.HEALTHY, "fine")
EDGE = Verdict(VerdictKind.EDGE, "at the end", advice="Go on in a wider range", override="study.extend=true")


@pytest.fixture
def rows(tmp_path: Path) -> StudyOverview:
    """The demo with a weak trial 1, an overfit trial 2 that is weak too, and a healthy winner."""
    read = read_overview(write_demo(tmp_path))
    said = {1: (WEAK,), 2: (OVERFIT, WEAK), 3: (HEALTHY,)}
    return replace(read, state=replace(read.state, verdicts=said), verdicts=(EDGE,))


def test_the_worst_trial_comes_first_with_all_that_holds(rows: StudyOverview) -> None:
    table = fit_table(rows.state.verdicts)
    assert table is not None
    assert [tuple(cell.text for cell in row.cells[:3]) for row in table.rows] == [
        ("2", "overfit (severe)", OVERFIT.message),
        ("", "under-capacity", WEAK.message),
        ("1", "under-capacity", WEAK.message),
    ]
    assert table.rows[0].cells[3].code == "training.epochs=1"


def test_a_study_that_was_not_judged_has_no_table_and_no_column(tmp_path: Path) -> None:
    read = read_overview(write_demo(tmp_path))
    assert fit_table(read.state.verdicts) is None
    assert "fit" not in [column.name for column in wide_trials_table(read).columns]


def test_the_trials_table_has_a_column_that_sorts_by_how_bad_it_is(rows: StudyOverview) -> None:
    table = wide_trials_table(rows)
    place = [column.name for column in table.columns].index("fit")
    cells = {row.cells[0].value: row.cells[place] for row in table.rows}
    assert cells[2].text == "overfit (severe)+"
    assert cells[2].sort_key > cells[1].sort_key > cells[3].sort_key
    assert cells[0].sort_key == ""


def test_the_page_tells_verdicts_with_their_overrides_and_escapes_them(rows: StudyOverview) -> None:
    page = HtmlPage(figures=[]).html(rows)
    assert '<section id="fit">' in page
    for text in (
        "best at an edge",
        "V &lt; P &amp; rose",
        "<code>training.epochs=1</code>",
        "<code>study.extend=true</code>",
    ):
        assert text in page


def test_the_figure_names_verdicts_and_shows_the_worst_trial_of_each_below(rows: StudyOverview) -> None:
    panels = train_vs_validation.info(rows).panels
    assert panels[0].title == "<b>Trial 3 · winner</b><br>healthy"
    assert [panel.trial.number for panel in panels[3:]] == [2, 1]
    assert len(train_vs_validation.figure(train_vs_validation.Info(panels)).data) == 2 * len(panels)
