"""What the bridge does about slots that die, with nodes and actors that are not there: Ray is imported, not started."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray", reason="needs Ray: pip install 'ftsweep[ray]'")

from ftsweep.cluster import bridge as bridge_module
from ftsweep.cluster.admission import NotStartedError, SlotDiedError
from ftsweep.cluster.bridge import Bridge
from ftsweep.cluster.inputs import Inputs
from ftsweep.cluster.link import Link as RealLink
from ftsweep.cluster.slots import Node, Wish

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

NODE = Node("n1", "one", {"CPU": 1.0}, {})


class Nodes:
    """One, which lives."""

    def may_hold(self, identity: str) -> bool:
        return True

    def is_draining(self, identity: str) -> bool:
        return False

    def alive(self) -> list[Node]:
        return [Node("head", "head", {}, {})]


class Link:
    """A slot that lives until it is ended."""

    def __init__(self, name: str, node: Node, wish: Wish, *_: Any) -> None:
        self.name, self.node, self.wish, self.actor = name, node, wish, None
        self.attempts: dict[str, Any] = {}
        self.is_drained = self.has_worked = self.is_unfit = False
        self.lanes: list[int] = []

    def begin(self, code: Any) -> None:
        return

    def start(self) -> None:
        return

    def use_lanes(self, lanes: int) -> None:
        self.lanes.append(lanes)


@pytest.fixture
def bridge(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bridge]:
    monkeypatch.setattr(bridge_module, "_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(bridge_module, "_JOIN_SECONDS", 0.0)
    monkeypatch.setattr(bridge_module, "Link", Link)
    monkeypatch.setattr(bridge_module.ray, "kill", lambda actor: None)
    settings = {"slots": None, "heartbeat_seconds": 15.0, "address": "head:1", "is_first": True, "lanes": 1}
    bridge = Bridge({**settings, "context": {"python_path": [], "log_folder": str(tmp_path)}}, io.StringIO())
    bridge._nodes = Nodes()  # type: ignore[assignment]
    yield bridge
    bridge._carrier.shared.remove()


def link_of(bridge: Bridge, name: str = "one cpu 0", say: Any = print, on_end: Any = lambda *_: None) -> RealLink:
    return RealLink(name, NODE, Wish(), None, 15.0, bridge._carrier, say, on_end)


def said(bridge: Bridge) -> list[dict[str, Any]]:
    return [json.loads(line) for line in bridge._output.getvalue().splitlines()]


def start(bridge: Bridge, monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> int:
    """Have a slot started that fails with these before it does not: the number of tries."""
    left, tries = list(errors), []

    def started(*_: Any) -> None:
        tries.append(None)
        if left:
            raise left.pop(0)

    monkeypatch.setattr(bridge_module, "started", started)
    bridge._num_starting += 1
    bridge._start(NODE, Wish())
    return len(tries)


def test_slot_that_dies_while_it_is_started_is_started_again(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    assert start(bridge, monkeypatch, SlotDiedError("killed"), SlotDiedError("killed")) == 3
    assert len(bridge._links) == 1
    assert bridge._num_starting == 0
    assert said(bridge) == []


def test_node_whose_slots_die_again_and_again_is_left_out(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    assert start(bridge, monkeypatch, *[SlotDiedError("killed")] * 5) == 3
    assert [each["type"] for each in said(bridge)] == ["refused"]
    assert bridge._num_starting == 0


def test_slot_that_may_not_be_used_is_tried_once(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    assert start(bridge, monkeypatch, NotStartedError("it has torch 1.0")) == 1
    assert [each["type"] for each in said(bridge)] == ["refused"]


@pytest.mark.parametrize("has_worked", [True, False])
def test_only_slots_that_achieved_nothing_count_against_their_node(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, has_worked: bool
) -> None:
    start(bridge, monkeypatch)
    for _ in range(4):
        if bridge._links:
            (link,) = bridge._links.values()
            link.has_worked = has_worked
            bridge._ended(link, "was killed", "node")
    assert len(bridge._links) == has_worked


@pytest.mark.parametrize("is_first", [True, False])
def test_cluster_that_comes_back_has_as_long_as_it_takes(bridge: Bridge, is_first: bool) -> None:
    bridge._settings = {**bridge._settings, "is_first": is_first}
    bridge._say_what_is_unheld()
    assert [each["type"] for each in said(bridge)] == ["note", "refused"][: 1 + is_first]


def test_bridge_without_a_control_process_takes_nothing_more(bridge: Bridge) -> None:
    heard: list[Any] = []
    link = link_of(bridge, say=heard.append)
    news = {"items": [{"kind": "state"}], "free": 1, "lanes": 1, "applied": 0}
    assert link._take_all({"first": 0, **news}, 0) == 1
    bridge._links[link.name] = link
    bridge._nodes.watch = lambda: None  # type: ignore[method-assign]
    bridge.run(iter(()))
    thread = threading.Thread(target=link._take_all, args=({"first": 1, **news}, 1), daemon=True)
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()
    assert len(heard) == 1


def test_slots_have_as_many_lanes_as_were_measured_whenever_they_start(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(bridge, monkeypatch)
    given = []

    def started(name: str, node: Node, wish: Wish, settings: dict[str, Any], say: Any) -> None:
        given.append(settings["lanes"])
        if len(given) == 1:  # while it starts
            bridge._obey({"type": "lanes", "lanes": 4})

    monkeypatch.setattr(bridge_module, "started", started)
    for _ in range(2):
        bridge._num_starting += 1
        bridge._start(NODE, Wish())
    assert given == [1, 4]
    assert [link.lanes for link in bridge._links.values()] == [[4], [4], []]


def test_node_that_has_other_data_is_left_out_with_all_its_slots_and_no_job_is_to_blame(bridge: Bridge) -> None:
    jobs = {}
    for name in ("one cpu 0", "one cpu 1"):
        link = bridge._links[name] = link_of(bridge, name, bridge.say, bridge._ended)
        jobs[name] = {"job": f"trial-{name[-1]}", "type": "train"}
        link.submit(jobs[name], Inputs(), f"a{name[-1]}")
    failed = {
        "type": "failed",
        "job": "trial-0",
        "error_class": "OtherSourceError",
        "message": "PyDocs gives other rows",
    }
    item = {"kind": "message", "attempt": "a0", "message": failed}
    bridge._links["one cpu 0"]._take(item, {"free": 0, "lanes": 1, "applied": 1})
    heard = said(bridge)
    lost = [each["message"] for each in heard if each["type"] == "state"]
    assert [(each["job"], each["type"], each["kind"], each["has_progress"]) for each in lost] == [
        ("trial-0", "lost", "node", True),
        ("trial-1", "lost", "node", True),
    ]
    assert heard[-1]["type"] == "refused"
    assert "one cpu 1" in heard[-1]["what"]
    assert "PyDocs gives other rows" in heard[-1]["what"]
    assert bridge._num_starting == 0
