from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib.resources import files

import plotly.graph_objects as go
import pytest
from click.testing import CliRunner
from markupsafe import escape
from report_studies import StudyBuilder, write_demo

from ftsweep.cli.main import main
from ftsweep.domain.answers import Lead
from ftsweep.errors import ConfigError
from ftsweep.report import Figure, page, summary
from ftsweep.report.overview import read_overview
from ftsweep.report.page import HtmlPage
from ftsweep.report.tables.scores import comparison_table
from ftsweep.report.tables.table import Table
from ftsweep.report.tables.trials import wide_trials_table
from ftsweep.store.result import read_result, write_result


def names(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns)


def test_key_numbers_begin_with_the_test_and_compare_with_default_and_base(demo):
    tiles = summary.tiles(read_overview(demo))

    assert [tile.label for tile in tiles] == [
        "test/loss · winner",
        "validation/loss · winner",
        "validation/loss · default setting",
        "validation/loss · untouched base",
    ]
    assert [tile.is_main for tile in tiles] == [True, False, False, False]
    assert tiles[2].note == "the winner is 0.284 (39%) better"


def test_a_best_trial_behind_the_default_is_called_worse(builder):
    builder.trial(0, [1.6, 0.5], is_default=True)
    builder.trial(1, [1.6, 0.8])

    builder.result(winner=1)
    tile = summary.tiles(read_overview(builder.folder))[1]

    assert tile.note == "the winner is 0.3 (60%) worse"


def test_a_default_setting_that_is_chosen_is_called_so_and_not_held_against_itself(builder):
    builder.trial(0, [1.6, 0.5], is_default=True)
    builder.trial(1, [1.6, 0.8])
    builder.result(winner=0)
    overview = read_overview(builder.folder)

    assert [tile.label for tile in summary.tiles(overview)] == ["validation/loss · winner, the default setting"]
    builder.baseline("main", {"loss": 2.0})
    rows = comparison_table(read_overview(builder.folder)).rows
    assert [row.cells[0].text for row in rows] == ["Trial 0 · winner, the default setting", "Untouched base"]


def test_many_scores_stand_below_each_other_so_that_the_page_need_not_be_scrolled(builder):
    builder.trial(1, [1.6, 0.5])
    builder.baseline("main", {"loss": 2.0, **{f"score_{index}": index / 10 for index in range(8)}})
    builder.result(winner=1)
    table = comparison_table(read_overview(builder.folder))
    assert table is not None
    assert names(table) == ("", "Trial 1 · winner", "Untouched base")
    shown = [tuple(cell.text for cell in row.cells) for row in table.rows]
    assert ("validation/loss", "0.5", "2") in shown
    assert ("validation/score_7", "\N{EN DASH}", "0.7") in shown


def test_a_page_that_shows_some_trials_names_the_command_that_shows_all_of_its_store(demo, monkeypatch):
    monkeypatch.setattr(page, "MAX_ROWS", 2)
    text = HtmlPage(figures=[]).html(read_overview(demo))
    assert f"ftsweep status {demo.name} --json --store {demo.store.root}" in text


def test_comparison_holds_winner_default_and_base_on_validation_and_test(demo):
    comparison = comparison_table(read_overview(demo))

    assert comparison is not None
    assert names(comparison) == ("", "validation/loss", "test/loss", "validation/accuracy", "test/accuracy")
    assert [row.cells[0].text for row in comparison.rows] == [
        "Trial 3 · winner",
        "Trial 0 · default setting",
        "Untouched base",
    ]
    assert tuple(cell.text for cell in comparison.rows[2].cells[1:]) == ("1.61", "1.62", "0.24", "0.238")


def test_verdict_of_a_running_study_counts_what_has_ended(tmp_path, builder):
    assert summary.verdict(read_overview(builder.folder)) == "No trial has started yet."
    rows = read_overview(write_demo(tmp_path, finished=False, name="running"))
    assert summary.verdict(rows).startswith("13 of 14 trials have ended. Best so far: trial 3, validation/loss 0.445")


def test_table_puts_one_config_path_of_all_branches_into_one_column(tmp_path):
    table = wide_trials_table(read_overview(write_demo(tmp_path, branches=True)))

    assert names(table) == (
        "trial", "branch", "outcome", "validation/loss", "best rung", "time",
        "training.learning_rate", "training.batch_size", "training.epochs", "strategy.rank", "remark",
    )  # fmt: skip
    assert all(len(row.cells) == len(table.columns) for row in table.rows)
    assert table.rows[1].cells[-2].text == "", "the full branch has no rank"


def test_failed_trial_remarks_its_error(demo):
    remark = wide_trials_table(read_overview(demo)).rows[10].cells[-1]

    assert remark.details.startswith("Traceback")
    assert remark.text == "ValueError: label 7 is not among the 6 labels"


def test_unknown_figure_in_the_config_is_refused_with_near_names():
    with pytest.raises(ConfigError, match=r"report\.figures: there is no figure 'learning_curve'.*'learning_curves'"):
        HtmlPage(figures=["history", "learning_curve"])
    with pytest.raises(ConfigError, match="must be a list"):
        HtmlPage(figures="history")  # type: ignore[arg-type]


class Own(Figure):
    TITLE, READING = "Mine", "As it is."

    def __init__(self, drawn):
        self.drawn = drawn

    def info(self, study):
        return None

    def figure(self, info):
        return self.drawn


class Failing(Own):
    def is_about(self, study):
        return {}["x"]


def test_figure_of_ones_own_needs_no_height(demo):
    text = HtmlPage(figures=[Own(go.Figure(go.Scatter(x=[1], y=[2])))]).html(read_overview(demo))
    assert 'style="height:400px"' in text


def test_figure_of_ones_own_that_fails_is_named_and_costs_no_other(demo):
    report = HtmlPage(figures=["history", Own(None), Failing(None)])
    text = report.html(read_overview(demo))
    assert text.count('class="figure-data"') == 1
    nothing, failed = report.troubles
    assert "Own could not be drawn: report.figures: `Own.figure` gives None, which is no figure of plotly" in nothing
    assert re.fullmatch(rf"Failing could not be drawn: KeyError: 'x' \({__file__}:\d+\)\.", failed)
    assert str(escape(failed)) in text


def test_figure_of_ones_own_without_a_title_is_named():
    untitled = Own(None)
    untitled.TITLE = None
    with pytest.raises(ConfigError, match=r"report.figures: Own has no TITLE"):
        HtmlPage(figures=[untitled])


def test_page_is_one_file_with_the_asked_figures_in_the_asked_order(demo, tmp_path):
    path = HtmlPage(figures=["timeline", "history"]).write(read_overview(demo), tmp_path / "out" / "report.html")

    text = path.read_text(encoding="utf-8")
    assert text.index('id="timeline"') < text.index('id="history"')
    assert 'id="importances"' not in text
    assert path.stat().st_size < 6e6
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_page_shows_hostile_names_as_text(tmp_path):
    evil = '</script><script>alert(1)</script><img src=x onerror="alert(2)">'
    builder = StudyBuilder(tmp_path, sweep=f"objective: {{metric: loss}}\n# {evil}\n")
    builder.trial(0, [1.6, 0.9], params={evil: evil}, reason=evil, branch=evil)
    builder.trial(1, [1.6, 0.8], "failed", params={evil: 1}, reason=evil, error_class=evil, log_tail=evil)
    builder.result(winner=0, sentence=evil, importances={evil: 1.0}, registered=evil)

    text = HtmlPage().html(read_overview(builder.folder))

    assert "<script>alert(1)" not in text
    assert "<img src=x" not in text
    assert text.count("&lt;script&gt;alert(1)") > 5


@pytest.mark.parametrize(("looks", "words"), [(1, "measured once, after the choice"), (3, "looked at 3 times")])
def test_page_tells_how_often_the_test_split_was_looked_at(builder, looks, words):
    builder.trial(0, [1.6, 0.9])
    builder.trial(1, [1.6, 0.8])
    builder.baseline("main", {"loss": 1.6})
    builder.result(winner=1, test={"trial-0001": {"loss": 0.81}}, test_looks=looks)

    assert words in HtmlPage(figures=[]).html(read_overview(builder.folder))


def test_json_in_the_page_cannot_end_its_element_and_reads_back_the_same():
    value = {"name": "</script><!--\u2028\u2029&"}

    text = page.embedded_json(value)

    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == value


def test_without_a_winner_nothing_is_called_one_or_set_off(builder):
    builder.trial(0, [1.6, 0.5], "failed", is_default=True)
    builder.result(winner=None)
    study = read_overview(builder.folder)

    assert summary.winner_title(study) == "No winner"
    table = comparison_table(study)
    assert table is None or not any(row.mark for row in table.rows)


def test_an_example_of_a_finding_stands_apart_from_its_remedy(demo):
    html = HtmlPage(figures=[]).html(read_overview(demo))
    assert ' <span class="examples">for example' in html
    assert '</code><span class="examples">' not in html.replace("\n", "")


def test_the_page_and_the_dashboard_are_never_darkened_around_their_figures():
    """Figures are drawn for a light page; a browser that darkens pages by itself would leave those as they are."""
    for package, name in (("ftsweep.report", "page.css"), ("ftsweep.dashboard", "assets/dashboard.css")):
        text = files(package).joinpath(name).read_text(encoding="utf-8")
        assert "color-scheme: only light" in text
        assert "prefers-color-scheme" not in text, "then figures and all colours would have to follow"


def test_a_model_of_the_default_setting_with_a_fresh_seed_is_not_called_better_than_the_default(builder):
    builder.trial(0, [1.6, 0.5], is_default=True)
    builder.trial(1, [1.6, 0.8])
    builder.result(winner=0)
    result = read_result(builder.folder)
    drawn = replace(result.model, seed=2, value=0.4)
    tested = {"trial-0000-2": {"loss": 0.45}, "trial-0000": {"loss": 0.47}}
    write_result(builder.folder, replace(result, model=drawn, test=tested))
    overview = read_overview(builder.folder)

    tile = next(tile for tile in summary.tiles(overview) if tile.label == "validation/loss · default setting")
    assert (tile.value, tile.note) == ("0.5", "the winner's setting with the search's own seed")
    rows = [[cell.text for cell in row.cells] for row in comparison_table(overview).rows]
    assert [row[0] for row in rows] == [
        "Trial 0 with fresh seed 2 · winner, the default setting",
        "Trial 0 · default setting",
    ]
    assert "0.47" in rows[1]


def test_a_lead_over_the_default_that_chance_makes_is_told_so(builder):
    builder.trial(0, [1.6, 0.5], is_default=True)
    builder.trial(1, [1.6, 0.48])
    builder.result(winner=1)
    result = read_result(builder.folder)
    for is_sure, end in ((True, "(4%) better"), (False, "(4%) better, which chance makes as well")):
        lead = Lead(0.02, 0.05, is_sure=is_sure)
        write_result(builder.folder, replace(result, model=replace(result.model, over_default=lead)))
        assert summary.tiles(read_overview(builder.folder))[1].note.endswith(end)


def test_figure_that_fails_is_told_by_the_command_that_wrote_the_page(demo, tmp_path):
    (tmp_path / "drawn_badly.py").write_text(
        "from ftsweep.report import Figure\n\n\n"
        "class Bad(Figure):\n    TITLE, READING = 'Bad', 'Never.'\n\n"
        "    def info(self, study):\n        raise KeyError('x')\n\n    figure = info\n"
    )
    report = {"_target_": "ftsweep.report.HtmlPage", "figures": [{"_target_": "drawn_badly.Bad"}]}
    folders, allow = (str(tmp_path),), ("drawn_badly",)
    replace(demo.manifest(), report=report, search_folders=folders, allow=allow).write(demo.manifest_file)
    done = CliRunner().invoke(main, ["report", "demo", "--store", str(demo.store.root)])
    assert done.exit_code == 0
    assert f"warning: Bad could not be drawn: KeyError: 'x' ({tmp_path}/drawn_badly.py:8)." in done.stderr
    assert done.stdout.split() == [str(demo.report_file)]
