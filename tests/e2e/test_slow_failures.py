"""Failures made for real in the real command: each has its own ending, and none takes the study with it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_place import Place, make_place

from ftsweep.store.folders import StudyFolder

FAULTY = """
import ctypes
import resource

import torch

from ftsweep.strategies.lora import Lora


class Faulty(Lora):
    '''LoRA that fails as it is told.'''

    def __init__(self, *, fault: str = "none", rank: int = 2) -> None:
        super().__init__(rank=rank)
        self.fault = fault

    def apply(self, base, head):
        if self.fault == "segfault":
            ctypes.string_at(0)
        if self.fault == "memory":
            pages = int(open("/proc/self/statm").read().split()[0])
            limit = pages * resource.getpagesize() + (64 << 20)
            resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
            torch.ones(1 << 28)
        if self.fault == "user":
            raise ValueError("no adapter for this model today")
        model = super().apply(base, head)
        if self.fault == "nan":
            for weight in model.parameters():
                if weight.requires_grad:
                    torch.nn.init.constant_(weight, float("nan"))
        return model
"""
SPACE = """
allow: [faulty]
study:
  name: small
  enqueue: [{strategy.fault: nan}, {strategy.fault: memory}, {strategy.fault: user}, {strategy.fault: segfault}]
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_failing_trial_ends_as_its_class_says_and_the_study_ends_well(place: Place) -> None:
    (place.folder / "faulty.py").write_text(FAULTY, encoding="utf-8")
    (place.folder / "strategy").mkdir()
    (place.folder / "strategy" / "faulty.yaml").write_text("_target_: faulty.Faulty\n", encoding="utf-8")
    sweep = (place.folder / "small.yaml").read_text(encoding="utf-8")
    sweep = sweep.replace("strategy: lora", "strategy: faulty").replace("strategy: {rank: 2}\n", "")
    sweep = sweep.partition("space:")[0] + SPACE
    sweep += "space:\n  strategy:\n    fault: [none, nan, memory, user, segfault]\n"
    (place.folder / "small.yaml").write_text(sweep, encoding="utf-8")

    done = place.run("run", "small.yaml", "budget.trials=5", "rungs.count=2", "training.epochs=1")
    assert done.returncode == 0, done.stderr
    outcomes = {record.proposal.params["strategy.fault"]: record.outcome for record in folder_of(place).records()}
    told = {fault: (str(outcome.kind), outcome.reason) for fault, outcome in outcomes.items() if outcome}
    assert told["none"][0] == "complete"
    assert told["nan"][0] == "diverged"
    assert told["memory"][0] == "infeasible"
    assert "memory" in told["memory"][1]
    assert told["user"] == ("failed", "ValueError: no adapter for this model today")
    assert told["segfault"][0] == "failed"
    assert "lost 4 workers" in told["segfault"][1]
    assert "SIGSEGV" in told["segfault"][1]
    assert outcomes["user"] is not None
    assert "faulty.py" in outcomes["user"].log_tail


def folder_of(place: Place) -> StudyFolder:
    return StudyFolder(place.study("small"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with room for a study, and no more."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("a disk can be mounted by root only")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=False)


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            pass
    return filler


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_full_and_read_only_disk_end_in_a_paragraph_and_the_study_goes_on(tmp_path: Path, small_disk: Path) -> None:
    place = make_place(tmp_path / "user")
    command = ("run", "small.yaml", f"store.path={small_disk / 'store'}", "budget.trials=3", "rungs.count=2")
    control = place.start(*command)
    outcome = small_disk / "store" / "studies" / "small" / "trials" / "0000" / "outcome.json"
    assert control.stdout is not None
    for _ in control.stdout:  # a line for every trial that ended
        if outcome.exists():
            break
    filler = fill(small_disk)
    _, errors = control.communicate(timeout=300)
    assert control.returncode == 1, errors
    assert "Traceback" not in errors
    assert "space" in errors

    filler.unlink()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    refused = place.run(*command)
    assert refused.returncode in (1, 2), refused.stderr
    assert "Traceback" not in refused.stderr
    assert "ead-only" in refused.stderr

    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    done = place.run(*command)
    assert done.returncode == 0, done.stderr
    records = StudyFolder(small_disk / "store" / "studies" / "small").records()
    assert [record.number for record in records] == [0, 1, 2]
    assert all(record.outcome and str(record.outcome.kind) != "failed" for record in records)
    assert (small_disk / "store" / "studies" / "small" / "result.json").exists()
