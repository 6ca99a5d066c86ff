"""How workers share the cores: what is timed, and what is made of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ftsweep.errors import ConfigError
from ftsweep.executors import devices, sharing
from ftsweep.executors.sharing import Cores, Sharing, best_sharing, fastest_threads, powers_up_to


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve cores, 100 GiB free, no CUDA device."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(devices, "_devices_of_driver", list)
    for module in (devices, sharing):
        monkeypatch.setattr(module, "num_cores", lambda: 12)
    memory = SimpleNamespace(available=100 * 2**30)
    monkeypatch.setattr(sharing.psutil, "virtual_memory", lambda: memory)


def cores(**settings: Any) -> Cores:
    return Cores(**{"workers": None, "cpu_workers": 1, "threads": "auto", **settings})


def test_powers_of_two_and_all() -> None:
    assert [powers_up_to(most) for most in (1, 2, 6, 8)] == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]


def test_fewest_threads_that_are_as_good_as_the_fastest() -> None:
    assert fastest_threads({1: 1.0, 2: 0.6, 4: 0.55, 8: 0.9}) == 2
    assert fastest_threads({1: 1.0, 2: 0.6, 4: 0.5}) == 4
    assert fastest_threads({1: 0.05, 2: 1.44}) == 1


def test_more_workers_where_threads_bring_little() -> None:
    assert best_sharing({1: 1.0, 2: 0.9, 4: 0.85}, cores=4, most=9) == Sharing(4, 1)
    assert best_sharing({1: 1.0, 2: 0.52, 4: 0.27}, cores=4, most=9) == Sharing(1, 4)  # threads are worth as much
    assert best_sharing({1: 1.0, 2: 0.9, 4: 0.85}, cores=4, most=2) == Sharing(2, 2)
    assert best_sharing({1: 1.0, 2: 0.9, 4: 0.85}, cores=4, most=1) == Sharing(1, 2)


@pytest.mark.parametrize(
    ("settings", "counts"),
    [
        ({}, [1, 2, 4, 8, 12]),
        ({"cpu_workers": 3}, [1, 2, 4]),
        ({"workers": 6}, [1, 2]),
        ({"workers": "auto"}, [1, 2, 4, 8, 12]),
        ({"workers": "auto", "threads": None}, [1, 2, 4, 8, 12]),
        ({"workers": "auto", "threads": 3}, [3]),
        ({"threads": None}, []),
        ({"threads": 2}, []),
    ],
)
def test_what_is_timed(settings: dict[str, Any], counts: list[int]) -> None:
    assert list(cores(**settings).thread_counts()) == counts


def test_nothing_is_timed_with_devices_or_once_it_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    known = cores()
    known.settled = Sharing(2, 3)
    assert list(known.thread_counts()) == []
    assert [place.threads for place in known.places()] == [3, 3]
    monkeypatch.setattr(devices, "_devices_of_driver", lambda: ["0", "1"])
    assert list(cores(workers="auto").thread_counts()) == []
    assert [place.name for place in cores(workers="auto").places()] == ["gpu 0", "gpu 1"]


def test_threads_of_the_environment_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert list(cores().thread_counts()) == []
    assert [place.threads for place in cores().places()] == [3]
    assert list(cores(workers="auto").thread_counts()) == [3]


def test_number_of_workers_that_was_given_stays() -> None:
    assert cores(cpu_workers=3).choose({1: 1.0, 2: 0.99, 4: 0.98}, 1.0) == Sharing(3, 1)
    assert cores(workers=2).choose({1: 1.0, 2: 0.5}, 1.0) == Sharing(2, 2)


def test_memory_bounds_the_workers() -> None:
    flat = {1: 1.0, 2: 0.99, 4: 0.98, 8: 0.97, 12: 0.96}
    assert cores(workers="auto").choose(flat, 0.5) == Sharing(12, 1)
    assert cores(workers="auto").choose(flat, 50.0) == Sharing(2, 1)
    assert cores(workers="auto").choose(flat, 200.0) == Sharing(1, 1)


@pytest.mark.parametrize("settings", [{"workers": 0}, {"cpu_workers": -1}, {"threads": 5000}])
def test_what_is_no_number_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="is not a number of"):
        cores(**settings)
