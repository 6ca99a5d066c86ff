"""Sends what lies in a study's folders to its recorder: what an earlier process could not send arrives now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ftsweep.analysis.model_card import trial_description
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Outcome, Proposal, TrialRecord
from ftsweep.domain.verdict import verdict_tags
from ftsweep.recording.base import Recorder, baseline_ending
from ftsweep.store.atomic import read_json
from ftsweep.store.folders import StudyFolder, TrialFolder


def sync_study(recorder: Recorder, folder: StudyFolder, objective: Objective) -> int:
    """Make the calls of every baseline and trial on disk; those that have arrived whole are passed over.

    A trial that has not ended is measured, and begun by whoever lets it go on. Doing this twice changes nothing.
    Returns how many trials and baselines were sent.
    """
    num_sent = 0
    baselines = [TrialFolder(path) for path in sorted(folder.path.glob("trials/baseline-*"))]
    fresh = [(folder.run(number, seed), seed) for number, seed in folder.fresh_runs()]
    for trial, seed in [*((each, 0) for each in [*baselines, *folder.trials()]), *fresh]:
        if not trial.spec_file.exists():
            continue
        spec = trial.spec()
        proposal = Proposal(spec["number"], spec["branch"], spec["params"], spec["is_default"], seed)
        if recorder.has_arrived(proposal):
            continue
        outcome, best, measurements = _ending(trial, proposal, objective)
        started = trial.spec_file.stat().st_mtime
        if outcome is not None or measurements:
            recorder.begin_trial(proposal, tags={}, params=proposal.params, timestamp=started)
            recorder.measure_all(proposal, measurements)
        pause = None if outcome is not None else trial.pause()
        if pause is not None and not pause.is_over:
            recorder.pause_trial(proposal, pause, timestamp=trial.pause_file.stat().st_mtime)
        if outcome is not None:
            verdicts = trial.verdicts()
            told = {"description": trial_description(TrialRecord(proposal, outcome=outcome), verdicts)}
            tags = verdict_tags(verdicts) | (told if proposal.number >= 0 else {})
            recorder.end_trial(proposal, outcome, best=best, tags=tags, timestamp=_ended_at(trial))
            num_sent += 1
    return num_sent


def _ending(
    trial: TrialFolder, proposal: Proposal, objective: Objective
) -> tuple[Outcome | None, Mapping[str, float], list[Measurement]]:
    """A trial's outcome (None while it goes on), its values at the best rung, and what it measured."""
    if proposal.number < 0:
        file = _baseline_file(trial)
        return (*baseline_ending(read_json(file)), []) if file.exists() else (None, {}, [])
    measurements = trial.measurements()
    best = objective.best(measurements)
    return trial.outcome(), best.values if best else {}, measurements


def _ended_at(trial: TrialFolder) -> float:
    file = trial.outcome_file if trial.outcome_file.exists() else _baseline_file(trial)
    return file.stat().st_mtime


def _baseline_file(trial: TrialFolder) -> Path:
    return trial.path / "baseline.json"
