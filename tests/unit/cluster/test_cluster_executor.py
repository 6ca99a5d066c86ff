"""What the executor makes of what its bridge says, and what it refuses before there is a bridge. No Ray is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftsweep.cluster import RayCluster, executor
from ftsweep.errors import ConfigError, MissingExtraError, StudyError
from ftsweep.testing.executor import scripted_context


def state(
    slot: str,
    message: dict[str, Any] | None = None,
    *,
    free: int = 1,
    lanes: int = 1,
    is_last: bool = True,
    sent: int = 0,
) -> dict[str, Any]:
    said = {"type": "state", "slot": slot, "free": free, "lanes": lanes, "applied": 0, "message": message}
    return {**said, "is_last": is_last, "carried": {"sent": sent}}


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


@pytest.mark.parametrize("lanes", [0, 65, 1.5, "many"])
def test_lanes_are_a_number(lanes: Any) -> None:
    with pytest.raises(ConfigError, match=r"executor\.lanes: .*Give 1 to 64"):
        RayCluster(lanes=lanes)


class Bridge:
    """Keeps what it is told, and says what it is asked to."""

    def __init__(self, cluster: RayCluster) -> None:
        self.told: list[dict[str, Any]] = []
        self.to_say: list[dict[str, Any]] = []
        self._cluster = cluster
        cluster._bridge, cluster._is_open = self, True  # type: ignore[assignment]
        cluster._exchange = self.say  # type: ignore[method-assign]

    def send(self, message: dict[str, Any]) -> None:
        self.told.append(message)

    def say(self, wait_seconds: float) -> None:
        if self.to_say:
            self._cluster._hear(self.to_say.pop(0))


def test_a_worker_of_lanes_takes_its_next_turn_when_all_of_the_last_one_was_handed_on_and_answered() -> None:
    cluster = RayCluster(lanes=2)
    bridge = Bridge(cluster)
    bridge.to_say = [state("one cpu 0", {"type": "ready"}, free=2, lanes=2)]
    assert [message["type"] for message in cluster.poll(0)] == ["ready"]
    assert (cluster.num_slots, cluster.num_free) == (2, 2)
    for job in ("trial-0001", "trial-0002"):
        cluster.submit({"type": "train", "job": job})
    assert cluster.num_free == 0
    turn = [{"type": "measured", "job": "trial-0001"}, {"type": "ended", "job": "trial-0002"}]
    bridge.to_say = [state("one cpu 0", turn[0], lanes=2, is_last=False), state("one cpu 0", turn[1], lanes=2)]
    assert cluster.poll(0) == []  # the second half is on its way
    assert bridge.told.pop()["type"] == "go"
    assert cluster.num_free == 0
    assert [message["type"] for message in cluster.poll(0)] == ["measured", "ended"]
    cluster.reply("trial-0001", {"type": "continue", "job": "trial-0001"})
    assert [message["type"] for message in bridge.told[2:]] == ["reply"]
    assert cluster.poll(0) == []
    assert [message["type"] for message in bridge.told[2:]] == ["reply", "go"]
    assert cluster.poll(0) == []
    assert len(bridge.told) == 4


def test_measured_lanes_are_filled_once_a_slot_says_that_it_has_them() -> None:
    cluster = RayCluster(lanes="auto")
    assert (cluster.lanes, cluster.num_lanes) == ("auto", 1)
    bridge = Bridge(cluster)
    bridge.to_say = [state(slot, {"type": "ready"}) for slot in ("one cpu 0", "two cpu 1")]
    for _ in range(2):
        cluster.poll(0)
    assert cluster.num_free == 2
    cluster.use_lanes(3)
    assert bridge.told == [{"type": "lanes", "lanes": 3}]
    assert cluster.num_free == 0  # what it says now was said before it heard of it
    bridge.to_say = [state("one cpu 0"), state("two cpu 1", free=3, lanes=3)]
    cluster.poll(0)
    assert cluster.num_free == 0
    cluster.poll(0)
    assert cluster.num_free == 3
    for number in range(3):
        cluster.submit({"type": "train", "job": f"trial-{number}"})
    assert [command["slot"] for command in bridge.told if command["type"] == "submit"] == ["two cpu 1"] * 3
    with pytest.raises(RuntimeError, match="no worker is free"):
        cluster.submit({"type": "train", "job": "trial-3"})
    cluster._context = scripted_context(Path("study"))
    assert cluster._settings()["lanes"] == 3  # of a bridge that is started later


def test_what_was_prepared_and_found_first_goes_with_every_later_job_of_its_branch() -> None:
    cluster = RayCluster()
    bridge = Bridge(cluster)

    def done(job: str, branch: str, **result: Any) -> tuple[list[str], dict[str, str] | None]:
        """What goes with a job, which then ends with this result."""
        cluster.submit({"type": "train", "job": job, "spec": {"branch": branch}})
        told = bridge.told[-1]
        heard = state("one cpu 0", {"type": "ended", "job": job, "result": result})
        cluster._hear({**heard, "applied": cluster._slots["one cpu 0"].submitted})
        return told["made"], told["job"].get("sources")

    cluster._hear(state("one cpu 0", {"type": "ready"}))
    assert done("prepare-a", "a", made=["/cache/prepared/0a"], sources={"pydocs": "f1"}) == ([], None)
    assert done("prepare-b", "b", made=["/cache/prepared/0b"], sources={"hub": "f2"}) == ([], {"pydocs": "f1"})
    assert done("trial-0000", "b") == (["/cache/prepared/0b"], {"pydocs": "f1", "hub": "f2"})
    assert done("trial-0001", "a") == (["/cache/prepared/0a"], {"pydocs": "f1", "hub": "f2"})


def test_bytes_that_were_carried_are_counted_over_all_bridges(tmp_path: Path) -> None:
    cluster = RayCluster(address="head:1")
    cluster._context = scripted_context(tmp_path)
    cluster._hear({"type": "connected"})
    for sent in (3, 5):
        cluster._hear(state("one cpu 0", sent=sent))
    lose_bridge(cluster)
    cluster._hear(state("one cpu 1", sent=2))
    assert cluster.carried["sent"] == 7


def test_half_a_turn_of_a_slot_that_is_gone_is_not_lost() -> None:
    cluster = RayCluster(lanes=2)
    half = {"type": "measured", "job": "trial-0001"}
    cluster._hear(state("one cpu 0", half, lanes=2, is_last=False))
    assert cluster._arrived == []
    cluster._hear({"type": "gone", "slot": "one cpu 0"})
    cluster._hear(state("one cpu 0", {"type": "lost", "job": "trial-0001"}, lanes=0))
    assert [message["type"] for message in cluster._arrived] == ["measured", "lost"]


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
