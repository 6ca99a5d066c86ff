"""What each class of failure does to a study: tried again, told as a bad region, or the end with a clear paragraph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from simulated_parts import loss_curve

from ftsweep.control.jobs import Stopped, as_error
from ftsweep.control.live_study import LiveStudy
from ftsweep.domain.trial import OutcomeKind
from ftsweep.errors import StudyError
from ftsweep.executors.attempts import MAX_RETRIES
from ftsweep.testing.simulated import SimulatedExecutor

MakeSweep = Callable[..., LiveStudy]
FULL_DISK = {
    "type": "failed",
    "kind": "place",
    "error_class": "OSError",
    "message": "[Errno 28] No space left on device",
    "where": "durable.py:30",
    "traceback": "",
}
KILLED_FOR_MEMORY = {"type": "lost", "kind": "memory", "reason": "worker cpu 0 was ended by the kernel", "log_tail": ""}
SEGFAULT = {"type": "lost", "kind": "process", "reason": "worker cpu 0 was killed by SIGSEGV", "log_tail": "the end"}


def run(sweep: LiveStudy) -> LiveStudy:
    sweep.prepare()
    sweep.measure_baselines()
    sweep.search()
    return sweep


def kinds(sweep: LiveStudy) -> Counter[OutcomeKind | None]:
    return Counter(record.outcome.kind if record.outcome else None for record in sweep.records)


class Misfortune:
    """A curve that meets a message so many times in one trial, before it goes on as any other."""

    def __init__(self, message: dict[str, Any], *, trials: set[int], times: int) -> None:
        self.message, self.trials, self.times = message, trials, times
        self.met: Counter[int] = Counter()

    def __call__(self, spec: dict[str, Any], rung: int) -> Any:
        number = spec["number"]
        if rung == 2 and number in self.trials and self.met[number] < self.times:
            self.met[number] += 1
            return self.message
        return loss_curve(spec, rung)


def test_full_disk_stops_the_study_and_fails_no_trial(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(Misfortune(FULL_DISK, trials={1}, times=100), trials=4)
    with pytest.raises(StudyError, match=r"No space left on device.*same command again") as caught:
        run(sweep)
    assert "durable.py:30" in str(caught.value)
    assert kinds(sweep)[OutcomeKind.FAILED] == 0
    again = run(make_sweep(trials=4))  # somebody made room
    assert [record.number for record in again.records] == [0, 1, 2, 3]
    assert kinds(again)[None] == kinds(again)[OutcomeKind.FAILED] == 0


def test_disk_that_has_room_again_is_no_loss(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(Misfortune(FULL_DISK, trials={1}, times=MAX_RETRIES), trials=4))
    assert kinds(sweep)[None] == kinds(sweep)[OutcomeKind.FAILED] == 0


def test_trial_that_exhausts_the_machine_twice_is_a_bad_region(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(Misfortune(KILLED_FOR_MEMORY, trials={2}, times=2), trials=5))
    outcome = sweep.trials.by_number[2].outcome
    assert outcome is not None
    assert outcome.kind is OutcomeKind.INFEASIBLE
    assert "ran out of memory" in outcome.reason
    assert kinds(sweep)[OutcomeKind.FAILED] == 0


def test_memory_that_ran_out_once_is_tried_again(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(Misfortune(KILLED_FOR_MEMORY, trials={2}, times=1), trials=5))
    assert kinds(sweep)[OutcomeKind.INFEASIBLE] == 0


def test_three_trials_that_lose_all_their_workers_stop_the_study(make_sweep: MakeSweep) -> None:
    with pytest.raises(StudyError, match=r"3 trials failed with the same error, WorkerLost.*SIGSEGV"):
        run(make_sweep(Misfortune(SEGFAULT, trials={1, 2, 3, 4}, times=4), trials=8))
    sweep = run(make_sweep(trials=8))  # mended, the study goes on
    assert kinds(sweep)[OutcomeKind.FAILED] == 3
    assert len(sweep.records) == 8


def troubled(executor: Any, job_prefix: str, message: dict[str, Any], times: int) -> None:
    """Have a single job meet a message so many times."""
    advance, left = executor.poll, [times]

    def poll(seconds: float) -> Any:
        return [
            {**message, "job": told["job"]}
            if told["type"] == "ended" and told["job"].startswith(job_prefix) and _take(left)
            else told
            for told in advance(seconds)
        ]

    executor.poll = poll


def _take(left: list[int]) -> bool:
    left[0] -= 1
    return left[0] >= 0


@pytest.mark.parametrize(("message", "num_lost"), [(FULL_DISK, 0), (SEGFAULT, MAX_RETRIES)])
def test_single_job_is_tried_again_after_a_fault_of_the_machine(
    make_sweep: MakeSweep, message: dict[str, Any], num_lost: int
) -> None:
    sweep = make_sweep(trials=2)
    troubled(sweep.executor, "prepare", message, MAX_RETRIES)
    sweep.prepare()
    assert len(sweep.folder.lost_workers()) == num_lost, "a full disk ends no worker"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (FULL_DISK, r"No space left.*same command again"),
        (SEGFAULT, r"lost 4 workers.*SIGSEGV.*The end of its log: the end"),
        (KILLED_FOR_MEMORY, r"ran out of memory.*smaller model"),
    ],
)
def test_single_job_that_meets_it_again_and_again_ends_with_a_remedy(
    make_sweep: MakeSweep, message: dict[str, Any], words: str
) -> None:
    sweep = make_sweep(trials=2)
    troubled(sweep.executor, "baseline", message, 100)
    sweep.prepare()
    with pytest.raises(StudyError, match=words):
        sweep.measure_baselines()


def test_confirmation_run_that_cannot_be_written_stays_to_be_continued(make_sweep: MakeSweep) -> None:
    def curve(spec: dict[str, Any], rung: int) -> Any:
        return FULL_DISK if spec["config"]["seed"]["model"] > 1000 else loss_curve(spec, rung)

    sweep = run(make_sweep(curve, trials=3, top=2, seeds=1, share=5.0))
    with pytest.raises(StudyError, match="No space left"):
        sweep.confirm()
    again = run(make_sweep(trials=3, top=2, seeds=1, share=5.0))
    race = again.confirm()
    assert [race.record(key).is_complete for key in race.fresh] == [True] * len(race.numbers)


def test_memory_error_of_a_single_job_has_a_remedy() -> None:
    told = {"error_class": "OutOfMemoryError", "message": "CUDA out of memory. Tried\nmore", "where": "engine.py:3"}
    assert "smaller model" in str(as_error(told))


@pytest.mark.parametrize("phase", ["preparing", "measuring the untouched base", "searching", "confirming", "exporting"])
def test_stop_ends_every_phase_and_the_next_process_goes_on(make_sweep: MakeSweep, phase: str) -> None:
    sweep = make_sweep(trials=4, top=2, seeds=1)
    sweep.watch = lambda snapshot: sweep.stop() if snapshot.phase.startswith(phase) else None
    try:
        run(sweep)
        if not sweep.is_stopping:
            sweep.conclude()
    except Stopped:
        pass
    assert sweep.is_stopping, "the phase never came"
    again = run(make_sweep(trials=4, top=2, seeds=1))
    assert again.conclude().model is not None
    assert kinds(again)[None] == 0
    assert isinstance(again.executor, SimulatedExecutor)
