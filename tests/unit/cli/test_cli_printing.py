"""What commands print of approaches, lost workers and empty stores."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from ftsweep.cli.best_view import print_best
from ftsweep.cli.result_view import counts_text
from ftsweep.cli.run_view import ending_json, print_ending
from ftsweep.cli.status_view import print_store, print_study
from ftsweep.control.run import Launched
from ftsweep.domain.answers import Lead, Model, RacedSetting, Setting
from ftsweep.domain.approach import Approach
from ftsweep.domain.objective import Objective
from ftsweep.domain.result import StudyResult
from ftsweep.domain.spelling import NOTHING
from ftsweep.domain.study_state import StudyState
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, TrialRecord
from ftsweep.domain.verdict import Verdict, VerdictKind
from ftsweep.report.overview import StudyOverview
from ftsweep.report.tables.confirmation import confirmation_table
from ftsweep.store.atomic import write_json
from ftsweep.store.folders import Store

APPROACHES = [
    Approach("untouched base", ("full",), is_base=True, validation={"loss": 2.0}, trained_parameters=0),
    Approach(
        "full",
        ("full",),
        trial=0,
        num_trials=1,
        validation={"loss": 0.25},
        test={"loss": 0.75},
        trained_parameters=1_000_000,
        train_seconds=12.0,
    ),
]


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=160, highlight=False)


def printed(console: Console) -> str:
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


STORE = Path("mlruns").absolute()
DISK = {"total": 0, "weights": 0, "checkpoints": 0, "other": 0}


def overview(result: StudyResult | None) -> StudyOverview:
    trial = TrialRecord(Proposal(0, "full", {}), (), Outcome(OutcomeKind.COMPLETE, "trained to the end"))
    return StudyOverview(StudyState("s", "complete", Objective(), 10, 1, (trial,), result=result))


def concluded(with_branches: bool) -> StudyResult:
    return StudyResult(
        "Trial 0 is best.",
        model=Model(0, 0.25, 10, "It is the only one."),
        test={"trial-0000": {"loss": 0.75}},
        approaches=tuple(APPROACHES) if with_branches else (),
        advice="Use full: loss 0.75 on test." if with_branches else "",
        num_trials=1,
    )


def test_a_trial_under_way_runs_and_one_that_nobody_runs_waits() -> None:
    record = TrialRecord(Proposal(0, "", {}), (), None)
    state = StudyState("s", "running", Objective(), 10, 1, (record,))
    assert counts_text(state) == "1 trial: 1 running; 0 s of training."
    assert counts_text(replace(state, phase="stopped")) == "1 trial: 1 to be continued; 0 s of training."


def test_best_prints_the_table_of_approaches_and_the_advice(console: Console) -> None:
    print_best(console, overview(concluded(True)), STORE, None)
    lines = printed(console).splitlines()
    assert "Use full: loss 0.75 on test." in lines
    (header,) = [line for line in lines if line.startswith("approach ")]
    assert header.split("  ")[0] == "approach"
    assert "test/loss" in header
    (full,) = [line for line in lines if line.startswith("full*")]
    assert full.split()[1:5] == ["0", "0.25", "0.75", "1,000,000"]
    assert "test split" not in printed(console), "the table of approaches has the scores"


def test_study_without_branches_prints_its_test_scores(console: Console) -> None:
    print_best(console, overview(concluded(False)), STORE, None)
    assert "trial 0 (winner)" in printed(console)
    assert "approach" not in printed(console)


def test_model_and_setting_stand_apart_with_seeds_and_optimism_in_80_columns() -> None:
    lead = Lead(0.3719, 0.0927, is_sure=True)
    seeds = (1.61712, 1.71645, 1.70211)
    own = RacedSetting(11, 1.58123, seeds, 1.66734, 0.08211, over_default=lead, standing="better")
    default = RacedSetting(0, 2.03012, (2.03612,), 2.03612, 0.05312, is_default=True, behind=lead)
    race = Setting(11, "Setting: because.", (own, default), 0.0512, "its share is used up", 30.0, 0.5)
    proposals = (Proposal(number, "", {"rank": number}) for number in (0, 11))
    trials = tuple(TrialRecord(proposal, (), Outcome(OutcomeKind.COMPLETE)) for proposal in proposals)
    model = Model(0, 1.58, 5, "Model: because.", seed=1, optimism=0.028, corrected=1.609, num_models=5)
    result = StudyResult("Both.", model=model, setting=race, test={"trial-0000-1": {"loss": 1.62}}, num_trials=2)
    narrow = Console(file=io.StringIO(), width=80, highlight=False)
    print_best(
        narrow, StudyOverview(StudyState("s", "complete", Objective(), 10, 1, trials, result=result)), STORE, None
    )
    text = printed(narrow)
    assert "setting of the model, trial 0" in text
    assert "setting to train again, trial 11" in text
    assert "beside the rows' chance seeds make ± 0.051" in text
    (line,) = [line for line in text.splitlines() if "better by" in line]
    assert " ".join(line.split()) == "11* 1.581 1.667 ± 0.082 1.617 1.716 1.702 better by 0.37 ± 0.093"
    legend = "4 runs, 50% of the search's training; ended because its share is used up. * the setting to train again."
    assert legend in " ".join(text.split())
    assert "about 1.609 without the luck of being the best of 5 models" in text
    gone = StudyState("s", "complete", Objective(), 10, 1, trials[1:], result=result)
    print_best(narrow, StudyOverview(gone), STORE, None)
    assert "The folder of trial 0 is gone, and with it its setting." in printed(narrow)
    table = confirmation_table(replace(result, setting=replace(race, spread=0.0)), Objective())
    assert table is not None
    assert table.title == "validation/loss with fresh seeds; they differ by no more than the rows' chance"
    alone = replace(race, contenders=(replace(own, over_default=None, standing="alone"),))
    table = confirmation_table(replace(result, setting=alone), Objective())
    assert table is not None
    assert table.note.endswith("The default setting has no fresh seeds.")
    assert table.rows[0].cells[-1].text == NOTHING


def test_run_ends_with_what_the_study_shows_about_its_search(console: Console, tmp_path: Path) -> None:
    noise = Verdict(VerdictKind.NOISE, "two runs differ by 0.1", advice="Vary something else")
    launched = Launched(Store(tmp_path).study("s"), overview(concluded(True)).state, verdicts=(noise,))
    print_ending(console, launched)
    assert printed(console).count("Search, noise band: two runs differ by 0.1. Vary something else.") == 1
    assert ending_json(launched)["verdicts"] == [noise.to_dict()]


def test_run_ends_with_the_approaches_and_the_advice(console: Console, tmp_path: Path) -> None:
    print_ending(console, Launched(Store(tmp_path).study("s"), overview(concluded(True)).state))
    text = printed(console)
    assert "* the approach of the chosen model." in text
    assert text.index("full*") < text.index("Trial 0 is best.") < text.index("Use full: loss 0.75 on test.")
    assert "echo TEXT | ftsweep predict s" in text


def test_a_model_of_pairs_is_asked_by_a_file(console: Console, tmp_path: Path) -> None:
    folder = Store(tmp_path).study("s")
    folder.trial(0).path.mkdir(parents=True)
    config = {"task": {"_target_": "ftsweep.tasks.Preference"}}
    spec = {"number": 0, "params": {}, "branch": "", "is_default": True, "config": config}
    write_json(folder.trial(0).spec_file, spec)
    print_ending(console, Launched(folder, overview(concluded(True)).state))
    assert "predict: ftsweep predict s PAIRS.jsonl" in printed(console)


def test_status_tells_of_lost_workers(console: Console, tmp_path: Path) -> None:
    folder = Store(tmp_path).study("s")
    for number in range(7):
        folder.note_lost(f"trial-000{number}", "gpu 0", "it was killed by SIGKILL")
    print_study(console, overview(concluded(True)), DISK, folder.lost_workers(), tmp_path)
    text = printed(console)
    assert "worker gpu 0 lost over trial-0006 at 20" in text
    assert "it was killed by SIGKILL" in text
    assert "trial-0001" not in text, "the last five are enough"
    assert "7 workers were lost in all" in text


def test_status_of_a_store_that_is_not_there_names_the_folder(console: Console, tmp_path: Path) -> None:
    print_store(console, [], tmp_path / "typo", {})
    print_store(console, [], tmp_path, {})
    missing, empty = printed(console).splitlines()
    start = f"ftsweep run quickstart store.path={tmp_path / 'typo'}"
    assert missing == f"There is no store yet at {tmp_path / 'typo'}. Start a study: {start}"
    assert empty.startswith(f"There are no studies yet in {tmp_path}.")
