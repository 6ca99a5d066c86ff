"""A quote mark that opens and never closes costs its own row, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftsweep.data.files.found import find_files
from ftsweep.data.files.reading import ReadSettings, open_file

NUM_ROWS = 3_000  # more than are read at once


def lines_of(num: int = NUM_ROWS) -> list[str]:
    return [f"text of row {number},{'ab'[number % 2]}\n" for number in range(num)]


def opened(folder: Path, lines: list[str], header: str = "text,label\n", **settings):
    (folder / "r.csv").write_text(header + "".join(lines))
    (file,) = find_files(str(folder / "r.csv")).splits["train"]
    return open_file(file, ReadSettings(wanted=("text", "label"), **settings))


@pytest.mark.parametrize("places", [(0,), (1022,), (1023,), (2_999,), (0, 1, 2), (5, 700, 1022, 1023, 2_998)])
def test_every_other_row_is_read_with_its_line(tmp_path: Path, places: tuple[int, ...]) -> None:
    lines = lines_of()
    for place in places:
        lines[place] = f'"opens in row {place},a\n'
    rows = list(opened(tmp_path, lines))
    bad = [row.number for row in rows if row.problem]
    assert bad == [place + 2 for place in places]
    good = {row.number: row.values["text"] for row in rows if not row.problem}
    assert good == {place + 2: f"text of row {place}" for place in range(NUM_ROWS) if place not in places}


@pytest.mark.parametrize("distance", [2, 40, 180, 1500])
def test_a_mark_that_another_stray_one_closes_swallows_no_rows(tmp_path: Path, distance: int) -> None:
    lines = lines_of()
    lines[100] = '"opens,a\n'
    lines[100 + distance] = 'closes",b\n'
    rows = list(opened(tmp_path, lines))
    assert [row.number for row in rows] == list(range(2, NUM_ROWS + 2))
    assert [row.number for row in rows if row.problem] == [102, 102 + distance]


def test_cells_of_many_lines_are_one_row_with_its_first_line(tmp_path: Path) -> None:
    lines = lines_of()
    lines[1020] = '"a text\nof, several\n\nlines, with ""marks""\n' + "more\n" * 100 + 'end",b\n'
    table = opened(tmp_path, lines)
    rows = list(table)
    assert len(rows) == NUM_ROWS
    assert not any(row.problem for row in rows)
    assert rows[1020].values["text"].startswith('a text\nof, several\n\nlines, with "marks"\nmore')
    assert (rows[1020].number, rows[1021].number) == (1022, 1022 + 105)
    (finding,) = table.findings
    assert (finding.check, finding.examples) == ("lines", ("r.csv:1022",))


def test_the_user_may_trust_or_ignore_quote_marks(tmp_path: Path) -> None:
    lines = [*lines_of(20), '"opens,a\n', "between,b\n", "and more,b\n", 'closes",b\n']
    trusted = [row.values["text"] for row in opened(tmp_path, lines, quotes="trust")]
    assert (len(trusted), trusted[-1]) == (21, "opens,a\nbetween,b\nand more,b\ncloses")
    plain = [row.values["text"] for row in opened(tmp_path, lines, quotes="none")]
    assert (len(plain), plain[-4:]) == (24, ['"opens', "between", "and more", 'closes"'])


def test_the_lines_of_a_cell_do_not_become_what_a_label_looks_like(tmp_path: Path) -> None:
    lines = lines_of(400)
    lines[50] = '"one, two\nthree, four",b\n'  # its lines have as many separators as a row
    lines[300] = '"five, six\nseven, eight\nnine, ",a\n'
    rows = list(opened(tmp_path, lines))
    assert [row.problem for row in rows if row.problem] == []
    assert (len(rows), rows[50].values["text"]) == (400, "one, two\nthree, four")
    assert rows[300].values == {"text": "five, six\nseven, eight\nnine, ", "label": "a"}


@pytest.mark.parametrize(
    "other", ['"with, a comma",is quoted\n', 'says "nothing",plain\n', '"""hello"" there",doubled\n']
)
def test_where_marks_are_written_with_care_a_text_of_a_few_lines_is_one(tmp_path: Path, other: str) -> None:
    lines = [f"question {number},answer of {number}\n" for number in range(40)]
    lines[5:5] = [other, '"roses, red\nviolets, blue\nsugar is sweet",a poem\n']
    table = opened(tmp_path, lines, header="prompt,completion\n")
    rows = list(table)
    is_careful = "nothing" not in other
    assert len(rows) == (42 if is_careful else 44)
    assert any(row.problem for row in rows) is not is_careful
    if is_careful:
        assert rows[6].values == {"prompt": "roses, red\nviolets, blue\nsugar is sweet", "completion": "a poem"}
        assert [(each.check, each.examples) for each in table.findings] == [("quotes", ("r.csv:8",))]
