"""Pieces that several pages of the dashboard are made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from dash import html
from report_studies import write_demo

from ftsweep.dashboard.parts import plain_table, study_head
from ftsweep.dashboard.told_tables import evidence_part
from ftsweep.domain.approach import Approach
from ftsweep.report.overview import read_overview
from ftsweep.report.summary import conclusion
from ftsweep.store.result import read_result, write_result


def test_names_of_scores_may_be_broken_where_they_have_parts() -> None:
    link = html.A("demo:1")
    table = plain_table(("validation/macro_f1", "trial", link), [[1, 2, 3]]).children
    assert isinstance(table, html.Table)
    first, second, third = (head.children for head in table.children[0].children.children)
    assert [piece for piece in first if isinstance(piece, str)] == ["validation/", "macro_", "f1"]
    assert sum(isinstance(piece, html.Wbr) for piece in first) == 2
    assert (second, third) == ("trial", link)


def test_the_approach_of_the_chosen_model_is_coloured_and_the_legend_says_so(tmp_path: Path) -> None:
    folder = write_demo(tmp_path)
    best = read_overview(folder).best
    assert best is not None
    base = Approach("untouched base", ("a",), is_base=True, validation={"loss": 2.0})
    chosen = Approach("a", ("a",), trial=best.number, validation={"loss": 0.5}, test={"loss": 0.6})
    write_result(folder, replace(read_result(folder), approaches=(base, chosen)))
    said = " ".join(words(evidence_part(read_overview(folder))))
    assert "tr.best a " in said
    assert "tr.best untouched base" not in said
    assert "Coloured: the approach of the chosen model." in said


def test_a_study_says_on_its_page_all_that_was_concluded(tmp_path: Path) -> None:
    study = read_overview(write_demo(tmp_path))
    said = words(study_head(study))
    assert conclusion(study)
    assert set(conclusion(study)) <= set(said)


def words(part: Any) -> list[str]:
    """The texts of a part of a page in their order, coloured rows with a word before them."""
    if isinstance(part, list | tuple):
        return [text for each in part for text in words(each)]
    if part is None or isinstance(part, str | int):
        return [str(part)] if part is not None else []
    mark = ["tr.best"] if getattr(part, "className", "") == "best" else []
    return [*mark, *words(getattr(part, "children", None))]
