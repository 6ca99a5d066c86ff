"""What lies in a study's folder may be torn or changed: what is whole is read, the rest is passed over or told."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzzing import fuzz
from hypothesis import strategies as st
from study_manifests import write_manifest

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.errors import FtsweepError
from ftsweep.executors.process import WorkerProcess
from ftsweep.report.settings import read_settings
from ftsweep.store.atomic import append_line, write_json
from ftsweep.store.folders import Store, TrialFolder
from ftsweep.store.result import read_result, result_file

edits = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7), st.sampled_from(["flip", "cut", "insert", "drop"])),
    min_size=1,
    max_size=5,
)


def damage(data: bytes, changes: list[tuple[float, int, str]]) -> bytes:
    for place, bit, how in changes:
        if not data:
            break
        index = int(place * len(data))
        if how == "flip":
            data = data[:index] + bytes([data[index] ^ (1 << bit)]) + data[index + 1 :]
        elif how == "cut":
            data = data[:index]
        elif how == "insert":
            data = data[:index] + bytes([bit * 31]) * (bit + 1) + data[index:]
        else:
            data = data[:index] + data[index + bit + 1 :]
    return data


def measurement(rung: int) -> Measurement:
    return Measurement(rung, rung / 10, rung * 7, rung * 70, rung / 3, 1e9 + rung, {"validation/loss": 1 / (rung + 1)})


@fuzz(40, changes=edits, num_rungs=st.integers(1, 10))
def test_a_damaged_measurement_log_tells_nothing_that_was_not_written(changes: Any, num_rungs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        trial = TrialFolder(Path(folder))
        written = {rung: measurement(rung) for rung in range(num_rungs)}
        for each in written.values():
            append_line(trial.measurements_file, each.to_dict())
        trial.measurements_file.write_bytes(damage(trial.measurements_file.read_bytes(), changes))
        found = trial.measurements()
        assert all(each == written[each.rung] for each in found)
        append_line(trial.measurements_file, measurement(num_rungs).to_dict())
        assert trial.measurements() == [*found, measurement(num_rungs)], "it can be gone on with"


SWEEP = "objective: {metric: loss}\nspace: {training: {epochs: {low: 1, high: 3}}}\n"
SPEC = {"number": 3, "branch": "", "params": {"a": 1}, "is_default": False, "config": {}}
MODEL = {"number": 3, "value": 0.1, "rung": 2, "reason": "It is the best."}
RESULT = {"sentence": "Trial 3 won.", "model": MODEL, "baseline": {"main": {"loss": 1.0}}, "num_trials": 4}


@fuzz(40, changes=edits, which=st.sampled_from(["spec", "outcome", "manifest", "result", "baseline", "settings"]))
def test_a_damaged_file_of_a_study_is_read_or_told_with_its_name(changes: Any, which: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        study = Store(Path(folder)).study("s")
        trial = study.trial(3)
        write_json(trial.spec_file, SPEC)
        write_manifest(study, SWEEP)
        trial.write_outcome(Outcome(OutcomeKind.PRUNED, "it was behind", 2, 1, extra={"num_steps": 3}))
        write_json(result_file(study), RESULT)
        write_json(study.baseline("main").path / "baseline.json", {"loss": 1.5})
        study.sweep_file.write_text(SWEEP)
        readers: dict[str, tuple[Path, Callable[[], Any]]] = {
            "spec": (trial.spec_file, study.records),
            "outcome": (trial.outcome_file, study.records),
            "manifest": (study.manifest_file, study.manifest),
            "result": (result_file(study), lambda: read_result(study)),
            "baseline": (study.baseline("main").path / "baseline.json", study.baselines),
            "settings": (study.manifest_file, lambda: read_settings(study)),
        }
        file, read = readers[which]
        read()
        file.write_bytes(damage(file.read_bytes(), changes))
        told: FtsweepError | None = None
        try:
            read()
        except FtsweepError as error:
            told = error
        is_another_version = which in ("manifest", "settings") and "version of ftsweep" in str(told)
        assert told is None or (str(file) in str(told) and told.exit_code == (2 if is_another_version else 1))


@fuzz(15, changes=edits)
def test_a_damaged_checkpoint_is_passed_over_or_whole(changes: Any) -> None:
    import torch

    from ftsweep.training.checkpoint import Checkpoint

    weights = {"layer.weight": torch.arange(6.0).reshape(2, 3)}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "checkpoint"
        generators = {"cpu": torch.get_rng_state()}
        Checkpoint(weights, {"0.step": torch.tensor(3.0)}, weights, {"step": 3}, generators).write(place)
        files = sorted(file for file in place.rglob("*") if file.is_file())
        file = files[len(changes) * 7 % len(files)]
        file.write_bytes(damage(file.read_bytes(), changes))
        found = Checkpoint.read(place)
        if found is not None and file.name != "weights.safetensors":
            torch.testing.assert_close(found.weights, weights)


NO_MESSAGES = [b"{}", b"[]", b"3", b'{"type": 3}', b"[" * 9999]


@fuzz(50, lines=st.lists(st.binary(max_size=30) | st.sampled_from(NO_MESSAGES), max_size=4))
def test_a_worker_that_says_what_is_no_message_is_taken_for_dead(lines: list[bytes]) -> None:
    said = [b'{"type": "heartbeat"}', *(line for line in lines if b"\n" not in line)]
    process = WorkerProcess.__new__(WorkerProcess)
    process._is_at_end = False
    messages = process._parsed(said)
    assert messages[0] == {"type": "heartbeat"}
    assert all(isinstance(message, dict) and isinstance(message["type"], str) for message in messages)
    assert process._is_at_end or len(messages) == len(said)
