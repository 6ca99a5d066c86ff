"""What an open page asks for beside Dash: news, rows that changed, the trials of a region; and samples of many."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
from report_studies import StudyBuilder, falling

from ftsweep.dashboard import against, views
from ftsweep.dashboard import looks as looks_module
from ftsweep.dashboard.access import Access
from ftsweep.dashboard.app import make_app, page_at
from ftsweep.dashboard.grid import TrialRows
from ftsweep.dashboard.looks import Look, Looks
from ftsweep.dashboard.news import study_mark
from ftsweep.dashboard.region import trials_in
from ftsweep.dashboard.study_reader import StudyReader
from ftsweep.dashboard.together import comparable, together_figure, trial_curves
from ftsweep.domain.measurement import Measurement
from ftsweep.report.figures import history, slices
from ftsweep.report.overview import StudyOverview, read_overview
from ftsweep.report.tables.difference import Compared
from ftsweep.store.address.place import STORES, store_named
from ftsweep.store.atomic import append_line
from ftsweep.store.folders import StudyFolder
from ftsweep.store.inbox import Inbox


def write_trials(builder: StudyBuilder, count: int) -> StudyOverview:
    """Trials whose loss falls with their number; rate and batch size vary."""
    for number in range(count):
        params = {"training.learning_rate": 10 ** -(2 + number / count), "training.batch_size": (8, 16, 32)[number % 3]}
        losses = [2.0, 1.5, 1.0 - number / (2 * count)]
        builder.trial(number, losses, "complete", params=params, is_default=number == 0)
    return read_overview(builder.folder)


def measure(folder: StudyFolder, number: int, rung: int, loss: float) -> None:
    point = Measurement(rung, rung / 10, 90, 9000, 1.5, 1000.0 + rung, {"validation/loss": loss})
    append_line(folder.trial(number).measurements_file, point.to_dict())


def looked(reader: StudyReader) -> Look:
    reader.look()
    return Look("demo", reader.version, reader.overview())


def test_page_gets_all_rows_once_then_those_that_changed(builder: StudyBuilder) -> None:
    builder.trial(0, falling(1e-3, 16))
    builder.trial(1, falling(1e-3, 8, num=3), None)
    reader, rows = StudyReader(builder.folder), TrialRows()

    first = rows.news(looked(reader), 0)
    assert [row["trial"] for row in first["rows"]] == [0, 1]
    assert first["columns"][0]["field"] == "trial"

    measure(builder.folder, 1, 3, 0.9)
    news = rows.news(looked(reader), first["version"])
    assert [(row["trial"], row["value"]) for row in news["rows"]] == [(1, 0.9)]
    assert "columns" not in news

    assert rows.news(looked(reader), news["version"])["rows"] == []
    assert len(rows.news(looked(reader), 0)["rows"]) == 2, "a page that is opened later gets all"


def test_rows_are_new_as_a_whole_when_a_trial_goes_or_a_column_comes(builder: StudyBuilder) -> None:
    builder.trial(0, falling(1e-3, 16))
    builder.trial(1, falling(1e-3, 8))
    reader, rows = StudyReader(builder.folder), TrialRows()
    seen = rows.news(looked(reader), 0)["version"]

    builder.trial(2, falling(1e-3, 8), params={"strategy.rank": 4})
    news = rows.news(looked(reader), seen)
    assert (len(news["rows"]), "columns" in news) == (3, True)

    builder.folder.trial(1).path.rename(builder.folder.path / "aside")
    assert [row["trial"] for row in rows.news(looked(reader), news["version"])["rows"]] == [0, 2]


def test_summaries_of_trials_that_did_not_change_are_taken_again(builder: StudyBuilder) -> None:
    builder.trial(0, falling(1e-3, 16))
    builder.trial(1, falling(1e-3, 8, num=3), None)
    reader = StudyReader(builder.folder)
    before = looked(reader).overview

    measure(builder.folder, 1, 3, 0.01)
    after = looked(reader).overview
    assert before is not None
    assert after is not None
    assert after.trials[0] is before.trials[0]
    assert after.trials == read_overview(builder.folder).trials


def test_folder_that_did_not_change_is_not_listed_again(builder: StudyBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ftsweep.dashboard.runs_reader._SURE_NS", -(10**18))
    builder.trial(0, falling(1e-3, 16))
    reader = StudyReader(builder.folder)
    reader.look()
    monkeypatch.setattr("ftsweep.dashboard.runs_reader.os.scandir", lambda path: pytest.fail("it is listed"))
    reader.look()


def test_runs_with_fresh_seeds_are_those_of_the_report(builder: StudyBuilder) -> None:
    builder.trial(0, falling(1e-3, 16), params={"training.batch_size": 16})
    fresh = builder.folder.confirmation(0, 1).path
    fresh.parent.mkdir()
    builder.folder.trial(0).path.rename(fresh)
    builder.trial(0, falling(1e-3, 16), params={"training.batch_size": 16})

    found = looked(StudyReader(builder.folder)).overview
    assert found is not None
    assert found == read_overview(builder.folder)
    assert [record.proposal.seed for record in found.fresh] == [1]


def test_mark_changes_with_a_measurement_and_with_a_request_alone(
    builder: StudyBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks_module, "_LONGEST_SECONDS", 0.0)
    builder.trial(0, falling(1e-3, 16, num=3), None)
    looks = Looks(builder.folder.store)
    marks = [study_mark(looks, "demo"), study_mark(looks, "demo")]
    measure(builder.folder, 0, 3, 0.9)
    marks.append(study_mark(looks, "demo"))
    append_line(Inbox(builder.folder).answers_file, {})
    marks.append(study_mark(looks, "demo"))

    assert marks[0] == marks[1]
    assert len(set(marks)) == 3


def test_first_read_goes_on_beside_the_page_and_is_told(builder: StudyBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks_module, "_PATIENCE_SECONDS", 0.0)
    builder.trial(0, falling(1e-3, 16))
    may_go_on, real = threading.Event(), StudyReader.look
    monkeypatch.setattr(StudyReader, "look", lambda self: (may_go_on.wait(60), real(self))[1])
    looks = Looks(builder.folder.store)
    try:
        assert looks.at("demo").progress
        assert "read for the first time" in str(page_at(looks, "/study/demo", "", may_act=True))
    finally:
        may_go_on.set()
    monkeypatch.setattr(looks_module, "_PATIENCE_SECONDS", 60.0)
    assert looks.at("demo").overview is not None
    assert looks.at("demo").progress == ""


@pytest.mark.parametrize("view", ["history", "xy", "slices"])
def test_of_many_trials_selected_ones_have_marks_and_the_others_a_dot(
    builder: StudyBuilder, monkeypatch: pytest.MonkeyPatch, view: str
) -> None:
    for module in (views, against, history, slices):
        monkeypatch.setattr(module, "MAX_MARKS", 24)
    study = write_trials(builder, 40)
    drawn = views.view_figure(study, view, [5, 6, 7], x="training.batch_size", y="validation/loss")

    marks = [trace for trace in drawn["data"] if trace.get("customdata") is not None]
    numbers = {number for trace in marks for number in trace["customdata"]}
    assert {0, 5, 6, 7} <= numbers
    assert len(numbers) < 40
    assert {trace["customdata"][index] for trace in marks for index in trace["selectedpoints"]} == {5, 6, 7}
    assert drawn["layout"]["images"][0]["source"].startswith("data:image/png")
    assert any("3 of the selected ones" in note["text"] for note in drawn["layout"]["annotations"])
    assert drawn["layout"]["meta"]["view"] == view
    for module in (views, against, history, slices):
        monkeypatch.setattr(module, "MAX_MARKS", 400)
    assert "meta" not in views.view_figure(study, view)["layout"]


def test_lines_of_many_trials_are_faint_but_for_the_selected_ones(builder: StudyBuilder) -> None:
    trace = {"mode": "lines", "x": [0, 1, None, 0, 1], "y": [2, 1, None, 3, 2], "customdata": [4, 4, 4, 7, 7]}
    drawn = views.marked(go.Figure(go.Scatter(**trace, opacity=0.7)), frozenset([7]))
    faint, shown = drawn["data"]
    assert (faint["opacity"], list(faint["customdata"]), list(faint["x"])) == (views.FAINT, [4, 4, 4], [0, 1, None])
    assert (shown["opacity"], list(shown["customdata"]), list(shown["y"])) == (0.7, [7, 7], [3, 2])
    assert len(views.marked(go.Figure(go.Scatter(**trace)), frozenset())["data"]) == 1


@pytest.mark.parametrize(
    ("view", "axes", "panel", "xs", "ys", "expected"),
    [
        ("history", ("", ""), 1, [-1, 4.5], [0, 3], [0, 1, 2, 3, 4]),
        ("history", ("", ""), 1, [-1, 4.5], [0, 0.97], [3, 4]),
        ("history", ("", ""), 1, [3.5, 5.5, 5.5, 3.5], [0, 0, 3, 3], [4, 5]),
        ("xy", ("training.learning_rate", "validation/loss"), 1, [5e-3, 1], [0, 3], list(range(13))),
        ("xy", ("training.batch_size", "validation/loss"), 1, [0.5, 1.5], [0, 3], list(range(1, 40, 3))),
        ("slices", ("", ""), 2, [-0.1, 0.1], [0, 3], list(range(0, 40, 3))),
        ("learning_curves", ("", ""), 1, [-0.1, 1.1], [0, 9], list(range(40))),
        ("learning_curves", ("", ""), 1, [0.95, 1.1], [9, 10], []),
    ],
)
def test_region_selects_trials_that_are_not_drawn_too(
    builder: StudyBuilder, view: str, axes: tuple[str, str], panel: int, xs: Any, ys: Any, expected: list[int]
) -> None:
    assert trials_in(write_trials(builder, 40), view, axes, panel, xs, ys) == expected


@pytest.mark.parametrize("query", ["", "view=history&xs=1,2&ys=1", "view=other&xs=1,2&ys=1,2", "view=xy&xs=a,2&ys=1,2"])
def test_region_that_makes_no_sense_is_refused(builder: StudyBuilder, query: str) -> None:
    write_trials(builder, 3)
    client = make_app(builder.folder.store, Access()).test_client()

    assert client.get(f"/region/demo?{query}").status_code == 400
    assert client.get("/region/demo?view=history&xs=-1,1.5&ys=0,3").json == [0, 1]
    assert client.get("/rows/nothing").status_code == 404
    assert client.get("/news/.hidden").status_code == 404


def test_several_studies_stand_on_one_scale_and_another_objective_is_left_out(tmp_path: Path) -> None:
    names = ("one", "two", "other")
    accuracy = "objective: {metric: accuracy, split: validation, direction: maximize}\nrungs: {count: 10}\n"
    builders = [StudyBuilder(tmp_path, name, *([accuracy] if name == "other" else [])) for name in names]
    studies = [write_trials(builder, 5) for builder in builders]

    kept, left_out = comparable(studies)

    assert [study.name for study in kept] == ["one", "two"]
    assert left_out == [
        "other is left out: its objective is validation/accuracy (maximize), that of one is validation/loss (minimize)."
    ]
    for view in ("history", "curves", "xy"):
        traces = together_figure(kept, view, "training.learning_rate", "validation/loss")["data"]
        assert {trace["legendgroup"] for trace in traces} == {"one", "two"}
        assert all(math.isfinite(float(value)) for trace in traces for value in trace["y"])
    curves = trial_curves([Compared(study, study.trials[1]) for study in studies])
    assert [trace["name"] for trace in curves["data"]] == ["one:1", "two:1"]


def test_first_page_names_an_address_and_not_the_folder_that_is_worked_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STORES, str(tmp_path))
    said = str(page_at(Looks(store_named("s3://bucket/sweeps")), "/", "", may_act=False))
    assert "s3://bucket/sweeps" in said
    assert str(tmp_path) not in said


def test_an_empty_store_says_how_its_first_study_is_started(tmp_path: Path) -> None:
    said = str(page_at(Looks(store_named(tmp_path)), "/", "", may_act=False))
    assert f"ftsweep run quickstart store.path={tmp_path}" in said
