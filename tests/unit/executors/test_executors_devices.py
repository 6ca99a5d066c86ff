"""Devices are found without torch, and each worker gets its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ftsweep.errors import ConfigError
from ftsweep.executors import devices
from ftsweep.executors.devices import find_cuda_devices, num_cores, plan_places, share_of_threads


@pytest.fixture
def four_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_devices_of_driver", lambda: ["0", "1", "2", "3"])


@pytest.fixture
def no_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_devices_of_driver", list)


def write_program(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


@pytest.mark.usefixtures("four_devices")
@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, ["0", "1", "2", "3"]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("2, 0", ["2", "0"]),
        ("1,-1,2", ["1"]),
        ("GPU-8932f937,MIG-6f2a", ["GPU-8932f937", "MIG-6f2a"]),
    ],
)
def test_devices_the_user_hides_are_not_used(visible: str | None, expected: list[str]) -> None:
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert find_cuda_devices(environment) == expected


@pytest.mark.usefixtures("no_devices")
def test_visible_devices_without_a_driver_are_none() -> None:
    assert find_cuda_devices({"CUDA_VISIBLE_DEVICES": "0,1"}) == []


def test_devices_are_those_that_nvidia_smi_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_program(tmp_path, "echo 0; echo 1", monkeypatch)
    assert find_cuda_devices({}) == ["0", "1"]


@pytest.mark.parametrize("text", ["echo No devices were found", "echo NVIDIA-SMI has failed; exit 9"])
def test_driver_that_does_not_answer_means_no_device(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(tmp_path, text, monkeypatch)
    assert find_cuda_devices({}) == []


@pytest.mark.usefixtures("four_devices")
def test_one_worker_per_device_unless_fewer_are_asked_for() -> None:
    for cpu_workers in (1, 8):
        found = plan_places(None, None, {}, cpu_workers=cpu_workers)
        assert [place.name for place in found] == ["gpu 0", "gpu 1", "gpu 2", "gpu 3"]
    places = plan_places(2, None, {"CUDA_VISIBLE_DEVICES": "3,1"})
    assert [place.environment["CUDA_VISIBLE_DEVICES"] for place in places] == ["3", "1"]
    assert "CUDA_DEVICE_ORDER" not in places[0].environment
    with pytest.raises(ConfigError, match="5 workers"):
        plan_places(5, None, {})


@pytest.mark.usefixtures("no_devices")
def test_workers_on_the_cpu_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "num_cores", lambda: 8)
    assert [(place.name, place.threads) for place in plan_places(None, None, {})] == [("cpu 0", 8)]
    assert [place.threads for place in plan_places(None, None, {}, cpu_workers=2)] == [4, 4]
    assert [(place.name, place.threads) for place in plan_places(3, None, {})] == [
        ("cpu 0", 2),
        ("cpu 1", 2),
        ("cpu 2", 2),
    ]
    assert plan_places(16, None, {})[15].threads == 1
    assert plan_places(2, 3, {"OMP_NUM_THREADS": "1"})[0].environment["OMP_NUM_THREADS"] == "3"


def test_threads_the_user_set_in_the_environment_count() -> None:
    assert share_of_threads(1, {"OMP_NUM_THREADS": "3"}) == 3
    assert share_of_threads(1, {"OMP_NUM_THREADS": "many"}) == num_cores() >= 1
