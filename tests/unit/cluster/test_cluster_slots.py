"""Which slots a node gets, and what is said of those that no node can hold."""

from __future__ import annotations

from typing import Any

import pytest

from ftsweep.cluster import RayCluster
from ftsweep.cluster.slots import Node, Wish, checked_wishes, slots_of, unheld, unheld_text
from ftsweep.errors import ConfigError

H100 = Node("a", "big", {"CPU": 32, "GPU": 2, "accelerator_type:H100": 1}, {"zone": "west", "ray.io/node-id": "a"})
T4 = Node("b", "small", {"CPU": 4, "GPU": 1, "accelerator_type:T4": 1}, {})
BARE = Node("c", "bare", {"CPU": 6}, {})
HEAD = Node("d", "head", {"CPU": 0}, {})


def test_without_wishes_each_gpu_is_a_slot_and_a_node_without_any_one() -> None:
    assert slots_of(H100, None) == [Wish(1.0, 16.0)] * 2
    assert slots_of(BARE, None) == [Wish(0.0, 6.0)]
    assert slots_of(HEAD, None) == []


def test_wishes_are_filled_in_their_order() -> None:
    whole, quarter = checked_wishes([{"gpus": 1, "accelerator": "H100"}, {"gpus": 0.25}]) or []
    assert slots_of(H100, [whole, quarter]) == [whole, whole]
    assert slots_of(T4, [whole, quarter]) == [quarter] * 4
    assert slots_of(BARE, [whole, quarter]) == []


@pytest.mark.parametrize(
    ("wish", "count"),
    [
        ({"gpus": 0.6}, 2),  # a slot has its share of one GPU, never of two
        ({"gpus": 0.1}, 20),
        ({"gpus": 0.5, "count": 3}, 3),
        ({"gpus": 0.5, "cpus": 16}, 2),
        ({"cpus": 5}, 6),
        ({"labels": {"zone": "west"}, "cpus": 32}, 1),
        ({"labels": {"zone": "east"}}, 0),
        ({"accelerator": "T4"}, 0),
    ],
)
def test_a_node_gets_as_many_as_it_can_hold(wish: dict[str, Any], count: int) -> None:
    assert len(slots_of(H100, checked_wishes([wish]))) == count


def test_what_no_node_can_hold_is_told_with_what_there_is() -> None:
    wishes = checked_wishes([{"gpus": 1, "accelerator": "B200"}, {"gpus": 0.25}])
    missing = unheld([H100, T4], wishes)
    assert missing == [Wish(1, 1.0, "B200")]
    assert unheld_text([H100, T4], missing) == (
        "no node of the Ray cluster can hold a slot of {gpus: 1, accelerator: B200}: "
        "big has 32 CPUs, 2 GPUs H100, labels {'zone': 'west'}; small has 4 CPUs, 1 GPUs T4"
    )
    assert unheld([HEAD], None) == [Wish()]
    assert unheld([HEAD, BARE], None) == []


@pytest.mark.parametrize(
    ("slot", "text"),
    [
        ({"gpu": 1}, r"executor\.slots\[0\]: a slot has no gpu\. A slot may have gpus, cpus"),
        ({"gpus": 2}, "2 is not possible. Give 0 to 1: a trial runs on one GPU at most"),
        ({"gpus": True}, "True is not possible"),
        ({"cpus": 0}, "0 is no number of CPUs"),
        ({"count": 1.5}, "1.5 is no number of slots"),
        ({"labels": {"zone": 1}}, "are no labels"),
        ({"accelerator": 5}, "5 is no kind of GPU"),
        (["gpus"], r"\['gpus'\] is no slot"),
    ],
)
def test_a_wrong_slot_is_refused_before_anything_starts(slot: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        RayCluster(slots=[slot])


def test_wrong_settings_are_refused_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match=r"executor\.slots: no slot is asked for"):
        RayCluster(slots=[])
    with pytest.raises(ConfigError, match="on a machine of the cluster"):
        RayCluster(address="ray://head:10001")
    with pytest.raises(ConfigError, match="too short or too long"):
        RayCluster(heartbeat_seconds=1)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"threads": 0}, r"executor\.threads: 0 threads are not possible"),
        ({"threads": -2}, "threads are not possible"),
        ({"scratch": "fast/disk"}, r"executor\.scratch: 'fast/disk' is no absolute path"),
        ({"cache_gib": -1}, r"executor\.cache_gib: -1 GiB are not possible"),
        ({"cache_gib": float("nan")}, "GiB are not possible"),
    ],
)
def test_settings_of_nodes_are_checked_before_anything_starts(settings: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        RayCluster(**settings)
