from __future__ import annotations

import json
from typing import Any

from ftsweep.cli.workers_text import workers_facts, workers_lines
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, TrialRecord
from ftsweep.store.folders import StudyFolder


def ended(number: int, **extra: Any) -> TrialRecord:
    outcome = Outcome(OutcomeKind.COMPLETE, extra=extra)
    return TrialRecord(Proposal(number, "main", {}), outcome=outcome)


def test_status_tells_what_was_measured_and_which_trials_shared(tmp_path):
    folder = StudyFolder(tmp_path)
    threads = {"workers": 2, "threads": 1, "step_seconds": {"1": 0.5, "2": 0.75}, "cores": 2}
    folder.threads_file.write_text(json.dumps(threads), encoding="utf-8")
    lanes = {"lanes": 2, "branches": {"main": {"lanes": 2, "rates": {"1": 1.0, "2": 1.3, "4": 1.35}, "reason": ""}}}
    folder.lanes_file.write_text(json.dumps(lanes), encoding="utf-8")
    trials = [ended(0, shared_steps=7), ended(1, shared_steps=5), ended(2, shared_steps=0, alone="it computes alone")]
    facts = workers_facts(folder, trials)
    assert facts == {"threads": threads, "lanes": lanes, "shared_steps": 12, "alone": {"it computes alone": 1}}
    assert workers_lines(facts) == [
        "2 workers with 1 thread each: a step takes 0.5 s with 1, 0.75 s with 2.",
        "Lanes of main: 2; measured: 2 train 1.30 times as much, 4 train 1.35 times as much in the same CPU time.",
        "12 steps of ended trials in shared passes.",
        "  1 trial alone: it computes alone",
    ]


def test_a_study_of_one_lane_with_threads_set_by_hand_says_nothing(tmp_path):
    facts = workers_facts(StudyFolder(tmp_path), [ended(0)])
    assert facts == {"threads": None, "lanes": None, "shared_steps": None, "alone": {}}
    assert workers_lines(facts) == []
