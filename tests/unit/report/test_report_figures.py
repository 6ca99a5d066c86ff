from __future__ import annotations

import json
import math
import pkgutil
import re
from dataclasses import replace
from importlib import import_module
from importlib.resources import files

import pytest
from report_studies import StudyBuilder, write_demo

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Choice, FloatInterval, IntInterval
from ftsweep.domain.study_state import StudyState
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, TrialRecord
from ftsweep.errors import ConfigError
from ftsweep.report import figures
from ftsweep.report.figures import (
    READING_ORDER,
    contour,
    draw,
    history,
    importances,
    parallel_coordinates,
    slices,
    strategy_comparison,
    theme,
    timeline,
    train_vs_validation,
)
from ftsweep.report.figures.drawn import MAX_LINES, MAX_MARKS, drawn_of
from ftsweep.report.figures.parallel_coordinates import SHADES
from ftsweep.report.figures.scale import axis_of, value_axis
from ftsweep.report.figures.train_vs_validation import LINES
from ftsweep.report.overview import StudyOverview, read_overview
from ftsweep.report.settings import Settings

SHARED = {"base", "cloud", "drawn", "theme", "scale"}


def words(figure) -> str:
    return " ".join(str(note.text).replace("<br>", " ") for note in figure.layout.annotations)


def test_every_figure_file_is_in_the_reading_order():
    files = {module.name for module in pkgutil.iter_modules(figures.__path__)}
    assert files - SHARED == set(READING_ORDER)


@pytest.mark.parametrize("name", READING_ORDER)
def test_figure_has_title_and_reading_and_draws_as_strict_json(name, tmp_path):
    module = import_module(f"ftsweep.report.figures.{name}")
    rows = read_overview(write_demo(tmp_path, branches=name == "strategy_comparison"))

    drawn = draw(name, rows)

    assert module.TITLE
    assert module.READING.endswith(".")
    assert drawn.layout.height
    assert bool(drawn.data) == figures.is_about(name, rows)
    json.loads(drawn.to_json(), parse_constant=lambda constant: pytest.fail(f"{constant} in the figure"))
    assert module.info(rows) == module.info(rows), "info is a pure function of the rows"


@pytest.mark.parametrize("name", READING_ORDER)
def test_figure_of_a_study_without_trials_says_so_in_words(name):
    drawn = draw(name, StudyOverview(StudyState("new", "", Objective(), 10, 0)))

    assert not drawn.data
    assert words(drawn).endswith((".", "needed."))


@pytest.mark.parametrize("name", READING_ORDER)
@pytest.mark.parametrize("losses", [[], [1.6], [1.6, math.nan], [1.6, 0.5], [1.6, 0.5, 0.5]])
def test_figure_of_a_single_trial_of_any_length_draws(name, losses, builder):
    builder.trial(0, losses, None, params={"a.b": 1.0})

    draw(name, read_overview(builder.folder)).to_json()


@pytest.mark.parametrize("name", READING_ORDER)
def test_names_from_outside_stay_text(name, tmp_path):
    evil = "<script>alert(1)</script>"
    builder = StudyBuilder(tmp_path)
    for number in range(5):
        builder.trial(
            number, [1.6, 1.0 - number / 10], reason=evil, params={f"x.{evil}": [evil, "b"][number % 2], "y": 0.1}
        )
    builder.result(importances={evil: 1.0})

    text = draw(name, read_overview(builder.folder)).to_json()

    assert "<script" not in text
    assert "\\u003cscript" not in text


def test_unknown_figure_is_refused_with_the_near_names():
    with pytest.raises(ConfigError, match=r"Did you mean 'history'\?"):
        figures.load("histroy")


def test_pruned_and_running_trials_never_move_the_best_line(builder):
    builder.trial(0, [1.6, 0.9])
    builder.trial(1, [1.6, 0.2], "pruned")
    builder.trial(2, [1.6, 0.1], None)
    builder.trial(3, [1.6, 0.95])
    builder.trial(4, [1.6, 0.7])

    info = history.info(read_overview(builder.folder))

    assert info.best_so_far == ((0, 0.9), (3, 0.9), (4, 0.7))


def test_history_sets_trials_without_a_value_that_counts_apart(demo):
    info = history.info(read_overview(demo))

    assert [(trial.number, trial.kind) for trial in info.unmeasured] == [
        (4, "diverged"), (7, "infeasible"), (10, "failed"),
    ]  # fmt: skip
    assert info.baselines == (("untouched base", 1.61),)


def test_outcomes_have_one_colour_and_marker_each_and_the_same_in_all_figures(demo):
    rows = read_overview(demo)
    assert len(set(theme.COLOURS.values())) == len(theme.COLOURS)
    assert len(set(theme.SYMBOLS.values())) == len(theme.SYMBOLS)
    for package, name in (("ftsweep.report", "page.css"), ("ftsweep.dashboard", "assets/dashboard.css")):
        style = files(package).joinpath(name).read_text()
        assert {kind: re.search(rf"--{kind}: (#\w+);", style)[1] for kind in theme.COLOURS} == theme.COLOURS, name

    marks = {trace.name: trace.marker.color for trace in draw("history", rows).data if trace.mode == "markers"}
    lines = {trace.name: trace.line.color for trace in draw("learning_curves", rows).data}
    bars = {trace.name: trace.marker.color for trace in draw("timeline", rows).data}

    for kind in ("complete", "pruned", "diverged", "winner"):
        assert marks[kind] == lines[kind] == bars[kind]


def test_learning_curve_of_a_pruned_trial_is_cut_dim_and_marked_at_its_end(demo):
    drawn = draw("learning_curves", read_overview(demo))

    pruned = next(trace for trace in drawn.data if trace.name == "pruned")
    winner = drawn.data[-1]
    assert max(pruned.x) == pytest.approx(0.4)
    assert pruned.opacity < 1
    assert list(pruned.marker.symbol)[-1] == theme.SYMBOLS["pruned"]
    assert winner.name == "winner", "drawn last, so on top"
    assert winner.line.width > pruned.line.width
    assert "learning_rate" in winner.hovertext[0]


@pytest.mark.parametrize("count", [2, 14, 300])
def test_axis_of_trial_numbers_has_whole_ticks_and_few_of_them(count, builder):
    for number in (0, count - 1):
        builder.trial(number, [1.6, 0.9])

    axis = draw("history", read_overview(builder.folder)).layout.xaxis

    assert axis.dtick == (1 if count <= 9 else None), "of many as the width of the page allows, which are whole"
    assert axis.range == pytest.approx((-0.7, count - 0.3))


def test_one_wild_value_does_not_press_the_others_into_a_line(builder):
    for number in range(6):
        builder.trial(number, [1.6, 0.5 + number / 20])
    builder.trial(6, [1.6, 4000.0])

    drawn = draw("history", read_overview(builder.folder))

    assert drawn.layout.yaxis.range[1] < 10
    assert "1 value outside this view" in words(drawn)


def test_parallel_coordinates_give_each_branch_its_own_axes(tmp_path):
    info = parallel_coordinates.info(read_overview(write_demo(tmp_path, branches=True)))

    labels = {panel.branch: [axis.label for axis in panel.axes] for panel in info.panels}
    assert labels["lora"][-2:] == ["lora.strategy.rank", "validation/loss (lower is better)"]
    assert not any("rank" in label for label in labels["full"])
    assert info.num_left_out == 3
    assert sum(len(panel.lines) for panel in info.panels) == 11


def test_parallel_coordinates_draw_the_best_last_and_darkest(demo):
    (panel,) = parallel_coordinates.info(read_overview(demo)).panels

    assert panel.lines[-1].trial.is_best
    assert [line.shade for line in panel.lines] == sorted((line.shade for line in panel.lines), reverse=True)
    assert panel.lines[-1].shade == 0


def test_a_missing_parameter_leaves_a_gap(builder):
    builder.trial(0, [1.6, 0.9], params={"a": 1.0, "b": 2.0})
    builder.trial(1, [1.6, 0.8], params={"a": 1.5})

    (panel,) = parallel_coordinates.info(read_overview(builder.folder)).panels

    gap = next(line for line in panel.lines if line.trial.number == 1)
    assert gap.positions[1] is None


def test_log_axis_keeps_equal_ratios_apart_equally_and_shows_real_values():
    axis = axis_of("rate", FloatInterval(1e-4, 1e-2, log=True), [3e-4])

    assert axis.position(1e-3) == pytest.approx(0.5)
    assert axis.ticks[0] == (0.0, "1e-4")
    assert axis.ticks[-1] == (1.0, "0.01")
    assert (pytest.approx(0.5), "0.001") in axis.ticks


def test_axis_widens_for_a_value_outside_of_the_declared_space():
    axis = axis_of("rate", FloatInterval(1e-4, 1e-2, log=True), [1.0])

    assert axis.position(1.0) == 1.0
    assert axis.ticks[-1][1] == "1"


def test_choices_stand_evenly_in_numeric_order_even_when_no_trial_took_them():
    axis = axis_of("batch", Choice((32, 8, 16)), [8])

    assert axis.ticks == ((0.0, "8"), (0.5, "16"), (1.0, "32"))
    assert axis_of("kind", Choice((None, True, "a")), []).choices == ("null", "true", "a")


def test_whole_numbers_have_whole_ticks_and_one_value_stands_in_the_middle():
    assert [text for _, text in axis_of("n", IntInterval(1, 3), []).ticks] == ["1", "2", "3"]
    assert axis_of("n", IntInterval(2, 2), []).position(2) == 0.5
    assert value_axis("loss", 0.4, 0.4).ticks == ((0.5, "0.4"),)


def test_contours_are_best_where_the_best_trials_are_and_blank_where_none_is(demo):
    found = contour.info(read_overview(demo))
    first = found.pairs[0]
    assert (first.x.label, first.y.label) == ("training.learning_rate", "training.batch_size"), "the most important"
    assert len(found.pairs) == 6
    best = next(each for each in first.trials if each[0].is_best)
    known = [(value, at) for row in first.average for at, value in enumerate(row) if value is not None]
    assert abs(min(known)[1] / (contour.GRID - 1) - best[1]) < 0.15
    assert 0 < len(known) < contour.GRID**2, "there are no trials near some places"
    drawn = draw("contour", read_overview(demo))
    assert [trace.visible for trace in drawn.data] == [True, True] + 10 * [False]
    turned, axes = drawn.layout.updatemenus[0].buttons[5].args
    assert turned["visible"] == 10 * [False] + [True, True]
    assert axes["yaxis.title.text"] == first_names(found)[5][1]


def first_names(found):
    return [(pair.x.label, pair.y.label) for pair in found.pairs]


def test_importances_are_ordered_and_missing_ones_are_explained(demo, tmp_path):
    shares = importances.info(read_overview(demo)).shares
    assert [share for _, share in shares] == sorted((share for _, share in shares), reverse=True)
    bars = draw("importances", read_overview(demo)).data[0]
    spread = dict(zip(bars.y, zip(bars.x, bars.error_x.arrayminus, bars.error_x.array, strict=True), strict=True))
    assert spread["training.learning_rate"] == pytest.approx((0.74, 0.24, 0.16)), "from 0.5 to 0.9"
    assert spread["training.epochs"] == pytest.approx((0.09, 0, 0)), "of which no spread is known"

    assert "Too few complete trials (0)" in words(
        draw("importances", read_overview(StudyBuilder(tmp_path, "new").folder))
    )


def test_train_versus_validation_shows_the_winner_and_the_default_first(demo):
    panels = train_vs_validation.info(read_overview(demo)).panels

    titles = ["Trial 3 · winner", "Trial 0 · default setting", "Trial 11 · complete"]
    assert [panel.title for panel in panels] == [f"<b>{title}</b>" for title in titles]


def test_timeline_counts_from_the_first_trials_start(demo):
    bars = timeline.info(read_overview(demo)).bars

    assert bars[0].begin == 0.0
    assert (bars[1].begin, bars[0].seconds) == (pytest.approx(2.0), pytest.approx(15.0))


def test_a_thousand_trials_are_drawn_in_a_moment():
    trials = tuple(
        TrialRecord(
            Proposal(number, "", {"a": number / 1000, "b": number % 7}),
            (Measurement(1, 1.0, 1, 1, 1.0, 1.0, {"validation/loss": number % 91}),),
            Outcome(OutcomeKind.COMPLETE),
        )
        for number in range(1000)
    )
    settings = Settings(dimensions={"a": FloatInterval(0, 1), "b": IntInterval(0, 6)})
    rows = StudyOverview(StudyState("big", "", Objective(), 1, 1000, trials), settings)

    assert len(parallel_coordinates.info(rows).panels[0].lines) == MAX_LINES


def test_approaches_are_lines_with_their_trials_best_tests_and_times(tmp_path):
    rows = read_overview(write_demo(tmp_path, branches=True))
    info = strategy_comparison.info(rows)
    assert [approach.name for approach in info.approaches] == ["untouched base", "lora", "full"]
    drawn = strategy_comparison.figure(info)
    by_name = {trace.name: trace for trace in drawn.data if trace.name}
    assert by_name["winner"].y == ("full",)
    assert by_name["best of its approach"].y == ("lora",)
    assert by_name["untouched base"].y == ("untouched base",)
    assert by_name["test/loss"].x == (1.62, 0.441)
    (times,) = [trace for trace in drawn.data if trace.type == "bar"]
    assert times.x == (0.0, 15.0, 15.0)
    assert times.text == ("trains nothing", "? weights", "? weights")


def test_study_without_branches_has_no_comparison_of_approaches(demo, tmp_path):
    assert not figures.is_about("strategy_comparison", read_overview(demo))
    assert figures.is_about("strategy_comparison", read_overview(write_demo(tmp_path / "b", branches=True)))
    assert figures.is_about("history", read_overview(demo)), "what does not ask is about every study"
    assert "no branches" in words(draw("strategy_comparison", read_overview(demo)))


def test_curve_of_the_best_is_seen_whole_though_most_values_lie_elsewhere(tmp_path):
    builder = StudyBuilder(tmp_path)
    builder.trial(0, [2.1, 2.0, 1.7, 1.0])
    for number in range(1, 8):
        builder.trial(number, [2.1, 2.1, 2.1, 2.09])
    low, high = draw("learning_curves", read_overview(builder.folder)).layout.yaxis.range
    assert low < 1.0
    assert high > 2.1


def large(num: int) -> StudyOverview:
    """A study of so many trials with curves."""

    def record(number: int) -> TrialRecord:
        points = tuple(
            Measurement(
                rung, rung / 4, rung, rung, float(rung), 100.0 * (number // 2) + rung, {"validation/loss": loss}
            )
            for rung, loss in enumerate([2.0, 1.5, 1.0 + (number * 7 % num) / num])
        )
        return TrialRecord(Proposal(number, "", {"x": number, "y": number % 3}), points, Outcome(OutcomeKind.COMPLETE))

    return StudyOverview(StudyState("large", "", Objective(), 4, num, tuple(record(number) for number in range(num))))


def test_a_large_study_is_drawn_by_its_best_a_sample_and_a_band_and_says_so():
    curves = draw("learning_curves", large(1000))
    own = [trace.meta for trace in curves.data if trace.meta is not None]
    assert own == [0], "the best one is always drawn"
    for mode, count in (("lines", 4 * (MAX_LINES - 1)), ("markers", MAX_LINES - 1)):
        (together,) = [trace for trace in curves.data if trace.customdata is not None and trace.mode == mode]
        assert len(together.x) == count, "in one trace with gaps, and their ends in another"
        assert len(set(together.customdata)) == MAX_LINES - 1
    band = next(trace for trace in curves.data if trace.name == "middle 80 % of 1,000 trials")
    assert min(band.y) == pytest.approx(1.1, abs=0.01)
    assert f"{MAX_LINES} of 1,000 trials: the {MAX_LINES // 3} best, and an even sample of the others" in words(curves)
    parallel = draw("parallel_coordinates", large(1000))
    assert sum(trace.meta is not None for trace in parallel.data) == MAX_LINES
    assert f"{MAX_LINES} of 1,000 trials" in words(parallel)
    shown = draw("history", large(2000))
    assert sum(len(trace.x) for trace in shown.data if trace.name == "complete") == MAX_MARKS
    assert f"{MAX_MARKS} of 2,000" in words(shown)
    assert "a dot for every trial" in words(shown)
    assert any(trace.name == "middle 80 % of 1,000 trials" for trace in draw("learning_curves", large(2000)).data)


def test_selected_trials_are_drawn_first_and_their_number_is_said():
    study = large(2000)
    own = drawn_of(study, study.trials, 60)
    assert own.words == "60 of 2,000 trials: the 20 best, and an even sample of the others"
    selected = range(700, 720)
    found = drawn_of(study.looking_at(selected), study.trials, 60, also=[999])
    numbers = [trial.number for trial in found.trials]
    assert {*selected, 0, 999} <= set(numbers)
    assert (len(numbers), numbers) == (60, sorted(numbers))
    assert found.words.startswith("60 of 2,000 trials: 20 of the selected ones, the 15 best")
    assert len([number for number in numbers if number > 1000]) > 5, "the others are sampled as well"
    many = drawn_of(study.looking_at(range(500, 1500)), study.trials, 60)
    assert "30 of the selected ones" in many.words
    assert (
        draw("history", study.looking_at([3])).layout.images[0].source != draw("history", study).layout.images[0].source
    )


def test_trials_that_ran_at_once_stand_in_lanes_of_their_own():
    study = large(6)
    drawn = draw("timeline", study)
    lanes = [lane for trace in drawn.data for lane in trace.y]
    assert sorted(lanes) == [0, 0, 0, 1, 1, 1], "two at a time"
    phased = replace(study, phases=(("searching", 0.0, 90.0),), fresh=study.state.trials[:1])
    names = [trace.name for trace in draw("timeline", phased).data]
    assert {"phase", "fresh seed"} <= set(names)


def test_marks_stand_out_from_white_by_three_to_one():
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    colours = [*theme.COLOURS.values(), theme.WINNER, theme.BASELINE, *SHADES, *(line[2] for line in LINES)]
    assert [colour for colour in colours if 1.05 / (luminance(colour) + 0.05) < 3] == []


def test_slices_have_a_panel_per_parameter_on_its_own_scale(demo):
    study = read_overview(demo)
    drawn = draw("slices", study)
    assert [note.text for note in drawn.layout.annotations][:2] == ["training.learning_rate", "training.batch_size"]
    rate = slices.info(study).panels[0]
    assert rate.axis.kind == "log"
    winner = next(trace for trace in drawn.data if trace.name == "winner")
    assert list(winner.customdata) == [3]
    assert winner.x[0] == pytest.approx(math.log10(2.2e-3 / 1e-4) / 2)


def test_budget_tells_where_training_time_went():
    study = large(4)
    fresh = replace(study, fresh=study.state.trials[:1])
    (bars,) = draw("budget", fresh).data
    assert list(bars.y) == ["fresh seeds", "complete"]
    assert list(bars.x) == pytest.approx([0.2, 0.8])
    assert bars.text[1] == "8.0 s, 4 runs"
