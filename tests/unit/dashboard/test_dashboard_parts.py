"""Pieces that several pages of the dashboard are made of."""

from __future__ import annotations

from dash import html

from ftsweep.dashboard.parts import plain_table


def test_names_of_scores_may_be_broken_where_they_have_parts() -> None:
    link = html.A("demo:1")
    table = plain_table(("validation/macro_f1", "trial", link), [[1, 2, 3]]).children
    assert isinstance(table, html.Table)
    first, second, third = (head.children for head in table.children[0].children.children)
    assert [piece for piece in first if isinstance(piece, str)] == ["validation/", "macro_", "f1"]
    assert sum(isinstance(piece, html.Wbr) for piece in first) == 2
    assert (second, third) == ("trial", link)
