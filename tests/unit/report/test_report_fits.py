"""What the page says of how well trials fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from report_studies import write_demo

from ftsweep.domain.verdict import Verdict, VerdictKind
from ftsweep.report import summary
from ftsweep.report.figures import train_vs_validation
from ftsweep.report.page import HtmlPage
from ftsweep.report.rows import StudyRows, read_study
from ftsweep.report.tables.fits import fit_table

OVERFIT = Verdict(
    VerdictKind.OVERFIT, "V < P & rose", grade="severe", advice="Train shorter", override="training.epochs=1"
)
WEAK = Verdict(VerdictKind.UNDER_CAPACITY, "too weak", advice="Raise the rate", override="training.learning_rate=1")
HEALTHY = Verdict(VerdictKind.HEALTHY, "fine")
EDGE = Verdict(VerdictKind.EDGE, "at the end", advice="Go on in a wider range", override="study.extend=true")


@pytest.fixture
def rows(tmp_path: Path) -> StudyRows:
    """The demo with a weak trial 1, an overfit trial 2 that is weak too, and a healthy winner."""
    read = read_study(write_demo(tmp_path))
    said = {1: (WEAK,), 2: (OVERFIT, WEAK), 3: (HEALTHY,)}
    trials = tuple(replace(trial, verdicts=said.get(trial.number, ())) for trial in read.trials)
    return replace(read, trials=trials, verdicts=(EDGE,))


def test_the_worst_trial_comes_first_with_all_that_holds(rows: StudyRows) -> None:
    table = fit_table(rows)
    assert table is not None
    assert [(line.trial and line.trial.number, line.verdict) for line in table.lines] == [
        (2, OVERFIT),
        (None, WEAK),
        (1, WEAK),
    ]
    assert "1 healthy" in table.counts


def test_a_study_that_was_not_judged_has_no_table_and_no_column(tmp_path: Path) -> None:
    read = read_study(write_demo(tmp_path))
    assert fit_table(read) is None
    assert "fit" not in summary.trial_table(read).columns


def test_the_trials_table_has_a_column_that_sorts_by_how_bad_it_is(rows: StudyRows) -> None:
    table = summary.trial_table(rows)
    place = table.columns.index("fit")
    cells = {line.trial.number: line.cells[place] for line in table.lines}
    assert cells[2].text == "overfit (severe)+"
    assert cells[2].order > cells[1].order > cells[3].order
    assert cells[0].order == ""


def test_the_page_tells_verdicts_with_their_overrides_and_escapes_them(rows: StudyRows) -> None:
    page = HtmlPage(figures=[]).html(rows)
    assert '<section id="fit">' in page
    for text in (
        "best at an edge",
        "V &lt; P &amp; rose",
        "<code>training.epochs=1</code>",
        "<code>study.extend=true</code>",
    ):
        assert text in page


def test_the_figure_names_verdicts_and_shows_the_worst_trial_of_each_below(rows: StudyRows) -> None:
    panels = train_vs_validation.info(rows).panels
    assert panels[0].title == "<b>Trial 3 · winner</b><br>healthy"
    assert [panel.trial.number for panel in panels[3:]] == [2, 1]
    assert len(train_vs_validation.figure(train_vs_validation.Info(panels)).data) == 2 * len(panels)
