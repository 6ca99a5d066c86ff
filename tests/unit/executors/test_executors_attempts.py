"""How often a job is tried again, by what it was lost over."""

from __future__ import annotations

from typing import Any

from ftsweep.domain.trial import OutcomeKind
from ftsweep.executors.attempts import MAX_NODE_LOSSES, MAX_RETRIES, Attempts


def lost(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": "lost", "job": "trial-0001", "kind": kind, "reason": "gone", "log_tail": "", **more}


def test_lost_processes_fail_a_job_after_a_few() -> None:
    attempts = Attempts()
    assert [attempts.after(lost("process")) for _ in range(MAX_RETRIES)] == [None] * MAX_RETRIES
    outcome = attempts.after(lost("process"))
    assert outcome is not None
    assert outcome.kind is OutcomeKind.FAILED


def test_lost_nodes_count_only_without_progress_and_apart_from_processes() -> None:
    attempts = Attempts()
    for _ in range(3 * MAX_NODE_LOSSES):
        assert attempts.after(lost("node", has_progress=True)) is None
    for _ in range(MAX_NODE_LOSSES - 1):
        assert attempts.after(lost("node")) is None
    assert attempts.after(lost("process")) is None
    outcome = attempts.after(lost("node"))
    assert outcome is not None
    assert outcome.kind is OutcomeKind.FAILED


def test_a_cluster_that_is_away_fails_nothing() -> None:
    attempts = Attempts()
    assert [attempts.after(lost("cluster")) for _ in range(50)] == [None] * 50
