"""SIGTERM and Ctrl-C in every phase of a study: exit 0 within ten seconds, and the same command goes on."""

from __future__ import annotations

import signal
import subprocess
import time

import psutil
import pytest
from e2e_place import Place

MOST_SECONDS = 10.0
PHASES = (
    "preparing data",
    "measuring the untouched base",
    "trial 1",
    "confirming the best settings",
    "on test",
    "exporting the chosen model",
)
SETTINGS = ("selection.seeds=1", "selection.top=2", "budget.trials=3")


def wait_for(control: subprocess.Popen[str], words: str) -> None:
    """Read what the command prints until it tells of this phase."""
    assert control.stdout is not None
    said = []
    for line in control.stdout:
        said.append(line)
        if words in line:
            return
    raise AssertionError(f"{words!r} was never printed: {''.join(said)} {control.communicate()}")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_one_signal_in_every_phase_drains_and_the_study_ends_whole(place: Place) -> None:
    for index, phase in enumerate(PHASES):
        control = place.start("run", "small.yaml", *SETTINGS)
        wait_for(control, phase)
        family = psutil.Process(control.pid).children(recursive=True)
        started = time.monotonic()
        control.send_signal((signal.SIGTERM, signal.SIGINT)[index % 2])
        out, errors = control.communicate(timeout=60)
        assert control.returncode == 0, (phase, errors)
        assert time.monotonic() - started < MOST_SECONDS, phase
        assert "the same command goes on" in out or "registered model" in out, phase  # an export may be through already
        _gone, alive = psutil.wait_procs(family, timeout=2)
        assert not alive, phase
    done = place.run("run", "small.yaml", *SETTINGS)
    assert done.returncode == 0, done.stderr
    assert "3 trials" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_second_signal_ends_at_once(place: Place) -> None:
    control = place.start("run", "small.yaml", *SETTINGS)
    wait_for(control, "measuring the untouched base")
    family = psutil.Process(control.pid).children(recursive=True)
    control.send_signal(signal.SIGINT)
    assert control.stderr is not None
    assert "Once more ends at once" in control.stderr.readline()
    started = time.monotonic()
    control.send_signal(signal.SIGINT)
    control.communicate(timeout=60)
    assert control.returncode in (0, 130)  # 0: the first was through already
    assert time.monotonic() - started < MOST_SECONDS / 2
    _gone, alive = psutil.wait_procs(family, timeout=2)
    assert not alive
