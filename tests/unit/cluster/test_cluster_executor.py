"""What the executor makes of what its bridge says, and what it refuses before there is a bridge. No Ray is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftsweep.cluster import RayCluster, executor
from ftsweep.errors import ConfigError, MissingExtraError, StudyError
from ftsweep.testing.executor import scripted_context


def state(slot: str, message: dict[str, Any] | None = None, *, free: int = 1) -> dict[str, Any]:
    return {"type": "state", "slot": slot, "free": free, "lanes": 1, "applied": 0, "message": message}


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(executor, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"executor: ray needs the package 'ray'.*ftsweep\[ray\]"):
        RayCluster().open(scripted_context(tmp_path))


def test_an_address_where_nothing_answers_is_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(executor, "find_spec", lambda name: object())
    with pytest.raises(ConfigError, match=r"executor\.address: no Ray cluster answers at 127\.0\.0\.1:1: .*refused"):
        RayCluster(address="127.0.0.1:1").open(scripted_context(tmp_path))


def test_slots_come_and_go() -> None:
    cluster = RayCluster()
    cluster._hear(state("one cpu 0", {"type": "ready"}))
    cluster._hear(state("two cpu 1", {"type": "ready"}))
    assert (cluster.num_slots, cluster.num_free) == (2, 2)
    cluster._hear({"type": "leaving", "slot": "one cpu 0"})
    assert cluster.num_free == 1
    cluster._hear(state("one cpu 0"))  # said before it heard of it
    assert cluster.num_free == 1
    cluster._hear({"type": "gone", "slot": "one cpu 0"})
    assert (cluster.num_slots, cluster.num_free) == (1, 1)
    assert [message["worker"] for message in cluster._arrived] == ["one cpu 0", "two cpu 1"]


def test_a_refusal_ends_the_study_in_its_own_words() -> None:
    refused = {"type": "refused", "what": "no node can hold it", "where": "executor.slots", "remedy": "Ask for less."}
    with pytest.raises(ConfigError) as caught:
        RayCluster()._hear({**refused, "error": "ConfigError"})
    assert str(caught.value) == "executor.slots: no node can hold it. Ask for less."
    with pytest.raises(StudyError):
        RayCluster()._hear({**refused, "error": "StudyError"})


def test_a_note_is_a_log_message_of_no_job() -> None:
    cluster = RayCluster()
    cluster._hear({"type": "note", "level": "warning", "slot": "one cpu 0", "text": "it waits"})
    log = {"type": "log", "job": None, "level": "warning", "text": "it waits", "worker": "one cpu 0"}
    assert cluster._arrived == [log]


class DeadBridge:
    """It has died, and left a log."""

    def __init__(self, log: str) -> None:
        self._log = log

    def end(self) -> tuple[str, bool]:
        return "was killed by SIGKILL", False

    def log_tail(self, mark: int, *, num_lines: int) -> str:
        return self._log[mark:]


def lose_bridge(cluster: RayCluster, log: str = "") -> None:
    cluster._bridge = DeadBridge(log)  # type: ignore[assignment]
    cluster._lose_bridge()


def test_bridge_that_dies_before_it_has_reached_the_cluster_gets_two_tries_more(tmp_path: Path) -> None:
    cluster = RayCluster(address="head:1")
    cluster._context = scripted_context(tmp_path)
    lose_bridge(cluster)
    lose_bridge(cluster)
    with pytest.raises(StudyError) as caught:
        lose_bridge(cluster, "(raylet) its state:\n    [state-dump] a page\n\ncannot connect")
    assert str(caught.value).startswith(f"{tmp_path}")
    assert "was not reached: its bridge was killed by SIGKILL" in str(caught.value)
    assert "(raylet) its state:\ncannot connect" in str(caught.value)


def test_bridge_that_has_reached_the_cluster_is_started_again_and_again(tmp_path: Path) -> None:
    cluster = RayCluster(address="head:1")
    cluster._context = scripted_context(tmp_path)
    cluster._hear({"type": "connected"})
    cluster._hear(state("one cpu 0", {"type": "ready"}))
    cluster._slots["one cpu 0"].jobs.add("trial-0001")
    for _ in range(9):
        lose_bridge(cluster)
    lost = [message for message in cluster._arrived if message["type"] == "lost"]
    assert [(message["job"], message["kind"]) for message in lost] == [("trial-0001", "cluster")]
    assert cluster.num_slots == 0
