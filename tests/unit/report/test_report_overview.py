from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import pytest
from report_studies import StudyBuilder, write_demo

from ftsweep.domain.finding import Severity
from ftsweep.domain.space import Choice, FloatInterval, IntInterval
from ftsweep.errors import UsageError
from ftsweep.report.overview import read_overview
from ftsweep.store.atomic import append_line
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.store.result import read_result, write_result
from ftsweep.store.study_state import read_state


def test_rows_tell_every_trial_with_outcome_reason_and_value(demo):
    rows = read_overview(demo)

    kinds = [trial.kind for trial in rows.trials]
    assert len(rows.trials) == 14
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "complete": 7, "pruned": 4, "diverged": 1, "infeasible": 1, "failed": 1,
    }  # fmt: skip
    pruned, failed = rows.trials[2], rows.trials[10]
    assert (pruned.reason, pruned.last_rung) == ("worse than the median of 5 trials at rung 4", 4)
    assert (failed.record.outcome.error_class, failed.value, failed.curve) == ("ValueError", None, ())
    assert rows.trials[0].is_default
    assert rows.trials[0].train_seconds == pytest.approx(15.0)


def test_value_is_that_of_the_best_rung_and_never_of_rung_zero(builder):
    builder.trial(0, [0.1, 0.9, 0.5, 0.7])

    (trial,) = read_overview(builder.folder).trials

    assert (trial.value, trial.best_rung) == (0.5, 2)
    assert trial.best_values()["validation/accuracy"] == pytest.approx(0.75)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_values_that_are_no_numbers_never_become_a_trials_value(builder, bad):
    builder.trial(0, [1.6, bad, 0.8], "diverged")
    builder.trial(1, [1.6, bad], "diverged")

    first, second = read_overview(builder.folder).trials

    assert first.value == 0.8
    assert second.value is None


def test_measurement_without_the_objective_is_passed_over(builder):
    builder.trial(0, [1.6, 0.9])
    line = {"rung": 2, "progress": 0.2, "num_examples": 1, "num_tokens": 1, "train_seconds": 1.0, "timestamp": 1.0}
    append_line(builder.folder.trial(0).measurements_file, {**line, "values": {"train/loss": 0.1}})

    assert read_overview(builder.folder).trials[0].value == 0.9


def test_best_so_far_is_complete_even_if_a_pruned_or_running_trial_has_a_better_value(builder):
    builder.trial(0, [1.6, 0.9])
    builder.trial(1, [1.6, 0.4], "pruned")
    builder.trial(2, [1.6, 0.3], None)
    builder.trial(3, [1.6, 0.8])

    rows = read_overview(builder.folder)

    assert rows.best is not None
    assert rows.best.number == 3
    assert not rows.is_final
    assert rows.trials[2].kind == "waiting"
    with builder.folder.locked():
        assert read_overview(builder.folder).trials[2].kind == "running"


def test_best_follows_the_objectives_direction(tmp_path):
    builder = StudyBuilder(tmp_path, sweep="objective: {metric: accuracy, split: validation, direction: maximize}\n")
    builder.trial(0, [1.6, 1.0])
    builder.trial(1, [1.6, 0.4])

    rows = read_overview(builder.folder)

    assert rows.best is not None
    assert (rows.best.number, rows.best.value) == (1, pytest.approx(0.8))


def test_result_file_names_the_winner_and_its_evidence(demo):
    rows = read_overview(demo)

    assert rows.best is not None
    assert (rows.best.number, rows.is_final) == (3, True)
    assert rows.conclusion.sentence.startswith("Trial 3 won")
    assert {test.label: test.number for test in rows.tests} == {"trial-0003": 3, "trial-0000": 0, "baseline": None}
    (winner,) = (test for test in rows.tests if test.number == 3)
    assert winner.values == {"test/loss": 0.441, "test/accuracy": 0.812}
    assert rows.baselines == {"main": {"validation/loss": 1.61, "validation/accuracy": 0.24}}
    (data,) = rows.data
    assert list(data.num_rows) == ["train", "validation", "test"]
    assert [finding.severity for finding in data.findings] == [Severity.WARN, Severity.NOTE]
    assert rows.result.registered == "models:/demo@champion"


def test_a_state_that_is_given_is_not_read_again(demo, monkeypatch):
    state = read_state(demo)
    before = read_overview(demo)
    for name in ("records", "baselines", "verdicts"):
        monkeypatch.setattr(StudyFolder, name, lambda folder: pytest.fail("read twice"))

    assert read_overview(demo, state) == before


def test_a_result_is_not_final_once_more_trials_run(builder):
    builder.trial(0, [1.6, 0.9])
    builder.result(winner=0, sentence="Trial 0 won.")
    assert read_overview(builder.folder).is_final
    builder.trial(1, [1.6, 0.5])
    builder.trial(2, [1.6], None)

    rows = read_overview(builder.folder)

    assert (rows.is_final, rows.conclusion.sentence) == (False, "")
    assert rows.best is not None
    assert rows.best.number == 1


def test_a_study_that_ended_without_a_winner_says_why(builder):
    builder.trial(0, [1.6], "failed", reason="bad label")
    builder.result(winner=None, sentence="No trial completed: 1 failed.")

    rows = read_overview(builder.folder)

    assert (rows.best, rows.is_final, rows.conclusion.sentence) == (None, True, "No trial completed: 1 failed.")


def test_baseline_of_a_running_study_comes_from_its_own_folder(tmp_path):
    rows = read_overview(write_demo(tmp_path, finished=False))

    assert rows.baseline_value("") == 1.61


def test_branches_share_a_data_row_unless_their_data_differ(tmp_path):
    folder = write_demo(tmp_path, branches=True)
    (data,) = read_overview(folder).data
    assert set(data.branches) == {"lora", "full"}

    result = read_result(folder)
    data = {"lora": {"num_rows": {"train": 1}}, "full": {"num_rows": {"train": 2}}}
    write_result(folder, replace(result, data=data))
    assert [data.branches for data in read_overview(folder).data] == [("lora",), ("full",)]


def test_summary_names_the_components_of_every_branch(tmp_path):
    sweep = "branches: {a: {strategy: {_target_: x.Full}}, b: {strategy: {_target_: x.Lora, name: n}}}\n"
    rows = read_overview(StudyBuilder(tmp_path, sweep=sweep).folder)

    assert rows.settings.summary == {"strategy": "Full, Lora · n", "branches": "a, b"}


def test_params_stand_in_the_order_and_with_the_dimensions_of_the_sweep_file(demo):
    rows = read_overview(demo)

    assert rows.param_names == ("training.learning_rate", "training.batch_size", "training.epochs", "strategy.rank")
    assert rows.dimensions["training.learning_rate"] == FloatInterval(1e-4, 1e-2, log=True)
    assert rows.dimensions["training.batch_size"] == Choice((8, 16, 32))
    assert rows.dimensions["training.epochs"] == IntInterval(1, 3)


def test_a_branchs_own_dimension_goes_before_the_common_one(tmp_path):
    rows = read_overview(write_demo(tmp_path, branches=True))

    assert rows.dimensions["full.training.learning_rate"] == FloatInterval(1e-6, 1e-4, log=True)
    assert rows.dimensions["lora.training.learning_rate"] == FloatInterval(1e-4, 1e-2, log=True)
    assert rows.param_path("full.training.learning_rate") == "training.learning_rate"


def test_undeclared_params_get_a_dimension_that_fits_their_values(builder):
    for number, rate in enumerate([1e-5, 1e-3, 1e-2, 3e-4, 2e-4, 5e-5]):
        builder.trial(
            number, [1.6, 1.0], params={"x.rate": rate, "x.kind": ["a", "b"][number % 2], "x.n": [4, 8][number % 2]}
        )

    dimensions = read_overview(builder.folder).dimensions

    assert dimensions["x.rate"] == FloatInterval(1e-5, 1e-2, log=True)
    assert dimensions["x.kind"] == Choice(("a", "b"))
    assert dimensions["x.n"] == Choice((4, 8))


def test_a_study_before_its_first_trial_has_empty_rows(builder):
    rows = read_overview(builder.folder)

    assert rows.trials == ()
    assert rows.best is None
    assert rows.state.num_planned == 14


def test_a_folder_without_a_study_is_refused_by_name(tmp_path):
    with pytest.raises(UsageError, match="no study 'nothing'"):
        read_overview(Store(tmp_path).study("nothing"))


def test_reading_rows_and_checking_a_pages_config_import_no_plotly():
    code = (
        "import sys; import ftsweep.report.overview, ftsweep.report.page as p; p.HtmlPage();"
        "print(sorted({'plotly', 'jinja2', 'torch', 'optuna', 'mlflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
