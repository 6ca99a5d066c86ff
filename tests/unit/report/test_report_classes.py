"""What scores on test are made of: a table in the page, two figures, and files for other programs."""

from __future__ import annotations

import csv
import json

import pytest
from report_studies import CONFUSION, LABELS, details, falling

from ftsweep.domain.objective import Objective
from ftsweep.domain.result import StudyResult
from ftsweep.domain.study_state import StudyState
from ftsweep.report import figures
from ftsweep.report.figures import calibration, confusion
from ftsweep.report.overview import StudyOverview, read_overview
from ftsweep.report.page import HtmlPage
from ftsweep.report.tables.classes import class_table
from ftsweep.report.tables.evidence import write_evidence
from ftsweep.store.result import read_result


def names(table):
    return tuple(column.name for column in table.columns)


def texts(table):
    """The cells of each row by its name."""
    return {row.cells[0].text: tuple(cell.text for cell in row.cells[1:]) for row in table.rows}


def study(builder, **result):
    """One trial, won, with these details."""
    builder.trial(0, falling(1e-3, 8), is_default=True)
    builder.result(winner=0, test={"trial-0000": {"loss": 1.0}}, **result)
    return read_overview(builder.folder)


def test_table_has_the_winners_classes_beside_the_default_settings_f1(demo):
    table = class_table(read_overview(demo))
    assert names(table) == ("class", "precision", "recall", "F1", "F1 of the default setting", "support")
    assert list(texts(table)) == [*LABELS, "macro avg", "weighted avg"]
    assert texts(table)["numpy"] == ("0.870", "0.800", "0.833", "0.482", "50")
    assert texts(table)["macro avg"][-1] == "100"
    assert [row.mark for row in table.rows].count("mean") == 2


def test_report_of_seqeval_is_shown_as_it_is(builder):
    entry = {"precision": 0.5, "recall": 0.25, "f1-score": 1 / 3, "support": 1200}
    report = {"person": entry, "missed": {"support": 2}, "micro avg": entry, "macro avg": entry}
    table = class_table(study(builder, details={"trial-0000": {"report": report}}))
    assert texts(table)["person"] == ("0.500", "0.250", "0.333", "1,200")
    assert texts(table)["missed"] == ("\N{EN DASH}",) * 3 + ("2",)
    assert [row.mark for row in table.rows].count("mean") == 2
    (folder,) = write_evidence(builder.folder, read_result(builder.folder) or StudyResult(""))
    assert read_table(folder / "classes.csv")[1] == {
        "model": "trial-0000", "kind": "class", "label": "missed",
        "precision": "", "recall": "", "f1-score": "", "support": "2",
    }  # fmt: skip


def test_default_setting_that_won_is_not_compared_with_itself(builder):
    table = class_table(study(builder, details={"trial-0000": details(CONFUSION)}))
    assert names(table) == ("class", "precision", "recall", "F1", "support")


@pytest.mark.parametrize("found", [{}, {"trial-0000": {"quantiles": [1, 2]}}, {"baseline": details(CONFUSION)}])
def test_study_without_classes_shows_none(builder, found):
    rows = study(builder, details=found)
    assert class_table(rows) is None
    assert not figures.is_about("confusion", rows)
    assert not figures.is_about("calibration", rows)
    html = HtmlPage().html(rows)
    assert 'id="classes"' not in html
    assert 'id="confusion"' not in html


def test_page_shows_classes_confusion_and_calibration(demo):
    html = HtmlPage().html(read_overview(demo))
    for section in ("classes", "confusion", "calibration"):
        assert f'<section id="{section}"' in html
    assert "0.870" in html


def test_confusion_shows_counts_and_shares_of_the_true_class(demo):
    (heatmap,) = confusion.figure(confusion.info(read_overview(demo))).data
    assert [list(row) for row in heatmap.text] == [[str(count) for count in row] for row in CONFUSION]
    assert heatmap.z[0] == pytest.approx([0.8, 0.16, 0.04])
    assert "true <b>numpy</b>, predicted <b>pandas</b><br>8 of 50 rows (16%)" in heatmap.hovertext[0]


def test_confusion_of_very_many_classes_shows_those_with_the_most_mistakes(builder):
    labels = [f"class {index}" for index in range(40)]
    matrix = [[5 if true == guess else 0 for guess in range(40)] for true in range(40)]
    matrix[7][31] = 9
    info = confusion.info(study(builder, details={"trial-0000": details(matrix, labels)}))
    assert len(info.labels) == confusion.MAX_CLASSES
    assert {"class 7", "class 31"} <= set(info.labels)
    assert info.supports[info.labels.index("class 7")] == 14, "all its rows, shown or not"
    drawn = confusion.figure(info)
    assert "30 of 40 classes" in drawn.layout.annotations[0].text
    assert drawn.data[0].text is None


def test_classes_without_rows_have_no_share(builder):
    rows = study(builder, details={"trial-0000": details([[3, 1], [0, 0]], ["a", "b"])})
    (heatmap,) = confusion.figure(confusion.info(rows)).data
    assert list(heatmap.z[1]) == [None, None]
    assert heatmap.hovertext[1][0].endswith("0 of 0 rows")


def test_class_names_from_outside_stay_text(builder):
    evil = "<script>alert(1)</script>"
    rows = study(builder, details={"trial-0000": details([[1, 2], [3, 4]], [evil, "$x$"])})
    assert "<script>alert" not in confusion.figure(confusion.info(rows)).to_json()
    assert "<script>alert" not in HtmlPage().html(rows)


def test_calibration_tells_the_mean_distance_of_probability_and_truth(demo):
    info = calibration.info(read_overview(demo))
    assert info.error == pytest.approx((1.5 + 6) / 100)
    drawn = calibration.figure(info)
    _diagonal, line, _counts = drawn.data
    assert line.x == pytest.approx((0.55, 0.9))
    assert line.y == pytest.approx((0.4, 75 / 90))
    assert "0.075" in drawn.layout.annotations[0].text


def test_figures_of_no_study_say_so():
    rows = StudyOverview(StudyState("new", "", Objective(), 10, 0))
    for name in ("confusion", "calibration"):
        assert "test" in figures.draw(name, rows).layout.annotations[0].text


# -- files ------------------------------------------------------------------------------------------------------------


def read_table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_evidence_is_tables_of_all_tested_models(demo):
    (folder,) = write_evidence(demo, read_result(demo))
    assert sorted(file.name for file in folder.iterdir()) == [
        "classes.csv", "confusion.csv", "details.json", "reliability.csv", "test.csv"
    ]  # fmt: skip
    classes = read_table(folder / "classes.csv")
    assert [row["label"] for row in classes if row["model"] == "trial-0003"] == [*LABELS, "macro avg", "weighted avg"]
    assert {row["kind"] for row in classes} == {"class", "mean"}
    cells = {
        (row["model"], row["label"], row["prediction"]): int(row["count"])
        for row in read_table(folder / "confusion.csv")
    }
    assert cells["trial-0003", "numpy", "pandas"] == 8
    assert len(cells) == 18
    assert sum(int(row["count"]) for row in read_table(folder / "reliability.csv")) == 200
    assert set(json.loads((folder / "details.json").read_text())) == {"trial-0003", "trial-0000"}


def test_evidence_is_written_anew_and_holds_only_what_there_is(builder):
    study(builder, details={"trial-0000": details(CONFUSION)})
    (folder,) = write_evidence(builder.folder, read_result(builder.folder) or StudyResult(""))
    builder.result(details={"trial-0000": {"report": details(CONFUSION)["report"]}})
    assert write_evidence(builder.folder, read_result(builder.folder) or StudyResult("")) == [folder]
    assert sorted(file.name for file in folder.iterdir()) == ["classes.csv", "details.json"]


@pytest.mark.parametrize("result", [None, {}, {"details": {}}])
def test_nothing_known_leaves_no_evidence(builder, result):
    if result is not None:
        builder.result(**result)
    assert write_evidence(builder.folder, read_result(builder.folder) or StudyResult("")) == []
    assert not (builder.folder.path / "evidence").exists()
