"""What takes room, what may go, and that nothing goes which somebody needs."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Any

import pytest
from study_manifests import write_manifest

from ftsweep.control.clean import clean
from ftsweep.domain.answers import Model
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.result import StudyResult
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.store.atomic import append_line, write_json
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.store.result import write_result
from ftsweep.store.usage import cache_entries, remove_entry, store_use, study_use, trim_cache

DEAD_PROCESS = 2**22 + 1  # beyond what Linux gives out


def fill(folder: Path, num_bytes: int = 1000, name: str = "weights.safetensors") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"x" * num_bytes)
    return folder


def put_in_cache(store: Store, name: str, *, age_seconds: float, num_bytes: int = 1000) -> Path:
    folder = fill(store.cache / "prepared" / name, num_bytes)
    write_json(folder / "meta.json", {})
    used = time.time() - age_seconds
    for file in folder.iterdir():
        os.utime(file, (used, used))
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "mlruns")


@pytest.fixture
def study(store: Store) -> StudyFolder:
    """Four trials, the best first; all weights are still there, as a kill may leave them."""
    folder = store.study("mine")
    write_manifest(folder, selection={"top": 2, "seeds": 0})
    folder.sweep_file.write_text("study: {name: mine}\n")
    for number in range(4):
        trial = folder.trial(number)
        write_json(trial.spec_file, {"number": number, "branch": "", "params": {}, "is_default": False})
        values = {"validation/loss": float(number)}
        append_line(trial.measurements_file, Measurement(1, 1.0, 1, 1, 1.0, 1.0, values).to_dict())
        trial.write_outcome(Outcome(OutcomeKind.COMPLETE))
        fill(trial.best)
    return folder


def gone(cleaning: Any) -> set[str]:
    return {"/".join(removal.path.parts[-2:]) for removal in cleaning.removals}


def test_study_tells_weights_and_checkpoints_from_the_rest(study: StudyFolder) -> None:
    fill(study.trial(0).checkpoint, 500)
    fill(study.path / "trials" / "0000" / ".checkpoint.17.tmp", 30)
    use = study_use(study)
    assert (use["weights"], use["checkpoints"]) == (4000, 530)
    assert use["total"] == use["weights"] + use["checkpoints"] + use["other"]


def test_store_tells_the_cache_by_kind(study: StudyFolder, store: Store) -> None:
    put_in_cache(store, "a", age_seconds=0)
    use = store_use(store)
    assert use["cache"]["prepared"] > 1000
    assert use["studies"] > 4000
    assert use["free"] > 0


def test_weights_of_losers_go_and_those_of_the_best_stay(study: StudyFolder, store: Store) -> None:
    cleaning = clean(store, [study])
    assert gone(cleaning) == {"0002/best", "0003/best"}
    assert cleaning.size_bytes == 2000
    assert [study.trial(number).best.exists() for number in range(4)] == [True, True, False, False]
    assert clean(store, [study]).removals == []


def test_chosen_trial_keeps_its_weights_though_others_are_better(study: StudyFolder, store: Store) -> None:
    write_result(study, StudyResult("", model=Model(3, 0.5, 1, "It is the best."), num_trials=4))
    clean(store, [study])
    assert [study.trial(number).best.exists() for number in range(4)] == [True, True, False, True]


def test_weights_of_fresh_runs_go_after_the_choice_but_for_the_models_own(study: StudyFolder, store: Store) -> None:
    for index in (1, 2):
        fill(study.confirmation(0, index).best)
        study.confirmation(0, index).write_outcome(Outcome(OutcomeKind.COMPLETE))
    clean(store, [study])
    assert study.confirmation(0, 1).best.exists(), "nothing was chosen yet"
    write_result(study, StudyResult("", model=Model(0, 0.5, 1, "It is the best.", seed=2), num_trials=4))
    clean(store, [study])
    assert [study.confirmation(0, index).best.exists() for index in (1, 2)] == [False, True]


def test_what_killed_processes_left_goes_and_work_that_goes_on_stays(study: StudyFolder, store: Store) -> None:
    study.trial(3).outcome_file.unlink()  # to be continued
    fill(study.trial(3).checkpoint)
    fill(study.trial(2).checkpoint)
    fill(study.path / "trials" / "0003" / f".checkpoint.{DEAD_PROCESS}.tmp")
    fill(study.path / "trials" / "0003", name=f".spec.json.{DEAD_PROCESS}.tmp")
    fill(study.path / "trials" / "0001" / ".best.old")
    (only_copy,) = [fill(study.path / ".model.old")]  # its successor was never put in place: readers take it back
    fill(study.confirmation(0, 1).best)
    study.confirmation(0, 1).write_outcome(Outcome(OutcomeKind.COMPLETE))
    fill(study.path / "set_aside" / "0009" / "best")
    cleaning = clean(store, [study])
    assert gone(cleaning) == {
        "0002/best",
        "0002/checkpoint",
        f"0003/.checkpoint.{DEAD_PROCESS}.tmp",
        f"0003/.spec.json.{DEAD_PROCESS}.tmp",
        "0001/.best.old",
        "0009/best",
    }
    assert only_copy.exists()
    assert study.confirmation(0, 1).best.exists(), "it may be the model that is chosen"
    assert study.trial(3).checkpoint.exists()
    assert study.trial(3).best.exists(), "it may become the best one"


def test_dry_run_says_the_same_and_removes_nothing(study: StudyFolder, store: Store) -> None:
    put_in_cache(store, "old", age_seconds=1000)
    dry = clean(store, [study], cache_gib=0, is_dry=True)
    assert study.trial(3).best.exists()
    assert (store.cache / "prepared" / "old").exists()
    assert clean(store, [study], cache_gib=0).to_dict() == dry.to_dict()


def test_running_study_is_left_alone_and_so_is_what_it_uses(study: StudyFolder, store: Store) -> None:
    put_in_cache(store, "old", age_seconds=1000)
    torn = fill(store.cache / "prepared" / f".new.{os.getpid()}.tmp")
    with study.locked():
        put_in_cache(store, "used", age_seconds=-1)
        cleaning = clean(store, [study], cache_gib=0)
    assert gone(cleaning) == {"prepared/old"}
    assert torn.exists(), "a live process writes it"
    assert any("is running" in text for text in cleaning.skipped)
    assert any("needed by a study that runs" in text for text in cleaning.skipped)
    assert study.trial(3).best.exists()


def test_cache_shrinks_to_its_limit_by_what_was_not_used_for_longest(store: Store) -> None:
    for name, age in (("a", 300), ("b", 100), ("c", 200)):
        put_in_cache(store, name, age_seconds=age, num_bytes=2**20)
    assert [entry.path.name for entry in cache_entries(store)] == ["a", "c", "b"]
    assert trim_cache(store, 2.5 / 1024) >= 2**20
    assert [entry.path.name for entry in cache_entries(store)] == ["c", "b"]
    assert trim_cache(store, 1) == 0


def test_own_study_whose_workers_have_ended_does_not_hold_the_cache(study: StudyFolder, store: Store) -> None:
    with study.locked():
        put_in_cache(store, "own", age_seconds=-1)
        assert trim_cache(store, 0) == 0
        assert trim_cache(store, 0, besides=study) > 0


def test_entry_that_is_held_or_was_just_used_stays(store: Store) -> None:
    folder = put_in_cache(store, "a", age_seconds=100)
    (entry,) = cache_entries(store)
    with (store.cache / "prepared" / ".a.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert not remove_entry(entry)
    os.utime(folder / "meta.json")
    assert not remove_entry(entry)
    (entry,) = cache_entries(store)
    assert remove_entry(entry)
    assert not folder.exists()
