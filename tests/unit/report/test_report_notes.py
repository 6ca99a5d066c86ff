"""Room around a figure's plot: notes below it, buttons and legend above it."""

from __future__ import annotations

import re
from importlib.resources import files

import plotly.graph_objects as go
from report_studies import write_demo

from ftsweep.report.figures import draw, theme
from ftsweep.report.overview import read_overview
from ftsweep.report.tables.cells import count, words
from ftsweep.report.tables.html import html_table
from ftsweep.report.tables.table import Row, Table, columns


def test_notes_stand_below_one_another_and_the_axis_title_and_the_figure_grows_for_them():
    drawn = go.Figure(layout=theme.layout(height=400))
    theme.sample_note(drawn, "a word " * 20)
    theme.outside_note(drawn, [0.0, 5.0], 1.0, 2.0)
    first, second = drawn.layout.annotations
    assert (first.x, second.x) == (0, 0)
    assert first.yshift == -48
    assert second.yshift == first.yshift - 16 * (1 + first.text.count("<br>"))
    assert drawn.layout.margin.b == 16 - second.yshift
    assert drawn.layout.height - drawn.layout.margin.b == 400 - theme.layout()["margin"]["b"], "the plot is as high"


def test_buttons_of_parallel_coordinates_stand_above_the_legend(tmp_path):
    layout = draw("parallel_coordinates", read_overview(write_demo(tmp_path))).layout
    buttons = layout.updatemenus[0]
    inner = layout.height - layout.margin.t - layout.margin.b
    assert (buttons.y - layout.legend.y) * inner >= 20


def test_paper_has_no_table_that_would_have_to_be_scrolled():
    """A printed page is narrower than a screen: what is kept in one line there would lie outside of it."""
    style = files("ftsweep.report").joinpath("page.css").read_text(encoding="utf-8")
    narrow = re.findall(r"@media ([^{]*max-width[^{]*)\{(.*?)\n\}", style, re.DOTALL)
    assert any("nowrap" in rules for _, rules in narrow)
    assert all("screen and" in where for where, rules in narrow if "nowrap" in rules)


def test_a_word_as_long_as_a_line_is_broken_in_its_cell():
    table = Table(
        columns("trial", "optimizer", text=["optimizer"]),
        (Row((count(1), words("adam"))), Row((count(2), words("x" * 99)))),
    )
    markup = str(html_table(table, "trials"))
    assert markup.count('class="long"') == 1
    assert f'class="long">{"x" * 99}<' in markup
