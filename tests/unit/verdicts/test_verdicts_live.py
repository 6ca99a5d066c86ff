"""Verdicts while a study runs: live, kept in the trial's folder, taken up by the next process, settled at the end."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from ftsweep.cli.status_view import print_study
from ftsweep.cli.study_json import study_json
from ftsweep.config.compose import compose_sweep
from ftsweep.control.continuity import manifest_of
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch, FloatInterval, Space
from ftsweep.domain.study_state import StudyState
from ftsweep.domain.terms import changes
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, TrialRecord
from ftsweep.domain.verdict import VerdictKind
from ftsweep.errors import ConfigError
from ftsweep.report.overview import StudyOverview
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.store.manifest import Extension
from ftsweep.store.row_scores import RungLosses, write_losses
from ftsweep.strategies import LinearProbe
from ftsweep.tasks.classification import Classification
from ftsweep.verdicts import live as module
from ftsweep.verdicts.live import Verdicts

JUDGE = {"_target_": "ftsweep.verdicts.FitVerdicts", "mode": "judge"}
OVERFIT = ([2.0, 1.2, 1.0, 1.1, 1.3], [2.0, 1.1, 0.9, 0.8, 0.7])
WEAK = ([2.0, 1.2, 1.1, 1.1], [2.0, 1.2, 1.09, 1.09])
FINE = ([2.0, 0.8, 0.5, 0.499], [2.0, 0.7, 0.45, 0.45])
NUM_ROWS = 300
DISK = {"total": 0, "weights": 0, "checkpoints": 0}


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return Store(tmp_path).study("fits")


def judge_of(folder: StudyFolder, baseline: Any = None, branches: Any = None, **settings: Any) -> Verdicts:
    space = Space({"training.learning_rate": FloatInterval(1e-4, 1e-1, log=True)})
    config = {
        "training": {"learning_rate": 1e-3, "epochs": 4},
        "strategy": {"_target_": "ftsweep.strategies.Lora", "dropout": 0.0},
        "guards": {"fit": {**JUDGE, **settings}},
    }
    branches = branches or {"": Branch("", config, space)}
    data = {branch.label: {"num_examples": {"validation": NUM_ROWS}} for branch in branches.values()}
    return Verdicts(folder, Objective(metrics=Classification.metrics), branches, baseline or {}, data)


def trial(
    folder: StudyFolder, curves: Any, number: int = 0, kind: OutcomeKind | None = OutcomeKind.COMPLETE, upto: int = 99
) -> TrialRecord:
    """A trial that has measured these losses up to a rung, with its rows' losses on disk."""
    generator = np.random.default_rng(number)
    base = generator.gamma(2.0, 0.5, NUM_ROWS)
    last, measurements = len(curves[0]) - 1, []
    for rung, (validation, train) in enumerate(zip(*curves, strict=True)):
        rows = (base - base.mean() + validation + generator.normal(0, 0.02, NUM_ROWS)).astype(np.float32)
        if rung <= upto:
            write_losses(folder.trial(number).path, rung, RungLosses(rows, rows))
            values = {"validation/loss": validation, "train/loss": train}
            measurements.append(Measurement(rung, rung / last, rung, rung, 1.0, 0.0, values))
    proposal = Proposal(number, "", {"training.learning_rate": 1e-3})
    return TrialRecord(proposal, tuple(measurements), None if kind is None else Outcome(kind))


def test_a_running_trial_is_judged_at_every_rung_and_its_folder_tells_it(folder: StudyFolder) -> None:
    judge = judge_of(folder)
    labels, changed = [], []
    for upto in range(5):
        changed.append(judge.judge(trial(folder, OVERFIT, kind=None, upto=upto)))
        labels.append([verdict.label for verdict in folder.trial(0).verdicts()])
    assert labels[0] == []
    assert labels[2] == ["healthy (so far)"]
    assert labels[4] == ["overfit (severe)"]
    assert changed == [False, True, False, True, True]
    assert judge.tags(0)["verdict.severity"] == "severe"
    assert judge.tags(0)["verdict.advice"].endswith("training.epochs=2")


def test_nothing_of_an_ended_trial_is_read_again(folder: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    first, ended = judge_of(folder), [trial(folder, OVERFIT), trial(folder, FINE, 1)]
    for record in ended:
        first.judge(record)
    monkeypatch.setattr(module, "read_validation_losses", lambda *_: pytest.fail("rows of an ended trial were read"))
    first.settle(ended)
    second = judge_of(folder)
    second.recover(ended)
    second.settle(ended)
    assert second.found == first.found
    assert second.found[0][0].numbers["z_end"] > 2


@pytest.mark.parametrize("what", ["other thresholds", "gone", "torn", "of an earlier rung"])
def test_what_was_said_is_said_anew_where_it_does_not_hold(folder: StudyFolder, what: str) -> None:
    ended, file = trial(folder, OVERFIT), folder.trial(0).fit_file
    judge_of(folder).judge(replace(ended, measurements=ended.measurements[:3]) if "earlier" in what else ended)
    if what == "gone":
        file.unlink()
    elif what == "torn":
        file.write_text(file.read_text()[:20])
        assert folder.trial(0).verdicts() == ()
    judge = judge_of(folder, **({"overfit": 40.0, "memorising": 0.9} if what == "other thresholds" else {}))
    judge.recover([ended])
    (kind,) = {verdict.kind for verdict in folder.trial(0).verdicts()}
    assert kind is (VerdictKind.HEALTHY if what == "other thresholds" else VerdictKind.OVERFIT)


def test_a_trial_far_above_a_later_best_is_told_when_the_search_is_over(folder: StudyFolder) -> None:
    judge = judge_of(folder)
    weak, fine = trial(folder, WEAK), trial(folder, FINE, 1)
    judge.judge(weak)
    judge.judge(fine)
    assert judge.found[0][0].kind is VerdictKind.HEALTHY
    assert judge.settle([weak, fine]) == [weak]
    assert folder.trial(0).verdicts()[0].kind is VerdictKind.UNDER_CAPACITY
    assert judge.settle([weak, fine]) == []


def test_a_branch_that_trains_a_head_is_a_baseline_for_the_others(folder: StudyFolder) -> None:
    lora = judge_of(folder).branches[""]
    head = {**lora.config, "strategy": {"_target_": "ftsweep.strategies.LinearProbe"}}
    role = LinearProbe().role
    branches = {"lora": Branch("lora", lora.config, Space()), "head": Branch("head", head, Space(), role)}
    judge = judge_of(folder, branches=branches)
    records = []
    for number, (name, accuracy) in enumerate([("lora", 0.5), ("head", 0.8), ("head", 0.5)]):
        record = trial(folder, FINE, number)
        measured = [replace(m, values={**m.values, "validation/accuracy": accuracy}) for m in record.measurements]
        records.append(replace(record, proposal=Proposal(number, name, {}), measurements=tuple(measured)))
        judge.judge(records[-1])
    assert judge.settle(records) == records[:1]
    assert "below that of head" in judge.found[0][0].message
    assert judge.found[2][0].kind is VerdictKind.HEALTHY, "the best head is no baseline for other heads"


def test_off_says_and_writes_nothing(folder: StudyFolder) -> None:
    judge = judge_of(folder, mode="off")
    record = trial(folder, OVERFIT)
    judge.recover([record])
    assert (judge.judge(record), judge.settle([record]), judge.tags(0), judge.found) == (False, [], {}, {})
    assert not folder.trial(0).fit_file.exists()


def test_rows_that_were_lost_leave_only_what_needs_rows_unsaid(folder: StudyFolder) -> None:
    record = trial(folder, OVERFIT)
    for file in (folder.trial(0).path / "losses").iterdir():
        file.write_bytes(b"PK torn")
    judge = judge_of(folder)
    judge.judge(record)
    assert VerdictKind.OVERFIT not in {verdict.kind for verdict in judge.found[0]}


def test_what_lies_on_disk_is_plain_json(folder: StudyFolder) -> None:
    judge_of(folder).judge(trial(folder, OVERFIT))
    said = json.loads(folder.trial(0).fit_file.read_text(), parse_constant=lambda name: pytest.fail(name))
    assert set(said) == {"rung", "outcome", "settings", "tests", "verdicts"}


def test_another_class_is_no_judge(folder: StudyFolder) -> None:
    with pytest.raises(ConfigError, match="no judge of trials"):
        judge_of(folder, _target_="ftsweep.guards.ExactCopies", mode="refuse")


def test_a_study_may_go_on_with_another_judge_but_not_with_other_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    overrides = ([], ["guards.fit=off"], ["training.epochs=2.5"])
    plain, unjudged, longer = (manifest_of(compose_sweep("quickstart", more)).terms for more in overrides)
    assert changes(plain, unjudged) == []
    assert [change.path for change in changes(plain, longer)] == ["branches.main.config.training.epochs"]


def test_status_and_best_tell_why_and_what_to_do(folder: StudyFolder) -> None:
    judge, records = judge_of(folder), (trial(folder, OVERFIT), trial(folder, FINE, 1))
    for record in records:
        judge.judge(record)
    snapshot = StudyState("fits", "running", Objective(), 4, 2, records, verdicts=folder.verdicts())
    console = Console(file=io.StringIO(), width=160)
    overview = StudyOverview(snapshot)
    print_study(console, overview, DISK, [], folder.store.root)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "overfit (severe)" in text.split("\n")[2]
    assert "Fit: 1 overfit, 1 healthy." in text
    assert "trial 0 overfit (severe): validation loss rose by 30.0 % after rung 2" in text
    assert "Train shorter, or with a lower rate: training.epochs=2" in text
    assert study_json(overview, DISK, [], Extension())["trials"][0]["verdicts"][0]["kind"] == "overfit"
