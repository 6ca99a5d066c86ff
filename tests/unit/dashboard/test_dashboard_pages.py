"""What pages say, in the words and digits of the other screens."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from report_studies import SWEEP, StudyBuilder, falling, write_demo

from ftsweep.dashboard.access import Access
from ftsweep.dashboard.against import xy_figure
from ftsweep.dashboard.app import make_app, page_at
from ftsweep.dashboard.grid import grid_columns
from ftsweep.dashboard.looks import Looks
from ftsweep.dashboard.news import store_mark
from ftsweep.dashboard.store_page import studies_table
from ftsweep.dashboard.study_reader import StudyReader
from ftsweep.dashboard.together import together_figure, trial_curves
from ftsweep.dashboard.together_page import beside_table
from ftsweep.report.overview import read_overview
from ftsweep.report.tables.difference import Compared
from ftsweep.report.tables.trials import TrialColumns
from ftsweep.store.folders import StudyFolder
from ftsweep.store.result import read_result, write_result


def said(parts: object) -> str:
    """A page as the text of its parts."""
    return json.dumps(parts, default=lambda part: part.to_plotly_json(), ensure_ascii=False)


def test_trial_that_nobody_goes_on_with_waits(builder: StudyBuilder) -> None:
    builder.trial(0, falling(1e-3, 16, num=3), None)
    reader = StudyReader(builder.folder)
    with builder.folder.locked():
        reader.look()
        assert reader.overview().trials[0].kind == "running"
    reader.look()
    assert reader.overview().trials[0].kind == "waiting"
    assert '"badge waiting"' in said(page_at(Looks(builder.folder.store), "/study/demo", "", may_act=False))


def test_best_of_a_study_is_the_same_on_every_page(demo: StudyFolder) -> None:
    result = read_result(demo)
    assert result is not None
    assert result.model is not None
    write_result(demo, replace(result, model=replace(result.model, value=0.1234, seed=2)))
    looks = Looks(demo.store)
    words = f"0.1234 (trial {result.model.number}, fresh seed 2)"
    looks.at("demo")
    assert words in said(studies_table("store", looks.all()))
    assert words in said(beside_table([look.overview for look in looks.all() if look.overview is not None]))


def test_store_that_is_gone_is_told_with_what_was_read_of_it(demo: StudyFolder, tmp_path: Path) -> None:
    looks = Looks(demo.store)
    looks.at("demo")
    mark, root = store_mark(looks), demo.store.root
    away = root.with_name(f"{root.name}-away")
    root.rename(away)
    try:
        shown = said(page_at(looks, "/", "", may_act=False))
        assert f"There is no store {looks.store.name} now: it was moved or removed." in shown
        assert "no studies" not in shown
        assert "/study/demo" in shown
        assert store_mark(looks) != mark
    finally:
        away.rename(root)
    assert "moved or removed" not in said(page_at(looks, "/", "", may_act=False))


def test_link_to_differences_says_what_it_leads_to(demo: StudyFolder) -> None:
    looks, study = Looks(demo.store), read_overview(demo)
    assert study.best is not None
    assert study.default is not None
    other = next(trial for trial in study.trials if trial not in (study.best, study.default))
    for trial, words in (
        (study.best, "Differences to the default setting"),
        (study.default, "Differences to the best trial"),
        (other, "Differences to the best trial and the default setting"),
    ):
        assert f'"{words}"' in said(page_at(looks, f"/study/demo/trial/{trial.number}", "", may_act=False))


def test_reader_of_a_later_dashboard_counts_on_from_that_of_an_earlier_one(
    demo: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that was open all the time takes its versions for new ones."""
    now = 1_796_000_000 * 10**9
    monkeypatch.setattr("ftsweep.dashboard.study_reader.time.time_ns", lambda: now)
    first = StudyReader(demo)
    first.look()
    shutil.rmtree(demo.trial(2).path)
    now += 10**9
    second = StudyReader(demo)
    second.look()
    assert second.version > first.version


def test_numbers_of_the_table_have_the_digits_that_they_have_elsewhere(tmp_path: Path) -> None:
    shape = TrialColumns.of(read_overview(write_demo(tmp_path)))
    digits = {each["headerName"]: each.get("valueFormatter", {}).get("function", "") for each in grid_columns(shape)}
    assert digits["validation/loss"] == "shortNumber(params.value, 4)"
    assert digits["training.learning_rate"] == "shortNumber(params.value, 3)"
    assert digits["remark"] == ""


def test_figures_of_several_studies_keep_their_legend_and_ticks_apart(tmp_path: Path) -> None:
    study = read_overview(write_demo(tmp_path))
    layouts = [
        together_figure([study], "history", "", "")["layout"],
        trial_curves([Compared(study, trial) for trial in study.trials[:2]])["layout"],
    ]
    assert [layout["modebar"]["orientation"] for layout in layouts] == ["v", "v"]
    assert layouts[0]["xaxis"]["range"] == [-0.7, 13.7], "no trial -1"
    assert "dtick" not in layouts[0]["xaxis"], "fourteen numbers do not fit a narrow page"
    few = study.only(range(4))
    assert together_figure([few], "history", "", "")["layout"]["xaxis"]["dtick"] == 1


def test_a_tables_columns_are_no_narrower_than_its_names(demo: StudyFolder) -> None:
    shown = said(page_at(Looks(demo.store), "/difference", "?trial=demo:1&trial=demo:3", may_act=False))
    assert '"minWidth": "510px"' in shown


def test_page_of_the_winner_tells_the_value_of_its_model_with_a_fresh_seed(demo: StudyFolder) -> None:
    result = read_result(demo)
    assert result is not None
    assert result.model is not None
    write_result(demo, replace(result, model=replace(result.model, value=0.1234, seed=2)))
    path = f"/study/demo/trial/{result.model.number}"
    assert "the winner: 0.1234 with fresh seed 2" in said(page_at(Looks(demo.store), path, "", may_act=False))


def test_nothing_that_leads_nowhere_is_reached_by_the_keyboard(demo: StudyFolder) -> None:
    """Differences of fewer than two trials are hidden, and a link stands in no button."""
    shown = said(page_at(Looks(demo.store), "/study/demo", "", may_act=True))
    assert '"id": "differ-place", "className": "off"' in shown
    style = files("ftsweep.dashboard").joinpath("assets/dashboard.css").read_text(encoding="utf-8")
    assert ".off { visibility: hidden; }" in style


def test_enter_in_a_field_does_as_its_button(demo: StudyFolder) -> None:
    callbacks = make_app(demo.store, Access()).test_client().get("/_dash-dependencies").json
    asked = {function: inputs for function, inputs in map(_function_and_inputs, callbacks) if function}
    assert asked["extend"] == ["extend.n_clicks", "more.n_submit"]
    assert asked["enqueue"][0] == "enqueue.n_clicks"
    assert asked["enqueue"][1].endswith(".n_submit")


def _function_and_inputs(callback: dict[str, Any]) -> tuple[str, list[str]]:
    called = callback["clientside_function"] or {}
    return called.get("function_name", ""), [f"{each['id']}.{each['property']}" for each in callback["inputs"]]


def test_ticks_of_choices_and_of_a_log_axis_are_spelled_as_elsewhere(tmp_path: Path) -> None:
    sweep = SWEEP.replace("batch_size: [8, 16, 32]", f"batch_size: ['<b>8</b>', '{'x' * 99}']")
    builder = StudyBuilder(tmp_path, sweep=sweep)
    for number, batch in enumerate(("<b>8</b>", "x" * 99)):
        params = {"training.learning_rate": 1e-4, "training.batch_size": batch}
        builder.trial(number, falling(1e-3, 8), params=params)
    study = read_overview(builder.folder)
    axis = xy_figure(study, "training.batch_size", "validation/loss").layout.xaxis
    assert axis.ticktext[0] == "&lt;b&gt;8&lt;/b&gt;"
    assert len(axis.ticktext[1]) <= 18
    assert list(axis.tickvals) == ["<b>8</b>", "x" * 99]
    axis = xy_figure(study, "training.learning_rate", "validation/loss").layout.xaxis
    assert (axis.type, axis.exponentformat) == ("log", "e")


def test_trials_that_a_selection_has_beyond_those_compared_are_told(demo: StudyFolder) -> None:
    query = "?" + "&".join(f"trial=demo:{number}" for number in range(12)) + "&of=14"
    shown = said(page_at(Looks(demo.store), "/difference", query, may_act=False))
    assert "14 trials are asked for; the first 12 are shown." in shown
